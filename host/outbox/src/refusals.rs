//! Whether a refusal is the chain's, or only one validator's word.

use std::sync::Arc;

use tabella_client::SubmitError;
use tabella_follower::Progress;
use tabella_ledger::{Ledger, Refusal, VetError};
use tabella_protocol::{Hash, Payload, RollChanges, rpc::RefusalCode};

use crate::{chain_read::ReadError, outbox::Outbox};

/// What the proven chain says of a ballot that is on its way.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It stands there.
    Stands,
    /// No later block can hold it.
    Refused(Refusal),
    /// A later block may hold it.
    Open,
}

/// Blocks that validators may be ahead by what is executed here while it still counts as all there is.
const LATE_MAX: u64 = 2;

impl Outbox {
    /// Whether the chain is executed here as far as it is known to go: no certified block is left, and
    /// validators, by more than one's word, claim hardly more.
    pub(crate) fn knows_head(&self) -> bool {
        let claimed = self.client.blockchain_state().claimed_height;
        is_head(&self.follower.progress(), claimed)
    }

    /// Judges a recorded transaction by the proven chain, whatever validators say of it.
    /// `roll` is whether voters may still be added to a roll that grows.
    pub(crate) async fn judge(
        &self,
        bytes: Vec<u8>,
        roll: RollChanges,
    ) -> Result<Judgement, ReadError> {
        self.read(move |ledger| {
            if ledger.place_of(&Hash::of(&bytes))?.is_some() {
                return Ok(Judgement::Stands);
            }
            let vetted = match ledger.vet(&bytes) {
                Ok(vetted) => vetted,
                Err(VetError::Refused(refusal)) if is_lasting(refusal.code) => {
                    return Ok(Judgement::Refused(refusal));
                }
                Err(VetError::Refused(_)) => return Ok(Judgement::Open),
                Err(VetError::Ledger(error)) => return Err(error),
            };
            match ledger.admit(&vetted) {
                Ok(()) => Ok(Judgement::Open),
                Err(VetError::Ledger(error)) => Err(error),
                Err(VetError::Refused(refusal)) => Ok(match refusal.code {
                    RefusalCode::AlreadyIncluded => Judgement::Stands,
                    RefusalCode::NotOnRoll
                        if roll == RollChanges::Fixed
                            || has_fixed_roll(ledger, &vetted.transaction().body.payload) =>
                    {
                        Judgement::Refused(refusal)
                    }
                    code if is_lasting(code) => Judgement::Refused(refusal),
                    _ => Judgement::Open,
                }),
            }
        })
        .await
    }

    /// Turns a refusal that nothing proves into an answer that is missing: the ballot is kept and
    /// carried, and the chain decides.
    pub(crate) async fn doubt_refusal<T>(
        &self,
        bytes: &[u8],
        submitted: Result<T, SubmitError>,
    ) -> Result<T, SubmitError> {
        let Err(SubmitError::Refused(refusal)) = &submitted else {
            return submitted;
        };
        if refusal.validators >= self.witnesses(refusal.code)
            || self.chain_refuses(bytes, refusal.code).await
        {
            return submitted;
        }
        Err(SubmitError::Unavailable(format!(
            "only {} of the validators refuses it as {}, and the proven chain does not",
            refusal.validators,
            refusal.code.as_str()
        )))
    }

    /// Returns how many validators must refuse an acknowledged ballot. What may change later, such
    /// as a roll, must be refused by all of them: one that holds the ballot could still include it.
    pub(crate) fn witnesses(&self, code: RefusalCode) -> usize {
        let set = self.client.current_validators();
        match code.may_change() {
            true => set.validators.len(),
            false => set.witnesses(),
        }
    }

    /// Returns whether the chain that was proven here refuses a transaction for the same reason.
    pub(crate) async fn chain_refuses(&self, bytes: &[u8], code: RefusalCode) -> bool {
        let (ledger, bytes) = (Arc::clone(self.follower.ledger()), bytes.to_vec());
        let judging = tokio::task::spawn_blocking(move || {
            let vetted = ledger.vet(&bytes)?;
            ledger.admit(&vetted)
        });
        matches!(judging.await, Ok(Err(VetError::Refused(own))) if own.code == code)
    }
}

/// Whether this is all there is of a chain whose validators claim so many blocks.
fn is_head(progress: &Progress, claimed: Option<u64>) -> bool {
    progress.behind() == 0
        && progress.problem.is_none()
        && claimed.is_some_and(|height| height <= progress.height + LATE_MAX)
}

/// Whether a chain that refuses a ballot so will always do.
fn is_lasting(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::OtherChain
            | RefusalCode::BadSignature
            | RefusalCode::NotAuthorised
            | RefusalCode::ElectionClosed
            | RefusalCode::AlreadyVoted
            | RefusalCode::Superseded
            | RefusalCode::BallotRefused
            | RefusalCode::RuleFault
            // By the genesis document, which does not change.
            | RefusalCode::TooLarge
    )
}

/// Whether nobody is added to the roll of a ballot's election once it is open.
fn has_fixed_roll(ledger: &Ledger, payload: &Payload) -> bool {
    let Payload::CastBallot { election_id, .. } = payload else {
        return false;
    };
    let election = ledger.election(*election_id);
    election.is_some_and(|e| e.spec().eligibility.roll() == Some(RollChanges::Fixed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_behind_in_doubt_or_alone_is_not_all_there_is() {
        let whole = || Progress {
            height: 10,
            certified_height: 10,
            ..Progress::default()
        };
        for claimed in [0, 10, 10 + LATE_MAX] {
            assert!(is_head(&whole(), Some(claimed)), "{claimed}");
        }
        assert!(!is_head(&whole(), Some(11 + LATE_MAX)));
        assert!(!is_head(&whole(), None), "nobody says how far it goes");
        let behind = Progress {
            certified_height: 11,
            ..whole()
        };
        assert!(!is_head(&behind, Some(10)));
        let doubtful = Progress {
            problem: Some("a block does not hold".into()),
            ..whole()
        };
        assert!(!is_head(&doubtful, Some(10)));
    }
}
