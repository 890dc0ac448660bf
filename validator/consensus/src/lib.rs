//! tabella-consensus
