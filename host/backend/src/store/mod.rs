//! The backend's database: what is acknowledged is in here first.
//!
//! One writer thread commits whatever has queued up in one durable transaction (group commit), so
//! that the price of an fsync is shared by all who wait for it. Readers read committed state only.

mod accounts;
mod handle;
mod record;
mod tables;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Database, ReadableDatabase, ReadableTable};
use tabella_protocol::{Hash, VoterId, codec, rpc::ElectionView};
use tokio::sync::{mpsc, oneshot};

pub(crate) use accounts::{Account, Rotation, Session};
use handle::{Handle, Opener};
pub(crate) use record::{Mark, NewSubmission, Recorded, State, Submission};
use writer::Write;

use crate::pending::{Durable, Pending};

/// Writes waiting for the writer; past it, submissions are refused with 503.
const QUEUE_MAX: usize = 16_384;
/// The database's cache, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database engine failed.
    #[error("the database cannot be opened: {0}")]
    Engine(#[from] redb::Error),
    /// Written by another version of the software.
    #[error(
        "the database has layout {got:?}, expected {expected:?}; use the version that wrote it"
    )]
    Version {
        /// This version's.
        expected: Vec<u8>,
        /// The file's.
        got: Vec<u8>,
    },
    /// A stored value does not read back.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
}

impl OpenError {
    /// Whether another process has it open.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Engine(redb::Error::DatabaseAlreadyOpen))
    }
}

/// Why a read or write failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database failed: {0}")]
    Failed(String),
    #[error("more than {QUEUE_MAX} writes are waiting")]
    Overloaded,
}

impl StoreError {
    pub(crate) fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The database.
#[derive(Clone)]
pub(crate) struct Store {
    database: Handle,
    writes: mpsc::Sender<Write>,
    healthy: Arc<AtomicBool>,
}

impl Store {
    /// Opens or creates the database file.
    pub(crate) fn open(path: &Path, pending: Arc<Pending>) -> Result<Self, OpenError> {
        let again = path.to_owned();
        // Made at the first start only: a file that is gone later is no reason to begin anew.
        let database = builder().create(path).map_err(redb::Error::from)?;
        let opener = Box::new(move || builder().open(&again).map_err(redb::Error::from));
        Self::start(database, opener, pending)
    }

    /// Opens a database over other storage, for tests of failing ones; `backend` gives it each time
    /// that it is opened.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only tests bring their own storage")
    )]
    pub(crate) fn open_backend<B: redb::StorageBackend>(
        backend: impl Fn() -> B + Send + 'static,
        pending: Arc<Pending>,
    ) -> Result<Self, OpenError> {
        let opener: Opener = Box::new(move || {
            let database = builder().create_with_backend(backend());
            database.map_err(redb::Error::from)
        });
        Self::start(opener()?, opener, pending)
    }

    fn start(database: Database, opener: Opener, pending: Arc<Pending>) -> Result<Self, OpenError> {
        prepare(&database)?;
        let next_sequence = load_open(&database, &pending)?;
        let database = Handle::new(database);
        let healthy = Arc::new(AtomicBool::new(true));
        let (writes, queue) = mpsc::channel(QUEUE_MAX);
        let writer = writer::Writer {
            database: database.clone(),
            opener,
            tried: None,
            pending,
            healthy: healthy.clone(),
            next_sequence,
        };
        std::thread::Builder::new()
            .name("database-writer".into())
            .spawn(move || writer.run(queue))
            .map_err(redb::Error::Io)?;
        Ok(Self {
            database,
            writes,
            healthy,
        })
    }

    /// Whether the last write succeeded.
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Makes a submission durable, unless its id or its voter stand against it.
    pub(crate) async fn record(&self, submission: NewSubmission) -> Result<Recorded, StoreError> {
        self.write(|reply| Write::Record { submission, reply })
            .await
    }

    /// Records confirmations of one block and that the chain was followed up to it.
    pub(crate) async fn confirm(&self, confirmed: Confirmed) -> Result<(), StoreError> {
        // Never refused for lack of room: what the chain decided must be written down.
        let (reply, answer) = oneshot::channel();
        let write = Write::Confirm { confirmed, reply };
        self.writes.send(write).await.map_err(StoreError::of)?;
        answer.await.map_err(StoreError::of)?
    }

    /// Records that the chain refused a submission.
    pub(crate) async fn reject(
        &self,
        sequence: u64,
        code: String,
        reason: String,
        rejected_at_ms: u64,
    ) -> Result<(), StoreError> {
        let state = State::Rejected {
            code,
            reason,
            rejected_at_ms,
        };
        self.write(|reply| Write::Reject {
            sequence,
            state,
            reply,
        })
        .await
    }

    /// Replaces the transaction of a submission whose old one can no longer land.
    pub(crate) async fn sign_again(
        &self,
        sequence: u64,
        transaction_id: Hash,
        transaction: Vec<u8>,
        expiry_height: u64,
    ) -> Result<(), StoreError> {
        self.write(|reply| Write::SignAgain {
            sequence,
            transaction_id,
            transaction,
            expiry_height,
            reply,
        })
        .await
    }

    /// Stops the writer once everything queued is written; later writes fail.
    pub(crate) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        // Already stopped is as good.
        if self.writes.send(Write::Stop { reply }).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Keeps an election's view for the time when no validator answers.
    pub(crate) async fn keep_election(&self, view: &ElectionView) -> Result<(), StoreError> {
        let json = serde_json::to_vec(view).map_err(StoreError::of)?;
        let election_id = view.election_id;
        self.write(|reply| Write::Election {
            election_id,
            json,
            reply,
        })
        .await
    }

    async fn write<T>(
        &self,
        write: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Write,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.writes
            .try_send(write(reply))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => StoreError::of("the writer has stopped"),
            })?;
        answer.await.map_err(StoreError::of)?
    }

    /// The submission under a client's or the chain's id.
    pub(crate) fn submission(&self, id: &str) -> Result<Option<Submission>, StoreError> {
        let read = self.database.begin_read()?;
        let by_client = read
            .open_table(tables::CLIENT_IDS)
            .map_err(StoreError::of)?;
        let mut sequence = by_client
            .get(id)
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        if sequence.is_none()
            && let Ok(hash) = id.parse::<Hash>()
        {
            let by_hash = read
                .open_table(tables::TRANSACTIONS)
                .map_err(StoreError::of)?;
            sequence = by_hash
                .get(&hash.0)
                .map_err(StoreError::of)?
                .map(|sequence| sequence.value());
        }
        match sequence {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    /// The submission with this sequence.
    pub(crate) fn by_sequence(&self, sequence: u64) -> Result<Option<Submission>, StoreError> {
        let read = self.database.begin_read()?;
        let submissions = read
            .open_table(tables::SUBMISSIONS)
            .map_err(StoreError::of)?;
        let found = submissions.get(sequence).map_err(StoreError::of)?;
        found
            .map(|bytes| Submission::from_bytes(bytes.value()))
            .transpose()
            .map_err(StoreError::of)
    }

    /// A voter's standing ballot in an election.
    pub(crate) fn ballot_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<Submission>, StoreError> {
        let read = self.database.begin_read()?;
        let voters = read.open_table(tables::VOTERS).map_err(StoreError::of)?;
        let sequence = voters
            .get((election_id, &voter.0))
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        match sequence {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    /// Where following the chain stopped.
    pub(crate) fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = self.database.begin_read()?;
        let meta = read.open_table(tables::META).map_err(StoreError::of)?;
        let mark = meta.get(tables::META_MARK).map_err(StoreError::of)?;
        mark.map(|bytes| codec::decode(bytes.value(), 64))
            .transpose()
            .map_err(StoreError::of)
    }

    /// The elections last seen on the chain.
    pub(crate) fn elections(&self) -> Result<Vec<ElectionView>, StoreError> {
        let read = self.database.begin_read()?;
        let elections = read.open_table(tables::ELECTIONS).map_err(StoreError::of)?;
        let mut views = Vec::new();
        for row in elections.iter().map_err(StoreError::of)? {
            let (_, json) = row.map_err(StoreError::of)?;
            views.push(serde_json::from_slice(json.value()).map_err(StoreError::of)?);
        }
        Ok(views)
    }
}

/// A block's confirmations, to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Confirmed {
    /// The block; `None` where a confirmation was proven outside the order of blocks.
    pub(crate) mark: Option<Mark>,
    pub(crate) height: u64,
    pub(crate) block_hash: Hash,
    pub(crate) confirmed_at_ms: u64,
    pub(crate) signatures: u32,
    pub(crate) submissions: Vec<ConfirmedSubmission>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct ConfirmedSubmission {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) index: u32,
    pub(crate) validator: Option<String>,
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

fn prepare(database: &Database) -> Result<(), OpenError> {
    let write = database.begin_write().map_err(redb::Error::from)?;
    tables::create(&write).map_err(redb::Error::from)?;
    {
        let mut meta = write.open_table(tables::META).map_err(redb::Error::from)?;
        let version = meta
            .get(tables::META_VERSION)
            .map_err(redb::Error::from)?
            .map(|version| version.value().to_vec());
        match version {
            None => {
                meta.insert(tables::META_VERSION, tables::VERSION)
                    .map_err(redb::Error::from)?;
            }
            Some(version) if version == tables::VERSION => {}
            Some(got) => {
                return Err(OpenError::Version {
                    expected: tables::VERSION.to_vec(),
                    got,
                });
            }
        }
    }
    write.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// Puts every open submission back among those to be carried to the chain; answers the next
/// sequence.
fn load_open(database: &Database, pending: &Pending) -> Result<u64, OpenError> {
    let read = database.begin_read().map_err(redb::Error::from)?;
    let open = read.open_table(tables::OPEN).map_err(redb::Error::from)?;
    let submissions = read
        .open_table(tables::SUBMISSIONS)
        .map_err(redb::Error::from)?;
    for row in open.iter().map_err(redb::Error::from)? {
        let sequence = row.map_err(redb::Error::from)?.0.value();
        let Some(bytes) = submissions.get(sequence).map_err(redb::Error::from)? else {
            return Err(OpenError::Corrupt(format!(
                "submission {sequence} is missing"
            )));
        };
        let corrupt = |error: &dyn std::fmt::Display| {
            OpenError::Corrupt(format!("submission {sequence}: {error}"))
        };
        let submission = Submission::from_bytes(bytes.value()).map_err(|error| corrupt(&error))?;
        let transaction = tabella_protocol::Transaction::from_bytes(&submission.transaction)
            .map_err(|error| corrupt(&error))?;
        pending.insert(Durable {
            sequence,
            transaction_id: submission.transaction_id,
            expiry_height: transaction.body.expiry_height,
            election_id: submission.election_id,
            voter: submission.voter,
        });
    }
    tables::next_sequence(&submissions).map_err(|error| OpenError::Engine(error.into()))
}
