//! tabella-ledger
