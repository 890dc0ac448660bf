//! tabella-validator
