//! What became of the ballots in the local ledger: counted from the ledger and the database, so
//! that a restart forgets nothing.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tabella_protocol::Hash;

use crate::{
    local_ledger::LocalLedger,
    pending::Pending,
    store::{State, Store, StoreError, Submission},
};

/// Conflicts listed, the newest; all are counted, and the export has them all.
const CONFLICTS_MAX: usize = 1_000;

/// An acknowledged ballot that the chain refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The id to show.
    pub transaction_id: String,
    /// The election.
    pub election_id: u64,
    /// The stable code of the refusal.
    pub code: String,
    /// Why, for people.
    pub reason: String,
    /// When that was recorded, in Unix milliseconds.
    pub rejected_at_ms: u64,
}

/// The ballots of the local ledger by what became of them.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// On the chain.
    pub confirmed: u64,
    /// Refused by the chain.
    pub rejected: u64,
    /// On their way.
    pub unsettled: u64,
    /// The newest that were refused, the newest last.
    pub conflicts: VecDeque<Conflict>,
}

/// Why there is no whole account of the local ledger.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Ballots in a block of the ledger are not known.
    #[error("block {height} of the local ledger cannot be read: {reason}")]
    Unreadable {
        /// The block.
        height: u64,
        /// Why.
        reason: String,
    },
}

/// A block whose ballots are not known.
pub(crate) struct Unread {
    pub(crate) reason: String,
    /// The elections that it has ballots of; nothing where it may be any.
    pub(crate) elections: Option<Vec<u64>>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// The local height up to which ballots were looked at.
    pub(crate) height: u64,
    /// Those that were open when last looked at.
    pub(crate) open: BTreeSet<Hash>,
    /// Blocks that could not be read, by height.
    pub(crate) unread: BTreeMap<u64, Unread>,
    settled: Settled,
}

impl Inner {
    pub(crate) fn take(&mut self, id: Hash, submission: Option<Submission>) {
        let Some(submission) = submission else {
            self.open.insert(id);
            return;
        };
        let public_id = submission.public_id();
        match submission.state {
            State::Open => {
                self.open.insert(id);
            }
            State::Confirmed { .. } => {
                self.settled.confirmed += 1;
                self.open.remove(&id);
            }
            State::Rejected {
                code,
                reason,
                rejected_at_ms,
            } => {
                self.settled.rejected += 1;
                self.open.remove(&id);
                let conflicts = &mut self.settled.conflicts;
                if conflicts.len() >= CONFLICTS_MAX {
                    conflicts.pop_front();
                }
                conflicts.push_back(Conflict {
                    transaction_id: public_id,
                    election_id: submission.election_id,
                    code,
                    reason,
                    rejected_at_ms,
                });
            }
        }
    }
}

/// A running account of the local ledger.
pub struct Reconciliation {
    pub(crate) local: LocalLedger,
    pub(crate) store: Store,
    pub(crate) pending: Arc<Pending>,
    inner: Mutex<Inner>,
    /// Held by the one who looks.
    pub(crate) looking: tokio::sync::Mutex<()>,
    /// Whether the whole ledger was looked at since the start.
    pub(crate) has_looked: AtomicBool,
}

impl Reconciliation {
    pub(crate) fn new(local: LocalLedger, store: Store, pending: Arc<Pending>) -> Self {
        Self {
            local,
            store,
            pending,
            inner: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            has_looked: AtomicBool::default(),
        }
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the ballots, as of the last look.
    pub fn settled(&self) -> Settled {
        let inner = self.inner();
        Settled {
            unsettled: inner.open.len() as u64,
            ..inner.settled.clone()
        }
    }

    /// Whether the ledger may hold ballots of an election that the database lacks: it was not looked through since the
    /// start, or a block of it cannot be read.
    pub(crate) fn may_lack(&self, election_id: u64) -> bool {
        let is_in = |unread: &Unread| {
            let elections = unread.elections.as_ref();
            elections.is_none_or(|elections| elections.contains(&election_id))
        };
        !self.has_looked.load(Ordering::Relaxed) || self.inner().unread.values().any(is_in)
    }

    /// Whether a block of the ledger cannot be read.
    pub fn is_damaged(&self) -> bool {
        !self.inner().unread.is_empty()
    }
}
