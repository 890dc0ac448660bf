//! Checks what a network handed out, believing nothing but its genesis: what `tabella verify` says.
//!
//! - [`receipt`]: a voter's receipt, whether it is of one [`choice`], and whether it is this voter's.
//! - [`election_export`]: a whole election, executed again from genesis and counted again.
//! - [`local_ledger`]: a backend's local ledger, executed again and compared with the network.
//! - [`evidence`]: statements that prove that validators lied.
//!
//! Blocks are executed by `tabella_follower`, as every other part of Tabella executes them. No server is
//! linked: whoever reviews this crate and what it is built of has reviewed what verification rests on.
//! Errors have their causes as sources; print the whole chain.

pub mod choice;
pub mod election_export;
pub mod evidence;
mod lines;
pub mod local_ledger;
pub mod receipt;
mod receipt_nonce;
mod scratch;

pub use lines::LinesError;
pub use receipt_nonce::NonceError;
pub use scratch::ScratchError;
