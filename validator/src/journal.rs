//! The durable side of the mempool: what clients were told is accepted survives a crash.
//!
//! One thread writes, many transactions to a commit; whoever waits is answered when its
//! transaction is on disk.

use std::{path::Path, sync::Arc, thread::JoinHandle, time::Instant};

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use tabella_protocol::Hash;
use tokio::sync::{mpsc, oneshot};

use crate::{metrics::Timing, stop::Stop};

/// `transaction id -> (order of arrival, canonical bytes)`.
const WAITING: TableDefinition<'_, [u8; 32], (u64, &[u8])> = TableDefinition::new("waiting");

/// Most writes queued; past that, submissions wait.
const QUEUE_MAX: usize = 1_024;
/// Most writes in one commit.
const COMMIT_MAX: usize = 4_096;
/// Most writes that forget held back for the next commit.
const FORGET_MAX: usize = 256;
const CACHE_BYTES: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
#[error("mempool journal: {0}")]
pub(crate) struct JournalError(String);

fn error(error: impl std::fmt::Display) -> JournalError {
    JournalError(error.to_string())
}

/// A change of what the journal holds.
pub(crate) enum Change {
    /// Transactions to hold, in order of arrival.
    Insert(Vec<(Hash, Arc<[u8]>)>),
    /// Transactions to forget.
    Remove(Vec<Hash>),
}

impl Change {
    fn inserts(&self) -> bool {
        matches!(self, Self::Insert(transactions) if !transactions.is_empty())
    }
}

/// The journal's database.
pub(crate) struct JournalStore {
    database: Database,
    /// The next transaction's place in the order of arrival.
    next: u64,
}

struct Write {
    change: Change,
    durable: Option<oneshot::Sender<()>>,
}

/// The journal's front: hands writes to its thread.
pub(crate) struct Journal {
    writes: Option<mpsc::Sender<Write>>,
    thread: Option<JoinHandle<()>>,
    /// How long each commit took.
    pub(crate) commit_time: Arc<Timing>,
}

impl Journal {
    /// Opens the journal; returns the transactions it holds, in order of arrival.
    pub(crate) fn open(path: &Path, stop: Stop) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        let (store, held) = JournalStore::open(path)?;
        Ok((Self::start(store, stop)?, held))
    }

    fn start(mut store: JournalStore, stop: Stop) -> Result<Self, JournalError> {
        let (writes, queue) = mpsc::channel(QUEUE_MAX);
        let commit_time = Arc::new(Timing::default());
        let timing = Arc::clone(&commit_time);
        let thread = std::thread::Builder::new()
            .name("mempool-journal".into())
            .spawn(move || {
                if let Err(failure) = write_all(&mut store, queue, &timing) {
                    stop.fail(failure);
                }
            })
            .map_err(error)?;
        Ok(Self {
            writes: Some(writes),
            thread: Some(thread),
            commit_time,
        })
    }

    /// Stores transactions; returns when they are on disk, or `false` when the node is stopping.
    #[must_use = "what is not durable must not be acknowledged"]
    pub(crate) async fn insert(&self, transactions: Vec<(Hash, Arc<[u8]>)>) -> bool {
        let (durable, written) = oneshot::channel();
        let Some(writes) = &self.writes else {
            return false;
        };
        writes
            .send(Write {
                change: Change::Insert(transactions),
                durable: Some(durable),
            })
            .await
            .is_ok()
            && written.await.is_ok()
    }

    /// Forgets transactions, some time: one that is not forgotten is recognised at the next start.
    pub(crate) async fn remove(&self, ids: Vec<Hash>) {
        if !ids.is_empty()
            && let Some(writes) = &self.writes
        {
            // Failing means that the node is stopping.
            let write = Write {
                change: Change::Remove(ids),
                durable: None,
            };
            let _ = writes.send(write).await;
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.writes = None;
        if let Some(thread) = self.thread.take() {
            // It ends with the queue; a panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

impl JournalStore {
    /// Opens the database; returns the transactions it holds, in order of arrival.
    fn open(path: &Path) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        Self::load(builder().create(path).map_err(error)?)
    }

    /// Opens the database in a storage of the caller's.
    #[cfg(test)]
    pub(crate) fn open_on(
        storage: impl redb::StorageBackend,
    ) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        Self::load(builder().create_with_backend(storage).map_err(error)?)
    }

    fn load(database: Database) -> Result<(Self, Vec<Vec<u8>>), JournalError> {
        let transaction = database.begin_write().map_err(error)?;
        transaction.open_table(WAITING).map_err(error)?;
        transaction.commit().map_err(error)?;
        let table = database
            .begin_read()
            .map_err(error)?
            .open_table(WAITING)
            .map_err(error)?;
        let mut held = Vec::new();
        for item in table.iter().map_err(error)? {
            let (_, value) = item.map_err(error)?;
            let (sequence, bytes) = value.value();
            held.push((sequence, bytes.to_vec()));
        }
        held.sort_unstable_by_key(|(sequence, _)| *sequence);
        let next = held.last().map_or(0, |(sequence, _)| sequence + 1);
        let held = held.into_iter().map(|(_, bytes)| bytes).collect();
        Ok((Self { database, next }, held))
    }

    /// Makes changes, in order and all or none; they are durable when this returns.
    pub(crate) fn apply(
        &mut self,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<(), JournalError> {
        let transaction = self.database.begin_write().map_err(error)?;
        {
            let mut table = transaction.open_table(WAITING).map_err(error)?;
            for change in changes {
                match change {
                    Change::Insert(transactions) => {
                        for (id, bytes) in transactions {
                            table.insert(id.0, (self.next, &*bytes)).map_err(error)?;
                            self.next += 1;
                        }
                    }
                    Change::Remove(ids) => {
                        for id in ids {
                            table.remove(id.0).map_err(error)?;
                        }
                    }
                }
            }
        }
        transaction.commit().map_err(error)
    }
}

fn write_all(
    store: &mut JournalStore,
    mut queue: mpsc::Receiver<Write>,
    commit_time: &Timing,
) -> Result<(), JournalError> {
    let (mut batch, mut changes) = (Vec::new(), Vec::new());
    while queue.blocking_recv_many(&mut batch, COMMIT_MAX) > 0 {
        let mut answers = Vec::new();
        for write in batch.drain(..) {
            answers.extend(write.durable);
            changes.push(write.change);
        }
        // Nobody waits for what is forgotten: it goes with the next commit that somebody waits for.
        // An answer to nothing new needs no commit either: what it repeats is on disk.
        if changes.iter().any(Change::inserts) || changes.len() >= FORGET_MAX {
            let started = Instant::now();
            store.apply(changes.drain(..))?;
            commit_time.observe(started.elapsed());
        }
        for durable in answers {
            // Whoever asked may have gone; the transaction stays.
            let _ = durable.send(());
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    store.apply(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::disk::{Disk, Honesty};

    #[tokio::test]
    async fn what_was_answered_is_there_again_in_order_and_what_was_removed_is_not() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("mempool.redb");
        let (journal, held) = Journal::open(&path, Stop::default()).unwrap();
        assert!(held.is_empty());
        let transaction = |n: u8| (Hash([n; 32]), Arc::from([n].as_slice()));
        assert!(journal.insert(vec![transaction(9), transaction(3)]).await);
        assert!(journal.insert(vec![transaction(5)]).await);
        // As a crash would leave it: a copy taken while the journal is open.
        let copy = directory.path().join("copy.redb");
        std::fs::copy(&path, &copy).unwrap();
        let (_crashed, held) = Journal::open(&copy, Stop::default()).unwrap();
        assert_eq!(held, [vec![9], vec![3], vec![5]]);
        journal.remove(vec![Hash([3; 32])]).await;
        drop(journal);
        let (_journal, held) = Journal::open(&path, Stop::default()).unwrap();
        assert_eq!(held, [vec![9], vec![5]]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_takes_no_commit_of_its_own() {
        let disk = Disk::new(Honesty::Honest);
        let (store, _) = JournalStore::open_on(disk.file("mempool.redb")).unwrap();
        let stop = Stop::default();
        let journal = Journal::start(store, stop.clone()).unwrap();
        let transaction = |n: u8| (Hash([n; 32]), Arc::from([n].as_slice()));
        assert!(journal.insert(vec![transaction(1)]).await);
        disk.die_after(1);
        journal.remove(vec![Hash([1; 32])]).await;
        assert!(journal.insert(vec![]).await, "what it repeats is on disk");
        assert!(!stop.is_stopping());
    }

    #[tokio::test]
    async fn a_disk_that_fails_stops_the_node_and_acknowledges_nothing() {
        let disk = Disk::new(Honesty::Honest);
        let (store, _) = JournalStore::open_on(disk.file("mempool.redb")).unwrap();
        let stop = Stop::default();
        let journal = Journal::start(store, stop.clone()).unwrap();
        let transaction = |n: u8| (Hash([n; 32]), Arc::from([n].as_slice()));
        assert!(journal.insert(vec![transaction(1)]).await);
        disk.die_after(1);
        assert!(!journal.insert(vec![transaction(2)]).await);
        stop.stopped().await;
        let failure = stop.failure().unwrap();
        assert!(failure.starts_with("mempool journal: "), "{failure}");
    }
}
