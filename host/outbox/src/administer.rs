//! An administrator's transactions, until the chain has them.

use std::time::{Duration, Instant};

use tabella_client::{Confirmation, SubmitError, WaitError};
use tabella_protocol::{Hash, Payload, SigningKey, Transaction, rpc::RefusalCode};

use crate::{administer_error::AdministerError, outbox::Outbox};

/// How long an administrator's transaction is waited for.
pub(crate) const ADMIN_WAIT: Duration = Duration::from_secs(15);

impl Outbox {
    /// The key that administers.
    pub(crate) fn authority(&self) -> Result<&SigningKey, AdministerError> {
        let authority = self.authority.as_ref();
        authority.ok_or(AdministerError::NoAuthorityKey)
    }

    /// Puts an administrator's transaction on the chain.
    pub async fn administer(&self, payload: Payload) -> Result<Confirmation, AdministerError> {
        // An authority's word is not needed where the registrar's is enough.
        let key = match (&payload, &self.authority) {
            (Payload::ExtendRoll { .. }, None) => &self.registrar,
            _ => self.authority()?,
        };
        self.put_signed(&self.sign(payload, key)).await
    }

    /// Puts a transaction on the chain that an authority signed, here or elsewhere.
    pub async fn put_signed(
        &self,
        transaction: &Transaction,
    ) -> Result<Confirmation, AdministerError> {
        let kind = transaction.body.payload.kind();
        let bytes = transaction.to_bytes();
        let (got, most) = (bytes.len(), self.client.genesis().transaction_bytes_max());
        if got > most {
            return Err(AdministerError::TooLarge { got, most });
        }
        let submitted = self.client.submit(bytes.clone()).await;
        let submitted = self.doubt_refusal(&bytes, submitted).await;
        let submitted = submitted.inspect_err(|error| log_refusal(kind, error))?;
        let id = submitted.transaction_id;
        // The one that took it may keep it to itself.
        let (client, offered) = (self.client.clone(), [bytes.clone()]);
        tokio::spawn(async move { client.offer_to_all(&offered).await });
        let confirmation = self.confirmed(id, &bytes).await?;
        tracing::info!(kind, %id, height = confirmation.height, "administrative transaction confirmed");
        // The caller's next read shows what it changed.
        let height = confirmation.height;
        self.elections.executed_for_administrator(height).await;
        Ok(confirmation)
    }

    /// Waits until a transaction is on the chain, or the proven chain refuses it too.
    async fn confirmed(&self, id: Hash, bytes: &[u8]) -> Result<Confirmation, AdministerError> {
        let until = Instant::now() + ADMIN_WAIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.client.wait_for_confirmation(id, left).await {
                Ok(confirmation) => return Ok(confirmation),
                Err(WaitError::Timeout(_)) => return Err(AdministerError::NotConfirmed(id)),
                Err(WaitError::Rejected { code, reason })
                    if code != RefusalCode::AlreadyIncluded
                        && self.chain_refuses(bytes, code).await =>
                {
                    return Err(AdministerError::Rejected { code, reason });
                }
                // One validator's word: it stays on its way.
                Err(WaitError::Rejected { .. }) => {}
            }
        }
    }
}

fn log_refusal(kind: &str, error: &SubmitError) {
    tracing::warn!(kind, %error, "administrative transaction not taken");
}
