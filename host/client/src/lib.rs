//! tabella-client
