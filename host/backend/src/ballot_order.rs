//! The order of the ballots that this backend signs for one voter, where a later one replaces an earlier.
//!
//! Each carries a number above those of the voter's ballots before it, so that whoever holds an older one
//! back cannot put it last. The numbers begin with the time, so that a database which was restored from
//! an older copy goes on above what it lost: see
//! `docs/decisions/0054-a-voter-may-order-its-ballots.md`.

use tabella_protocol::VoterId;
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    app::App,
    clock,
    problem::Problem,
    store::{State, Submission},
};

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

impl App {
    /// Waits, not for long, until the proven chain here holds the voter's ballot that is confirmed, and so
    /// knows its number.
    pub(crate) async fn standing_executed(
        &self,
        election_id: u64,
        voter: VoterId,
    ) -> Result<(), Problem> {
        let standing = self.store.ballot_of(election_id, &voter).await?;
        if let Some(Submission {
            state: State::Confirmed { height, .. },
            ..
        }) = standing
            && self.follower.tip().height < height
            && self.follower.progress().problem.is_none()
        {
            self.elections.executed(height).await;
        }
        Ok(())
    }

    /// The number of a voter's next ballot, in its turn: above that of every earlier one that the
    /// database or the proven chain knows, and no lower than the time, by the second.
    pub(crate) async fn next_sequence(
        &self,
        election_id: u64,
        voter: VoterId,
    ) -> Result<u64, Problem> {
        let standing = self.store.ballot_of(election_id, &voter).await?;
        let recorded = standing.and_then(|standing| standing.number());
        let proven = self.read(move |ledger| ledger.sequence_of(election_id, &voter));
        let last = recorded.max(proven.await?);
        let after = last.map_or(0, |last| last.saturating_add(1));
        Ok(after.max(clock::now_s().saturating_mul(1_000)))
    }
}
