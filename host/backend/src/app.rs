//! What every request sees: the outbox, and the parts of the edge.

use std::{path::PathBuf, sync::Arc};

use axum::http::HeaderValue;
use ipnet::IpNet;
use tabella_client::{Client, HealthReport};
use tabella_follower::Follower;
use tabella_http_server::{Queue, Server, SharedRun};
use tabella_ledger::{Ledger, LedgerError};
use tabella_outbox::{
    Outbox, elections::Elections, electorate::Electorate, level::Levels, local_ledger::LocalLedger,
    pending::Pending, store::Store,
};
use tabella_protocol::OpenBallots;

use crate::{
    auth::{AdminToken, Passwords, Tokens},
    client_address::ClientAddress,
    clock,
    config::Registration,
    events::Events,
    limits::Limits,
    live::LiveCounts,
    metrics::Metrics,
    places::Places,
    problem::Problem,
    proven,
    result_lines::ResultLines,
    verifications::Verifications,
};

/// The backend.
pub(crate) struct App {
    /// Takes ballots, and carries them to the chain.
    pub(crate) outbox: Arc<Outbox>,
    // Parts of the outbox that routes read.
    pub(crate) client: Client,
    /// The chain, proven and executed here.
    pub(crate) follower: Follower,
    pub(crate) store: Store,
    pub(crate) pending: Arc<Pending>,
    pub(crate) local: LocalLedger,
    pub(crate) elections: Arc<Elections>,
    pub(crate) electorate: Arc<Electorate>,
    pub(crate) levels: Arc<Levels>,
    // The edge.
    pub(crate) live: LiveCounts,
    pub(crate) events: Arc<Events>,
    pub(crate) result_lines: Arc<ResultLines>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) metrics: Arc<Metrics>,
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
    pub(crate) admin_token: AdminToken,
    pub(crate) tokens: Tokens,
    pub(crate) passwords: Passwords,
    pub(crate) registration: Registration,
    pub(crate) open_ballots: OpenBallots,
    pub(crate) access_token_s: u64,
    pub(crate) refresh_token_s: u64,
}

impl App {
    /// The newest verified height; 0 before the first block is seen.
    pub(crate) fn height(&self) -> u64 {
        self.outbox.height()
    }

    /// How long the oldest submission that is not settled has waited, in seconds; 0 where none is.
    pub(crate) fn oldest_pending_s(&self) -> u64 {
        let oldest = self.pending.oldest();
        let waits_ms = oldest.map_or(0, |(_, submitted_at_ms)| {
            clock::now_ms().saturating_sub(submitted_at_ms)
        });
        waits_ms / 1_000
    }

    /// Reads little of the proven chain, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(tabella_outbox::read(&self.follower, read).await?)
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
}
