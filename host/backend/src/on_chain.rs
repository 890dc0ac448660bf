//! A voter's ballot on the chain, looked up there: the database may know nothing of it after it was
//! restored from an older copy, or where another backend carried it.

use tabella_protocol::{BoardEntry, Hash, Payload, Transaction, VoterId};

use crate::{
    app::App,
    pending::Settled,
    problem::Problem,
    store::{Confirmed, ConfirmedSubmission},
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

impl App {
    /// Settles a submission that the chain refuses because it holds the voter's ballot: confirmed where
    /// it is this very ballot, cast before the database was restored or through another backend.
    /// Returns how it ended; nothing where the chain holds another ballot.
    pub(crate) async fn settle_as_on_chain(
        &self,
        transaction_id: &Hash,
        transaction: &Transaction,
    ) -> Result<Option<Settled>, Problem> {
        let Payload::CastBallot {
            election_id,
            voter,
            ballots,
        } = &transaction.body.payload
        else {
            return Ok(None);
        };
        let found = self.ballot_on_chain(*election_id, voter, ballots).await?;
        let Some(confirmation) = found else {
            return Ok(None);
        };
        let landed = self.pending.landed(std::slice::from_ref(transaction_id));
        let Some((_, landed)) = landed.into_iter().next() else {
            return Ok(None);
        };
        let confirmed = Confirmed {
            mark: None,
            height: confirmation.height,
            block_hash: confirmation.block_hash,
            confirmed_at_ms: confirmation.confirmed_at_ms,
            signatures: u32::try_from(confirmation.signatures).unwrap_or(u32::MAX),
            submissions: vec![ConfirmedSubmission {
                sequence: landed.sequence,
                transaction_id: confirmation.transaction_id,
                index: confirmation.index,
                validator: None,
            }],
            transaction_ids: Vec::new(),
        };
        self.store.confirm(confirmed.clone()).await?;
        self.events.confirmed(&confirmed);
        tracing::info!(
            %voter,
            election_id,
            transaction_id = %confirmation.transaction_id,
            "a vote that was cast again stands on the chain already"
        );
        let settled = Settled::Confirmed {
            height: confirmation.height,
            block_hash: confirmation.block_hash,
            validator: None,
        };
        self.pending.settle(landed.sequence, &settled);
        Ok(Some(settled))
    }

    /// Where the proven chain holds exactly this ballot as the voter's standing one; nothing where it
    /// holds another one, or none.
    async fn ballot_on_chain(
        &self,
        election_id: u64,
        voter: &VoterId,
        ballots: &[Vec<u8>],
    ) -> Result<Option<Found>, Problem> {
        self.elections.catch_up().await;
        let (voter, ballot_hash) = (*voter, BoardEntry::ballot_hash(ballots));
        self.read(move |ledger| {
            let Some(record) = ledger.ballot_of(election_id, &voter)? else {
                return Ok(None);
            };
            if record.entry.ballot_hash != ballot_hash {
                return Ok(None);
            }
            let transaction_id = record.entry.transaction_id;
            let (Some((height, index)), Some(stored)) = (
                ledger.place_of(&transaction_id)?,
                ledger.block(record.height)?,
            ) else {
                return Ok(None);
            };
            Ok(Some(Found {
                transaction_id,
                index,
                height,
                block_hash: stored.hash,
                confirmed_at_ms: stored.block.header.timestamp_ms,
                signatures: ledger.signers(height)?,
            }))
        })
        .await
    }
}
