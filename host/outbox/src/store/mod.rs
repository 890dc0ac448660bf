//! The backend's database: what is acknowledged is in here first.
//!
//! One writer commits whatever has queued up in one durable transaction (group commit), so that the
//! price of an fsync is shared by all who wait for it. Readers read committed state only.
//!
//! There are two kinds behind one interface: a file of this backend alone (`file`, `writer`, `apply`, over
//! redb), and a database that several backends share (`postgres`). `identity` is whose it is.

mod accounts;
mod apply;
mod error;
mod file;
mod handle;
mod identity;
mod postgres;
mod record;
mod signing;
mod tables;
#[cfg(test)]
mod tests;
mod write;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;
use redb::Database;
use tabella_protocol::{Hash, SigningKey, Transaction, TransactionBody, VoterId};
use tokio::sync::{mpsc, oneshot};

pub use accounts::{Account, Role, Rotation, Session};
pub use error::{OpenError, StoreError};
use error::{dropped, writer_ended};
use handle::{Handle, Opener};
pub use identity::Identity;
pub(crate) use postgres::{Reach, Shared};
pub(crate) use record::{Admission, Earlier, NewSubmission, Recorded};
pub use record::{Closing, Mark, Named, State, Submission};
use signing::{Queued, Signed, ToSign};
use write::Write;

use crate::{lines::Ended, pending::Pending};

/// The database's file in the data directory, where no other database is configured.
pub const FILE: &str = "backend.redb";
/// Writes waiting for the writer; past it, submissions are refused with 503.
const QUEUE_MAX: usize = 16_384;

/// Submissions under one id that are looked at for the one of a certain election.
const NAMED_MAX: usize = 256;

/// Hears how many writes were committed in one group, and how long that took.
type OnCommit = Box<dyn Fn(usize, Duration) + Send + Sync>;

/// Where reads go.
#[derive(Clone)]
enum Reads {
    File(Handle),
    Shared(Arc<Shared>),
}

/// The database.
#[derive(Clone)]
pub struct Store {
    reads: Reads,
    writes: mpsc::Sender<Queued>,
    healthy: Arc<AtomicBool>,
}

impl Store {
    /// Opens or creates the database file, as that of the backend with this identity. `on_commit` hears how
    /// many writes were committed in one group, and how long that took.
    pub fn open(
        path: &Path,
        identity: &Identity,
        pending: Arc<Pending>,
        on_commit: impl Fn(usize, Duration) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let again = path.to_owned();
        // Made at the first start only: a file that is gone later is no reason to begin anew.
        let database = file::builder().create(path).map_err(redb::Error::from)?;
        file::prepare(&database)?;
        file::agree(&database, identity)?;
        let opener = Box::new(move || file::builder().open(&again).map_err(redb::Error::from));
        Self::start(database, opener, pending, Box::new(on_commit))
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
            let database = file::builder().create_with_backend(backend());
            database.map_err(redb::Error::from)
        });
        let database = opener()?;
        file::prepare(&database)?;
        Self::start(database, opener, pending, Box::new(|_, _| ()))
    }

    fn start(
        database: Database,
        opener: Opener,
        pending: Arc<Pending>,
        on_commit: OnCommit,
    ) -> Result<Self, OpenError> {
        let next_sequence = file::load_open(&database, &pending)?;
        let database = Handle::new(database);
        let healthy = Arc::new(AtomicBool::new(true));
        let (writes, queue) = mpsc::channel(QUEUE_MAX);
        let writer = writer::Writer {
            database: database.clone(),
            opener,
            tried: None,
            pending,
            healthy: healthy.clone(),
            on_commit,
            next_sequence,
        };
        std::thread::Builder::new()
            .name("database-writer".into())
            .spawn(move || {
                let _ended = Ended("the database");
                writer.run(queue);
            })
            .map_err(redb::Error::Io)?;
        Ok(Self {
            reads: Reads::File(database),
            writes,
            healthy,
        })
    }

    /// Connects to the database that backends share, as the one over the directory `data`.
    pub async fn connect(
        url: &str,
        data: &Path,
        identity: &Identity,
        pending: &Arc<Pending>,
        on_commit: impl Fn(usize, Duration) + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let file = data.join(FILE);
        let open = file::count_open(&file)?;
        if open > 0 {
            return Err(OpenError::Directory {
                path: file,
                reason: format!(
                    "it holds {open} acknowledged ballots that the chain does not have yet; start without `database` until they are confirmed"
                ),
            });
        }
        let healthy = Arc::new(AtomicBool::new(true));
        let (writes, queue) = mpsc::channel(QUEUE_MAX);
        let to = postgres::Opening {
            url: url.to_owned(),
            data: data.to_owned(),
            identity: identity.clone(),
            pending: pending.clone(),
            healthy: healthy.clone(),
            on_commit: Box::new(on_commit),
            queue,
        };
        let shared = to.open().boxed().await?;
        Ok(Self {
            reads: Reads::Shared(shared),
            writes,
            healthy,
        })
    }

    /// The database that backends share, where this is one.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        match &self.reads {
            Reads::File(_) => None,
            Reads::Shared(shared) => Some(shared),
        }
    }

    /// Whether the last write succeeded, and there is somebody for the next one.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.writes.is_closed() && self.healthy.load(Ordering::Relaxed)
    }

    /// Makes a submission durable, unless its id or its voter stand against it.
    pub(crate) async fn record(&self, submission: NewSubmission) -> Result<Recorded, StoreError> {
        self.write(|reply| Write::Record { submission, reply })
            .await
    }

    /// Signs a ballot with those that become durable at the same time, and makes it durable as `describe` says,
    /// unless its id or its voter stand against it.
    pub(crate) async fn sign_and_record(
        &self,
        body: TransactionBody,
        registrar: &Arc<SigningKey>,
        describe: impl FnOnce(&Transaction) -> NewSubmission + Send + 'static,
    ) -> Result<(Recorded, Transaction), StoreError> {
        let (signed, transaction) = oneshot::channel();
        let recorded = self.queue(|reply| {
            Queued::ToSign(ToSign {
                body,
                registrar: registrar.clone(),
                then: Signed {
                    describe: Box::new(describe),
                    transaction: signed,
                    reply,
                },
            })
        });
        let recorded = recorded.await?;
        Ok((recorded, transaction.await.map_err(dropped)?))
    }

    /// Records confirmations of one block and that the chain was followed up to it.
    pub(crate) async fn confirm(&self, confirmed: Confirmed) -> Result<(), StoreError> {
        // Never refused for lack of room: what the chain decided must be written down.
        let (reply, answer) = oneshot::channel();
        let write = Queued::Write(Write::Confirm { confirmed, reply });
        self.writes.send(write).await.map_err(|_| writer_ended())?;
        answer.await.map_err(dropped)?
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
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        // Already stopped is as good.
        if self.writes.send(Queued::Stop(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Marks an election as being closed, or takes the mark away. From then on none of its ballots
    /// becomes durable that was not before. One that is closed stays so.
    pub(crate) async fn mark_closing(
        &self,
        election_id: u64,
        closing: Option<Closing>,
    ) -> Result<(), StoreError> {
        self.write(|reply| Write::Closing {
            election_id,
            closing,
            reply,
        })
        .await
    }

    async fn write<T>(
        &self,
        write: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Write,
    ) -> Result<T, StoreError> {
        self.queue(|reply| Queued::Write(write(reply))).await
    }

    async fn queue<T>(
        &self,
        queued: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Queued,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.writes
            .try_send(queued(reply))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => writer_ended(),
            })?;
        answer.await.map_err(dropped)?
    }

    /// The submission that is, or was, this transaction.
    pub async fn by_transaction(&self, id: &Hash) -> Result<Option<Submission>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.by_transaction(id),
            Reads::Shared(shared) => shared.by_transaction(id).await,
        }
    }

    /// A voter's submission under the id that its client chose.
    pub async fn named(
        &self,
        voter: &VoterId,
        client_id: &str,
    ) -> Result<Option<Submission>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.named(voter, client_id),
            Reads::Shared(shared) => shared.named(voter, client_id).await,
        }
    }

    /// The submission of whichever voter of registrars under an id that its client chose.
    pub async fn named_by_registrar(
        &self,
        client_id: &str,
        election_id: Option<u64>,
    ) -> Result<Named, StoreError> {
        match &self.reads {
            Reads::File(file) => file.named_by_registrar(client_id, election_id),
            Reads::Shared(shared) => shared.named_by_registrar(client_id, election_id).await,
        }
    }

    /// What was there before accounts and registrars' voters were told apart.
    pub(crate) async fn earlier(&self) -> Result<Earlier, StoreError> {
        match &self.reads {
            Reads::File(file) => file.earlier(),
            Reads::Shared(shared) => shared.earlier().await,
        }
    }

    /// The submission with this sequence.
    pub async fn by_sequence(&self, sequence: u64) -> Result<Option<Submission>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.by_sequence(sequence),
            Reads::Shared(shared) => shared.by_sequence(sequence).await,
        }
    }

    /// A voter's standing ballot in an election.
    pub async fn ballot_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<Submission>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.ballot_of(election_id, voter),
            Reads::Shared(shared) => shared.ballot_of(election_id, voter).await,
        }
    }

    /// The highest number that a voter's ballots in an election were given over this database.
    pub(crate) async fn last_number(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<u64>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.last_number(election_id, voter),
            Reads::Shared(shared) => shared.last_number(election_id, voter).await,
        }
    }

    /// Where following the chain stopped.
    pub async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.mark(),
            Reads::Shared(shared) => shared.mark().await,
        }
    }

    /// The elections that are being closed and are not yet.
    pub(crate) async fn closings(&self) -> Result<Vec<(u64, Closing)>, StoreError> {
        let mut closings = match &self.reads {
            Reads::File(file) => file.closings(),
            Reads::Shared(shared) => shared.closings().await,
        }?;
        closings.retain(|(_, closing)| *closing != Closing::Done);
        Ok(closings)
    }

    /// The account of this name.
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.account(name),
            Reads::Shared(shared) => shared.account(name).await,
        }
    }
}

/// A block's confirmations, to be recorded.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// The block; `None` where a confirmation was proven outside the order of blocks.
    pub mark: Option<Mark>,
    /// The height of the block.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash,
    /// Its time, in Unix milliseconds.
    pub confirmed_at_ms: u64,
    /// How many validators signed it.
    pub signatures: u32,
    /// Those of this backend that stand in it.
    pub submissions: Vec<ConfirmedSubmission>,
    /// Every transaction of the block, in order: ballots that others carry, or that were given up, may
    /// be among them.
    pub transaction_ids: Vec<Hash>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct ConfirmedSubmission {
    /// Its place in the order of acceptance.
    pub sequence: u64,
    /// The transaction that stands in the block.
    pub transaction_id: Hash,
    /// Its place in the block.
    pub index: u32,
    /// The validator that took it, where that is known.
    pub validator: Option<String>,
}
