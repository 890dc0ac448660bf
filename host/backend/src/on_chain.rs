//! A voter's ballot on the chain, looked up there: the database may know nothing of it after it was
//! restored from an older copy, or where another backend carried it.

use std::collections::HashMap;

use tabella_client::{Confirmation, ConfirmationStatus, QueryError};
use tabella_protocol::{Block, BoardEntry, Hash, Payload, Transaction, VoterId, codec};

use crate::{
    app::App,
    clock,
    pending::Settled,
    store::{Confirmed, ConfirmedSubmission, StoreError},
};

/// Entries of a board that are asked for at once.
const PAGE: u64 = 1_000;
/// Boards whose voters are remembered.
const BOARDS_MAX: usize = 16;
/// Entries of one board that are looked at; on a larger one nothing is looked up.
const ENTRIES_MAX: u64 = 2_000_000;

/// Why it is not known what the chain holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// Validators did not tell.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The database did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the voters of one board have their standing ballots, as far as it was read.
#[derive(Debug, Default)]
struct Board {
    read: u64,
    by_voter: HashMap<VoterId, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    transaction_id: Hash,
    ballot_hash: Hash,
    height: u64,
}

/// The boards that were read so far.
#[derive(Debug, Default)]
pub(crate) struct OnChain {
    boards: tokio::sync::Mutex<HashMap<u64, Board>>,
}

impl App {
    /// Settles a submission that the chain refuses because it holds the voter's ballot: confirmed where
    /// it is this very ballot, cast before the database was restored or through another backend.
    /// Returns how it ended; nothing where the chain holds another ballot.
    pub(crate) async fn settle_as_on_chain(
        &self,
        transaction_id: &Hash,
        transaction: &Transaction,
    ) -> Result<Option<Settled>, LookupError> {
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
            // What was read may have been a lie, or old: the next lookup reads it again.
            self.on_chain.boards.lock().await.remove(election_id);
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
            confirmed_at_ms: clock::unix_ms(confirmation.timestamp),
            signatures: u32::try_from(confirmation.signatures).unwrap_or(u32::MAX),
            submissions: vec![ConfirmedSubmission {
                sequence: landed.sequence,
                transaction_id: confirmation.transaction_id,
                index: u32::try_from(confirmation.index).unwrap_or(u32::MAX),
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

    /// Where the chain holds exactly this ballot as the voter's standing one, proven by the block;
    /// nothing where it holds another one, or none.
    async fn ballot_on_chain(
        &self,
        election_id: u64,
        voter: &VoterId,
        ballots: &[Vec<u8>],
    ) -> Result<Option<Confirmation>, QueryError> {
        let Some(place) = self.place_on_chain(election_id, voter).await? else {
            return Ok(None);
        };
        if place.ballot_hash != BoardEntry::ballot_hash(ballots) {
            return Ok(None);
        }
        // So far that is a validator's word.
        let Some(view) = self.client.block(place.height).await? else {
            return Ok(None);
        };
        let is_it = holds(&view.block, self.block_bytes_max(), |transaction| {
            let Payload::CastBallot {
                election_id: of,
                voter: by,
                ballots: cast,
            } = &transaction.body.payload
            else {
                return false;
            };
            transaction.id() == place.transaction_id
                && *of == election_id
                && by == voter
                && cast == ballots
        });
        if !is_it {
            return Ok(None);
        }
        let status = self.client.confirmation_status(place.transaction_id);
        Ok(match status.await? {
            ConfirmationStatus::Confirmed(confirmation) => Some(confirmation),
            _ => None,
        })
    }

    fn block_bytes_max(&self) -> usize {
        usize::try_from(self.client.genesis().block_bytes_max).unwrap_or(usize::MAX)
    }

    /// A voter's standing entry, by validators' word. A crowd reads the board once.
    async fn place_on_chain(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<Place>, QueryError> {
        let mut boards = self.on_chain.boards.lock().await;
        if boards.len() >= BOARDS_MAX && !boards.contains_key(&election_id) {
            boards.clear();
        }
        let board = boards.entry(election_id).or_default();
        loop {
            let page = self.client.board(election_id, board.read, PAGE).await?;
            let is_over = page.items.is_empty() || page.board.size > ENTRIES_MAX;
            for item in page.items {
                if item.entry.position != board.read {
                    // Nothing of it can be relied on.
                    return Ok(None);
                }
                board.read += 1;
                let place = Place {
                    transaction_id: item.entry.transaction_id,
                    ballot_hash: item.entry.ballot_hash,
                    height: item.height,
                };
                board.by_voter.insert(item.entry.voter, place);
            }
            if is_over || board.read >= page.board.size {
                return Ok(board.by_voter.get(voter).copied());
            }
        }
    }
}

/// Whether a block's body, as a validator sent it, holds such a transaction.
fn holds(block: &str, bytes_max: usize, is_it: impl Fn(&Transaction) -> bool) -> bool {
    let Ok(bytes) = hex::decode(block.trim_start_matches("0x")) else {
        return false;
    };
    let Ok(block) = codec::decode::<Block>(&bytes, bytes_max) else {
        return false;
    };
    let mut transactions = block.transactions.iter();
    transactions.any(|bytes| Transaction::from_bytes(bytes).is_ok_and(|t| is_it(&t)))
}
