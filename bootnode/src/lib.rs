//! tabella-bootnode
