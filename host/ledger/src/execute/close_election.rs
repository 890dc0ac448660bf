//! `close-election`: stop accepting ballots, for good.

use super::{Draft, wrong_status};
use crate::{Refusal, state::Phase};

impl Draft<'_> {
    pub(super) fn close_election(&mut self, election_id: u64) -> Result<(), Refusal> {
        if self.election(election_id)?.phase != Phase::Open {
            return Err(wrong_status(election_id, "close", "open"));
        }
        self.election_mut(election_id)?.phase = Phase::Closed;
        Ok(())
    }
}
