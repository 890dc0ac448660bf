//! tabella-runtime
