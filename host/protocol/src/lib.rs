//! tabella-protocol
