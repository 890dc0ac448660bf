//! Whether a refusal is the chain's, or only one validator's word.

use std::sync::Arc;

use tabella_client::SubmitError;
use tabella_ledger::VetError;
use tabella_protocol::rpc::RefusalCode;

use crate::app::App;

impl App {
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
        match code {
            RefusalCode::UnknownElection
            | RefusalCode::ElectionNotOpen
            | RefusalCode::UnknownPlugin
            | RefusalCode::NotOnRoll => set.validators.len(),
            _ => set.threshold().min(2),
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
