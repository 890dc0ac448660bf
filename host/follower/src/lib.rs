//! A follower: certified blocks from any source, proven and executed into a chain of its own.
//!
//! Nothing that a voter, an administrator or a count depends on comes from one validator's word. A
//! backend keeps a [`Follower`]: it checks the certificate of every block against the validators of
//! its height, executes the block with the ledger, and compares what comes out with what the header
//! commits to. Elections, options, rolls, boards, plugins, receipts and results are then read from
//! [`Follower::ledger`], with every validator reachable or none.
//!
//! An auditor's tool replays a chain from a file with [`Replay`], which believes not even a quorum:
//! every signature and every ballot is checked again.
//!
//! - `chain`: the follower's own copy of the chain; `follow`: keeping it in step with the network;
//!   `acks`: the acks that come after their blocks.
//! - `count`: the follower's own count of closed elections, beside what validators attested.
//! - `recheck`: reading the whole copy again; `replay`: executing a chain from a file.

mod acks;
mod chain;
mod count;
mod follow;
mod recheck;
mod replay;

pub use chain::{FollowError, Follower, Progress};
pub use count::Counted;
pub use recheck::{Recheck, RecheckError};
pub use replay::{Replay, ReplayError};
