//! tabella-sdk
