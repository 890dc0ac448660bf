//! Ballots that their voters signed themselves.

use axum::http::StatusCode;
use tabella_protocol::{Payload, PublicKey, Signature, Transaction, TransactionBody};

use crate::{app::App, problem::Problem};

/// What a voter's key signed: the transaction that casts exactly this ballot.
pub(crate) struct Credential {
    pub(crate) key: PublicKey,
    pub(crate) signature: Signature,
    pub(crate) nonce: u64,
    /// The ballot's place in the voter's own order, where it has one.
    pub(crate) sequence: Option<u64>,
    pub(crate) expiry_height: u64,
}

impl Credential {
    /// Refuses what no block from now on could hold.
    pub(crate) fn require_in_time(&self, app: &App) -> Result<(), Problem> {
        let height = app.height();
        let latest = height.saturating_add(app.client.genesis().expiry_heights_max);
        if self.expiry_height <= height || self.expiry_height > latest {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "expiry-out-of-range",
                format!(
                    "expected an expiry_height from {} to {latest}, got {}",
                    height.saturating_add(1),
                    self.expiry_height
                ),
            )
            .at("/expiry_height"));
        }
        Ok(())
    }

    /// The transaction that the voter signed, if that is this one.
    pub(crate) fn transaction(&self, app: &App, payload: Payload) -> Result<Transaction, Problem> {
        let body = TransactionBody {
            chain_id: app.client.genesis().chain_id,
            expiry_height: self.expiry_height,
            nonce: self.nonce,
            sequence: self.sequence,
            payload,
        };
        let transaction = Transaction {
            body,
            signer: self.key,
            signature: self.signature,
        };
        if !transaction.verify() {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad-signature",
                "the credential did not sign the transaction that casts this ballot",
            )
            .at("/signature"));
        }
        Ok(transaction)
    }
}
