//! Checks what a network handed out, believing nothing but its genesis: what `tabella verify` says.

pub mod choice;
pub mod election_export;
pub mod local_ledger;
pub mod receipt_nonce;
mod scratch;
