//! The backend's own signed ledger: what it acknowledged while no validator took ballots.
//!
//! It is a chain of its own over the same ledger that validators run, with the backend's key as its
//! only validator. Its genesis names the network, has the network's authorities and limits, and
//! lets expiry heights alone, which are the network's. Its blocks hold the very transactions that
//! shaped elections on the network (so that rules, rolls and election ids are the same), and the
//! very ballots that are submitted to the network later. Blocks are signed, chained and synced to
//! disk before anybody is answered.
//!
//! - `files`: the key and the genesis; `writer`: the one thread that makes blocks; `mirror`: keeps
//!   elections in step with the network; `export`: the whole ledger for auditors.

mod export;
mod files;
mod mirror;
mod writer;

use std::{
    path::PathBuf,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::lines::Ended;
use tabella_ledger::{BallotRecord, Election, Ledger, LedgerError, Refusal};
use tabella_protocol::{Genesis, Hash, PublicKey, SigningKey, VoterId};
use tokio::sync::{mpsc, oneshot};

pub use export::{LedgerLine, NotOpenError, export, is_local_genesis_of};
pub(crate) use mirror::mirror;
use writer::{Work, Writer};

/// Work waiting for the writer; past it, ballots go to the database alone.
const QUEUE_MAX: usize = 16_384;

/// Why a ballot is not in the local ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AppendError {
    /// The ledger's rules refuse it.
    #[error("refused as {}: {}", .0.code.as_str(), .0.message)]
    Refused(Refusal),
    /// The ledger does not take anything now.
    #[error("{0}")]
    Failed(String),
}

/// An open ledger with the key that signs its blocks.
struct Opened {
    ledger: Ledger,
    key: SigningKey,
    /// The network's height up to which elections were taken over.
    mirrored_height: AtomicU64,
}

/// The ledger, or why it is not open, in a sentence for auditors: errors go to the log.
type State = Result<Arc<Opened>, String>;

struct Shared {
    directory: PathBuf,
    network: Genesis,
    state: RwLock<State>,
}

impl Shared {
    fn opened(&self) -> State {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// What the ledger holds and how it is.
#[derive(Debug, Clone)]
pub struct LedgerView {
    /// `healthy` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    pub reason: Option<String>,
    /// The newest block.
    pub height: u64,
    /// The newest block: who kept its hash can tell whether history was rewritten.
    pub block_hash: Option<Hash>,
    /// Signs the blocks.
    pub public_key: Option<PublicKey>,
    /// The ledger's own genesis.
    pub genesis: Option<Hash>,
    /// Ballots in it, settled ones included.
    pub ballots: u64,
    /// Elections that were taken over from the network.
    pub elections: usize,
    /// The network's height up to which they were.
    pub mirrored_height: u64,
}

impl LedgerView {
    /// Whether it takes ballots.
    pub fn is_healthy(&self) -> bool {
        self.reason.is_none()
    }
}

/// The local ledger. It fails by itself: whoever uses it falls back to the database.
#[derive(Clone)]
pub struct LocalLedger {
    shared: Arc<Shared>,
    work: mpsc::Sender<Work>,
}

impl LocalLedger {
    /// Opens or creates the ledger in `directory`; where that fails, it is tried again later.
    pub fn start(directory: PathBuf, network: Genesis) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            directory,
            network,
            state: RwLock::new(Err("not open yet".to_owned())),
        });
        let (work, queue) = mpsc::channel(QUEUE_MAX);
        let mut writer = Writer::new(shared.clone());
        writer.open();
        std::thread::Builder::new()
            .name("local-ledger".into())
            .spawn(move || {
                let _ended = Ended("the local ledger");
                writer.run(queue);
            })?;
        Ok(Self { shared, work })
    }

    /// Appends a ballot; durable when it returns. One that is there already is as good.
    pub(crate) async fn append(&self, transaction: Vec<u8>) -> Result<(), AppendError> {
        self.send(|reply| Work::Append { transaction, reply })
            .await?
    }

    /// Takes over what shaped elections in the network's blocks, up to a height.
    async fn take_over(
        &self,
        blocks: Vec<Vec<Vec<u8>>>,
        to_height: u64,
    ) -> Result<(), AppendError> {
        self.send(|reply| Work::TakeOver {
            blocks,
            to_height,
            reply,
        })
        .await?
    }

    /// Opens the ledger again if it has failed.
    async fn revive(&self) -> Result<(), AppendError> {
        self.send(|reply| Work::Revive { reply }).await
    }

    async fn send<T>(
        &self,
        work: impl FnOnce(oneshot::Sender<T>) -> Work,
    ) -> Result<T, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.work
            .try_send(work(reply))
            .map_err(|error| AppendError::Failed(format!("the writer: {error}")))?;
        answer
            .await
            .map_err(|_| AppendError::Failed("the writer has stopped".to_owned()))
    }

    /// Stops the writer once everything queued is written.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.work.send(Work::Stop { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// An election as it is here.
    pub(crate) fn election(&self, election_id: u64) -> Option<Arc<Election>> {
        self.shared.opened().ok()?.ledger.election(election_id)
    }

    /// Every election as it is here.
    pub(crate) fn elections(&self) -> Vec<Arc<Election>> {
        let opened = self.shared.opened();
        opened.map_or_else(|_| Vec::new(), |opened| opened.ledger.elections())
    }

    /// Whether this transaction is in the ledger.
    pub fn holds(&self, transaction_id: &Hash) -> bool {
        let opened = self.shared.opened();
        opened.is_ok_and(|o| matches!(o.ledger.place_of(transaction_id), Ok(Some(_))))
    }

    /// A voter's ballot here.
    pub(crate) fn ballot_of(&self, election_id: u64, voter: &VoterId) -> Option<BallotRecord> {
        let opened = self.shared.opened().ok()?;
        opened.ledger.ballot_of(election_id, voter).ok().flatten()
    }

    /// Whether a voter stands on the roll of an election that was taken over from the network.
    pub(crate) fn is_on_roll(&self, election_id: u64, voter: &VoterId) -> bool {
        let opened = self.shared.opened();
        opened.is_ok_and(|o| matches!(o.ledger.weight_of(election_id, voter), Ok(Some(_))))
    }

    /// The time of the block at a height, in Unix milliseconds, and its transactions; nothing past the
    /// newest. An error where the ledger is not open.
    pub(crate) fn block(
        &self,
        height: u64,
    ) -> Result<Option<(u64, Vec<tabella_protocol::Transaction>)>, LedgerError> {
        let opened = self.shared.opened().map_err(LedgerError::Storage)?;
        let stored = opened.ledger.whole_block(height)?;
        if stored.is_none() && height <= opened.ledger.tip().height {
            return Err(LedgerError::Corrupt("it is missing".to_owned()));
        }
        let decoded = stored.map(|(stored, _)| {
            let transactions = stored.block.transactions.iter();
            let transactions = transactions
                .map(|bytes| tabella_protocol::Transaction::from_bytes(bytes))
                .collect::<Result<Vec<_>, _>>();
            transactions.map(|transactions| (stored.block.header.timestamp_ms, transactions))
        });
        decoded
            .transpose()
            .map_err(|error| LedgerError::Corrupt(error.to_string()))
    }

    /// The elections with ballots in a block that cannot be read; nothing where that is not known either.
    pub(crate) fn elections_of_block(&self, height: u64) -> Option<Vec<u64>> {
        let opened = self.shared.opened().ok()?;
        // Of a block that is missing, what stood beside it may be, too.
        opened.ledger.block_part(height, 0, 0).ok()??;
        opened.ledger.boards_of_block(height).ok()
    }

    /// The network's height up to which elections were taken over; nothing while it is closed.
    fn mirrored_height(&self) -> Option<u64> {
        let opened = self.shared.opened().ok()?;
        Some(opened.mirrored_height.load(Ordering::Relaxed))
    }

    /// Whether it takes ballots.
    pub(crate) fn is_open(&self) -> bool {
        !self.work.is_closed() && self.shared.opened().is_ok()
    }

    /// What it holds and how it is.
    pub fn view(&self) -> LedgerView {
        let opened = match self.work.is_closed() {
            false => self.shared.opened(),
            true => Err("its writer has ended; restart the backend".to_owned()),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                return LedgerView {
                    status: "failed",
                    reason: Some(reason),
                    height: 0,
                    block_hash: None,
                    public_key: None,
                    genesis: None,
                    ballots: 0,
                    elections: 0,
                    mirrored_height: 0,
                };
            }
        };
        let tip = opened.ledger.tip();
        let elections = opened.ledger.elections();
        LedgerView {
            status: "healthy",
            reason: None,
            height: tip.height,
            block_hash: Some(tip.block_hash),
            public_key: Some(opened.key.public()),
            genesis: Some(opened.ledger.genesis_hash()),
            ballots: elections.iter().map(|e| e.board().size).sum(),
            elections: elections.len(),
            mirrored_height: opened.mirrored_height.load(Ordering::Relaxed),
        }
    }
}
