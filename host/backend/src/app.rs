//! What every request sees: the parts of the backend.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::HeaderValue;
use ipnet::IpNet;
use tabella_client::{Client, Confirmation, HealthReport, SubmitError, WaitError};
use tabella_follower::Follower;
use tabella_http_server::{Busy, Queue, QueueBounds, Server, SharedRun};
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{
    Hash, OpenBallots, Payload, SigningKey, Transaction, TransactionBody,
    rpc::{PluginView, RefusalCode},
};

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
    reconciliation::Reconciliation,
    store::Store,
    verifications::Verifications,
};

/// How long an administrator's transaction is waited for.
pub(crate) const ADMIN_WAIT: Duration = Duration::from_secs(15);
/// Reads of blocks, pages of boards and rules for an answer: each has a thread, and may hold some MiB.
pub(crate) const BLOCK_READS: QueueBounds = QueueBounds {
    running_max: 4,
    waiting_max: 1_024,
    waiting_per_address_max: 128,
    wait_max: Duration::from_secs(10),
};
/// Parts of exports and of whole boards: each has a thread, and may hold a block. Those that wait are bounded
/// by the streams.
pub(crate) const LONG_READS: QueueBounds = QueueBounds {
    running_max: 2,
    waiting_max: 1_024,
    waiting_per_address_max: 1_024,
    wait_max: Duration::from_secs(60),
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
        let ledger = Arc::clone(self.follower.ledger());
        let reading = tokio::task::spawn_blocking(move || read(&ledger));
        let read = reading.await.map_err(|error| Problem::internal(&error))?;
        read.map_err(|error| Problem::internal(&error))
    }

    /// As [`read`](Self::read) where blocks are read, when the turn of this address comes: no ballot waits
    /// behind it, and no other address for long.
    pub(crate) async fn read_blocks<T: Send + 'static>(
        &self,
        address: ClientAddress,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.read_in_turn(&self.block_reads, address, read).await
    }

    /// As [`read_blocks`](Self::read_blocks) where many are read.
    pub(crate) async fn read_much<T: Send + 'static>(
        &self,
        address: ClientAddress,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.read_in_turn(&self.long_reads, address, read).await
    }

    async fn read_in_turn<T: Send + 'static>(
        &self,
        queue: &Queue,
        address: ClientAddress,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = queue.turn(address.in_line()).await;
        let turn = turn.map_err(|Busy| Problem::too_many_reads())?;
        self.read(move |ledger| {
            let read = read(ledger);
            // Kept until the work is done, whoever still waits for it.
            drop(turn);
            read
        })
        .await
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

    /// Puts an administrator's transaction on the chain, for a route.
    pub(crate) async fn administer(&self, payload: Payload) -> Result<Confirmation, Problem> {
        self.put_on_chain(payload).await.map_err(Problem::from)
    }

    /// The key that administers.
    pub(crate) fn authority(&self) -> Result<&SigningKey, AdministerError> {
        let authority = self.authority.as_ref();
        authority.ok_or(AdministerError::NoAuthorityKey)
    }

    /// Puts an administrator's transaction on the chain.
    pub(crate) async fn put_on_chain(
        &self,
        payload: Payload,
    ) -> Result<Confirmation, AdministerError> {
        // An authority's word is not needed where the registrar's is enough.
        let key = match (&payload, &self.authority) {
            (Payload::ExtendRoll { .. }, None) => &self.registrar,
            _ => self.authority()?,
        };
        self.put_signed(&self.sign(payload, key)).await
    }

    /// Puts a transaction on the chain that an authority signed, here or elsewhere.
    pub(crate) async fn put_signed(
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

/// Why an administrator's transaction is not on the chain.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdministerError {
    /// This backend holds no key that may administer.
    #[error(
        "this backend holds no authority key; sign where it is, with `tabella election --authority`"
    )]
    NoAuthorityKey,
    /// No block of this network can hold it.
    #[error("expected a transaction of at most {most} bytes, which a block can hold, got {got}")]
    TooLarge { got: usize, most: usize },
    /// No validator took it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A validator took it; it may be confirmed later.
    #[error("the validators took the transaction but have not confirmed it yet")]
    NotConfirmed(Hash),
    /// A validator took it, and it did not hold when its turn came.
    #[error("{reason}")]
    Rejected { code: RefusalCode, reason: String },
}

impl AdministerError {
    /// The chain's reason for refusing it.
    pub(crate) fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Submit(SubmitError::Refused(refusal)) => Some(refusal.code),
            Self::Rejected { code, .. } => Some(*code),
            _ => None,
        }
    }
}

fn log_refusal(kind: &str, error: &SubmitError) {
    tracing::warn!(kind, %error, "administrative transaction not taken");
}

/// Returns every rule that is on the chain, by hash.
pub(crate) fn published(ledger: &Ledger) -> Result<Vec<PluginView>, LedgerError> {
    let plugins = ledger.plugins().into_iter();
    let views = plugins.map(|(hash, _)| ledger.plugin_view(&hash, false));
    views.filter_map(Result::transpose).collect()
}
