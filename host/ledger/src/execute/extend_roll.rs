//! `extend-roll`: add voters to an election that is not closed.

use tabella_protocol::{RollChanges, RollEntry, codec, merkle, rpc::RefusalCode};

use super::{Draft, wrong_status};
use crate::{Refusal, VetError, state::Phase};

impl Draft<'_> {
    pub(super) fn extend_roll(
        &mut self,
        election_id: u64,
        entries: &[RollEntry],
    ) -> Result<(), VetError> {
        let record = self.election(election_id)?;
        match (record.phase, record.spec.eligibility.roll()) {
            (Phase::Upcoming, _) | (Phase::Open, Some(RollChanges::Grows) | None) => {}
            (Phase::Open, Some(RollChanges::Fixed)) => {
                let message = format!(
                    "the roll of election {election_id} is fixed since the election opened; only one created with roll = \"grows\" takes voters later"
                );
                return Err(Refusal::new(RefusalCode::WrongElectionStatus, message).into());
            }
            (Phase::Closed, _) => {
                let refusal = wrong_status(election_id, "extend the roll of", "upcoming or open");
                return Err(refusal.into());
            }
        }
        for entry in entries {
            if self.weight(election_id, &entry.voter)?.is_some() {
                let message = format!(
                    "a voter of this part is on the roll of election {election_id} already"
                );
                return Err(Refusal::new(RefusalCode::InvalidRoll, message).into());
            }
        }
        let record = self.election_mut(election_id)?;
        for entry in entries {
            record.roll.push(merkle::leaf_hash(&codec::encode(entry)));
        }
        for entry in entries {
            self.roll.insert((election_id, entry.voter), entry.weight);
            self.changes.roll.push((election_id, *entry));
        }
        Ok(())
    }
}
