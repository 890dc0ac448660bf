//! tabella-plugins
