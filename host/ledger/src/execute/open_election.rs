//! `open-election`: start accepting ballots.

use super::{Draft, wrong_status};
use crate::{Refusal, state::Phase};

impl Draft<'_> {
    pub(super) fn open_election(&mut self, election_id: u64) -> Result<(), Refusal> {
        if self.election(election_id)?.phase != Phase::Upcoming {
            return Err(wrong_status(election_id, "open", "upcoming"));
        }
        self.election_mut(election_id)?.phase = Phase::Open;
        Ok(())
    }
}
