//! What every request sees: the parts of the backend.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::http::HeaderValue;
use ipnet::IpNet;
use tabella_client::{Client, HealthReport};
use tabella_follower::Follower;
use tabella_http_server::{Queue, Server, SharedRun};
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{OpenBallots, Payload, SigningKey, Transaction, TransactionBody};

use crate::{
    auth::{AdminToken, Passwords, Tokens},
    ballot_order::BallotOrder,
    client_address::ClientAddress,
    closing::Closings,
    config::Registration,
    elections::Elections,
    electorate::Electorate,
    events::Events,
    level::Levels,
    limits::Limits,
    lines::Lines,
    live::LiveCounts,
    local_ledger::LocalLedger,
    pending::Pending,
    places::Places,
    problem::Problem,
    proven,
    reconciliation::Reconciliation,
    store::Store,
    verifications::Verifications,
};

/// How many heights ahead a transaction expires: far enough to outlast any backlog, near enough
/// that a lost one can be signed again.
const EXPIRY_HEIGHTS: u64 = 20_000;

/// The backend.
pub(crate) struct App {
    pub(crate) client: Client,
    /// The chain, proven and executed here.
    pub(crate) follower: Follower,
    pub(crate) store: Store,
    pub(crate) pending: Arc<Pending>,
    pub(crate) local: LocalLedger,
    pub(crate) reconciliation: Reconciliation,
    pub(crate) elections: Elections,
    pub(crate) electorate: Electorate,
    pub(crate) closings: Closings,
    pub(crate) ballot_order: BallotOrder,
    pub(crate) live: LiveCounts,
    pub(crate) events: Events,
    pub(crate) levels: Levels,
    pub(crate) lines: Lines,
    pub(crate) limits: Limits,
    /// The server that this backend's routes are reached through.
    pub(crate) server: Server,
    /// Turns of those who read blocks.
    pub(crate) block_reads: Queue,
    /// Turns of those who read many.
    pub(crate) long_reads: Queue,
    /// Exports and whole boards under way.
    pub(crate) streams: Places,
    pub(crate) verifications: Verifications,
    /// The validators' status, looked at now.
    pub(crate) refreshed: SharedRun<HealthReport>,
    /// Where what is too large for memory may stand for a while.
    pub(crate) spool_directory: PathBuf,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) cors_origins: Vec<HeaderValue>,
    pub(crate) registrar: SigningKey,
    pub(crate) authority: Option<SigningKey>,
    pub(crate) admin_token: AdminToken,
    pub(crate) tokens: Tokens,
    pub(crate) passwords: Passwords,
    pub(crate) registration: Registration,
    pub(crate) open_ballots: OpenBallots,
    pub(crate) confirmation_wait: Duration,
    pub(crate) access_token_s: u64,
    pub(crate) refresh_token_s: u64,
}

impl App {
    /// The newest verified height; 0 before the first block is seen.
    pub(crate) fn height(&self) -> u64 {
        self.client.tip().borrow().map_or(0, |tip| tip.height)
    }

    /// Reads little of the proven chain, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        proven::read(&self.follower, read).await
    }

    /// As [`read`](Self::read) where blocks are read, when the turn of this address comes: no ballot waits
    /// behind it, and no other address for long.
    pub(crate) async fn read_blocks<T: Send + 'static>(
        &self,
        address: ClientAddress,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        proven::read_in_turn(&self.follower, &self.block_reads, address, read).await
    }

    /// As [`read_blocks`](Self::read_blocks) where many are read.
    pub(crate) async fn read_much<T: Send + 'static>(
        &self,
        address: ClientAddress,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        proven::read_in_turn(&self.follower, &self.long_reads, address, read).await
    }

    /// Signs what `key` asks of the chain, to be included soon.
    pub(crate) fn sign(&self, payload: Payload, key: &SigningKey) -> Transaction {
        Transaction::sign(self.body(payload), key)
    }

    /// As [`sign`](Self::sign), with a number of the voter's own choice in it, and the ballot's place
    /// in the voter's order.
    pub(crate) fn sign_ballot(
        &self,
        payload: Payload,
        nonce: Option<u64>,
        sequence: Option<u64>,
    ) -> Transaction {
        let mut body = self.body(payload);
        body.nonce = nonce.unwrap_or(body.nonce);
        body.sequence = sequence;
        Transaction::sign(body, &self.registrar)
    }

    fn body(&self, payload: Payload) -> TransactionBody {
        let genesis = self.client.genesis();
        let expiry = self.height() + EXPIRY_HEIGHTS.min(genesis.expiry_heights_max / 2).max(1);
        TransactionBody::new(genesis.chain_id, expiry, payload)
    }
}
