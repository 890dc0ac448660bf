//! Re-checking this chain's own history on request.

use tabella_protocol::rpc::VerifyView;

use crate::{Ledger, LedgerError, Progress, Scrub, Signatures};

/// Most problems listed; past that the answer is clear.
const PROBLEMS_MAX: usize = 100;

impl Ledger {
    /// Re-checks everything that is stored, as a [`Scrub`] does, and every signature.
    pub fn verify(&self) -> Result<VerifyView, LedgerError> {
        let height = self.tip().height;
        let mut scrub = Scrub::new(self, Signatures::All);
        while scrub.damage().len() + scrub.problems().len() < PROBLEMS_MAX {
            if scrub.step(self)? == Progress::Done {
                break;
            }
        }
        let damage = scrub.damage().iter().map(ToString::to_string);
        let mut problems: Vec<String> = damage.chain(scrub.problems().iter().cloned()).collect();
        problems.truncate(PROBLEMS_MAX);
        let checked = scrub.checked();
        Ok(VerifyView {
            valid: problems.is_empty(),
            height: height.max(checked.blocks),
            blocks: checked.blocks,
            signatures: checked.signatures,
            ballots: checked.ballots,
            problems,
        })
    }
}
