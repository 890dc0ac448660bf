//! `extend-roll`: add voters to an election that is not closed.

use tabella_protocol::{RollEntry, codec, merkle, rpc::RefusalCode};

use super::{Draft, wrong_status};
use crate::{Refusal, VetError, state::Phase};

impl Draft<'_> {
    pub(super) fn extend_roll(
        &mut self,
        election_id: u64,
        entries: &[RollEntry],
    ) -> Result<(), VetError> {
        if self.election(election_id)?.phase == Phase::Closed {
            let refusal = wrong_status(election_id, "extend the roll of", "upcoming or open");
            return Err(refusal.into());
        }
        for entry in entries {
            if self.weight(election_id, &entry.voter)?.is_some() {
                let message = format!(
                    "{} is on the roll of election {election_id} already",
                    entry.voter
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
