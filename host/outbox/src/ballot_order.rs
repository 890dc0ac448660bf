//! The order of the ballots that this backend signs for one voter, where a later one replaces an earlier.
//!
//! Each carries a number above those of the voter's ballots before it, so that whoever holds an older one
//! back cannot put it last. The numbers begin with the time, so that a database which was restored from
//! an older copy goes on above what it lost: see
//! `docs/decisions/0051-a-voter-may-order-its-ballots.md`.

use tabella_protocol::VoterId;
use tokio::sync::{Mutex, MutexGuard};

/// Voters are told apart by a byte: those who share it wait for each other.
const TURNS: usize = 256;

/// Lets each voter's ballots be numbered and recorded one after the other.
pub(crate) struct BallotOrder {
    turns: [Mutex<()>; TURNS],
}

/// A voter's turn, until it is dropped.
pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

impl BallotOrder {
    pub(crate) fn new() -> Self {
        Self {
            turns: std::array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Waits until no other ballot of the voter is being recorded.
    pub(crate) async fn turn(&self, voter: &VoterId) -> Turn<'_> {
        // Pseudonyms are hashes.
        self.turns[usize::from(voter.0[0])].lock().await
    }
}
