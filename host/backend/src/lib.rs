//! tabella-backend
