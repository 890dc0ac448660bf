//! Ballots that their voters signed themselves.

use tabella_client::Client;
use tabella_protocol::{Payload, PublicKey, Signature, Transaction, TransactionBody};

/// Why a voter's signature is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No block from now on could hold the transaction.
    #[error("expected an expiry_height from {first} to {last}, got {got}")]
    Expiry {
        /// The lowest height that is taken.
        first: u64,
        /// The highest.
        last: u64,
        /// The one that was signed.
        got: u64,
    },
    /// The signature is of something else, or of somebody else.
    #[error("the credential did not sign the transaction that casts this ballot")]
    Signature,
}

/// What a voter's key signed: the transaction that casts exactly this ballot.
pub struct Credential {
    /// The voter, as the roll has it.
    pub key: PublicKey,
    /// Of the whole transaction.
    pub signature: Signature,
    /// Makes the transaction another than one of the same ballot.
    pub nonce: u64,
    /// The ballot's place in the voter's own order, where it has one.
    pub sequence: Option<u64>,
    /// The last height that may hold it.
    pub expiry_height: u64,
}

impl Credential {
    /// Refuses what no block from now on could hold.
    pub(crate) fn require_in_time(&self, client: &Client) -> Result<(), CredentialError> {
        let height = client.tip().borrow().map_or(0, |tip| tip.height);
        let last = height.saturating_add(client.genesis().expiry_heights_max);
        if self.expiry_height <= height || self.expiry_height > last {
            return Err(CredentialError::Expiry {
                first: height.saturating_add(1),
                last,
                got: self.expiry_height,
            });
        }
        Ok(())
    }

    /// The transaction that the voter signed, if that is this one.
    pub(crate) fn transaction(
        &self,
        client: &Client,
        payload: Payload,
    ) -> Result<Transaction, CredentialError> {
        let body = TransactionBody {
            chain_id: client.genesis().chain_id,
            expiry_height: self.expiry_height,
            nonce: self.nonce,
            sequence: self.sequence,
            payload,
        };
        let transaction = Transaction {
            body,
            signer: self.key,
            signature: self.signature,
            batch: None,
        };
        if !transaction.verify() {
            return Err(CredentialError::Signature);
        }
        Ok(transaction)
    }
}
