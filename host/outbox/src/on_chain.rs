//! A voter's ballot on the chain, looked up there: the database may know nothing of it after it was
//! restored from an older copy, or where another backend carried it.

use std::sync::Arc;

use tabella_client::ValidatorEndpoint;
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{BoardEntry, Hash, Payload, Revote, Transaction, VoterId};

use crate::{
    chain_read::{LookError, ReadError},
    lines::short,
    outbox::Outbox,
    pending::{Landed, Settled},
    store::{Confirmed, ConfirmedSubmission, StoreError},
};

/// A ballot on the proven chain.
struct Found {
    transaction_id: Hash,
    index: u32,
    height: u64,
    block_hash: Hash,
    confirmed_at_ms: u64,
    signatures: usize,
}

/// The ballot that counts for a voter.
pub(crate) struct StandingBallot {
    pub(crate) transaction_id: Hash,
    /// What the election does with a second ballot.
    pub(crate) revote: Revote,
}

impl Outbox {
    /// Settles a submission whose transaction stands on the proven chain. Returns whether it does;
    /// nothing where that cannot be told yet, because the chain goes on further than it is proven here.
    pub(crate) async fn settle_if_on_chain(
        &self,
        transaction_id: &Hash,
        expiry_height: u64,
    ) -> Option<bool> {
        let id = *transaction_id;
        // Before the look: what is executed in between is found.
        let (proven, knows_head) = (self.follower.tip().height, self.knows_head());
        match self.read(move |ledger| found(ledger, &id)).await {
            Ok(Some(found)) => {
                let landed = self.landed(transaction_id)?;
                let validator = landed.accepted_by.clone();
                let settled = self.settle_found(landed, found, validator).await;
                settled.ok().map(|_| true)
            }
            Ok(None) if knows_head || proven >= expiry_height => Some(false),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!(%error, transaction_id = %short(transaction_id), "the proven chain cannot be read");
                None
            }
        }
    }

    /// Settles a submission that the chain refuses because it holds the voter's ballot: confirmed where
    /// it is this very ballot, cast before the database was restored or through another backend.
    /// Returns how it ended; nothing where the chain holds another ballot.
    pub(crate) async fn settle_as_on_chain(
        &self,
        transaction_id: &Hash,
        transaction: &Transaction,
    ) -> Result<Option<Settled>, LookError> {
        let Payload::CastBallot {
            election_id,
            voter,
            ballots,
        } = &transaction.body.payload
        else {
            return Ok(None);
        };
        let found = self.ballot_on_chain(*election_id, voter, ballots).await?;
        let (Some(found), Some(landed)) = (found, self.landed(transaction_id)) else {
            return Ok(None);
        };
        tracing::info!(
            %voter,
            election_id,
            transaction_id = %short(&found.transaction_id),
            "a vote that was cast again stands on the chain already"
        );
        Ok(Some(self.settle_found(landed, found, None).await?))
    }

    /// The ballot on the proven chain that counts for the voter of a transaction, if there is one.
    pub(crate) async fn standing_of(
        &self,
        transaction: &Transaction,
    ) -> Result<Option<StandingBallot>, ReadError> {
        let Payload::CastBallot {
            election_id, voter, ..
        } = transaction.body.payload
        else {
            return Ok(None);
        };
        self.read(move |ledger| {
            let (Some(election), Some(record)) = (
                ledger.election(election_id),
                ledger.ballot_of(election_id, &voter)?,
            ) else {
                return Ok(None);
            };
            Ok(Some(StandingBallot {
                transaction_id: record.entry.transaction_id,
                revote: election.spec().revote,
            }))
        })
        .await
    }

    fn landed(&self, transaction_id: &Hash) -> Option<Landed> {
        let landed = self.pending.landed(std::slice::from_ref(transaction_id));
        landed.into_iter().next().map(|(_, landed)| landed)
    }

    /// Writes down that a submission is confirmed, and tells who waits.
    async fn settle_found(
        &self,
        landed: Landed,
        found: Found,
        validator: Option<Arc<ValidatorEndpoint>>,
    ) -> Result<Settled, StoreError> {
        let confirmed = Confirmed {
            mark: None,
            height: found.height,
            block_hash: found.block_hash,
            confirmed_at_ms: found.confirmed_at_ms,
            signatures: u32::try_from(found.signatures).unwrap_or(u32::MAX),
            submissions: vec![ConfirmedSubmission {
                sequence: landed.sequence,
                transaction_id: found.transaction_id,
                index: found.index,
                validator: validator.as_ref().map(|v| v.node_id.clone()),
            }],
            transaction_ids: Vec::new(),
        };
        self.store.confirm(confirmed.clone()).await?;
        self.listener.confirmed(&confirmed);
        let settled = Settled::Confirmed {
            transaction_id: found.transaction_id,
            height: found.height,
            block_hash: found.block_hash,
            validator,
        };
        self.pending.settle(landed.sequence, &settled);
        Ok(settled)
    }

    /// Where the proven chain holds exactly this ballot as the voter's standing one; nothing where it
    /// holds another one, or none.
    async fn ballot_on_chain(
        &self,
        election_id: u64,
        voter: &VoterId,
        ballots: &[Vec<u8>],
    ) -> Result<Option<Found>, ReadError> {
        self.elections.catch_up().await;
        let (voter, ballot_hash) = (*voter, BoardEntry::ballot_hash(ballots));
        self.read(move |ledger| {
            let Some(record) = ledger.ballot_of(election_id, &voter)? else {
                return Ok(None);
            };
            if record.entry.ballot_hash != ballot_hash {
                return Ok(None);
            }
            found(ledger, &record.entry.transaction_id)
        })
        .await
    }
}

/// Where a transaction stands on the chain.
fn found(ledger: &Ledger, transaction_id: &Hash) -> Result<Option<Found>, LedgerError> {
    let Some((height, index)) = ledger.place_of(transaction_id)? else {
        return Ok(None);
    };
    let Some(stored) = ledger.block(height)? else {
        return Ok(None);
    };
    Ok(Some(Found {
        transaction_id: *transaction_id,
        index,
        height,
        block_hash: stored.hash,
        confirmed_at_ms: stored.block.header.timestamp_ms,
        signatures: ledger.signers(height)?,
    }))
}
