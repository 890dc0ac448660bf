//! What became of the ballots in the local ledger: counted from the ledger and the database, so
//! that a restart forgets nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::Serialize;
use tabella_protocol::Hash;

use crate::{
    clock,
    store::{State, Submission},
};

/// Conflicts listed, the newest; all are counted, and the export has them all.
const CONFLICTS_MAX: usize = 1_000;

/// An acknowledged ballot that the chain refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Conflict {
    transaction_id: String,
    election_id: u64,
    code: String,
    reason: String,
    rejected_at: String,
}

/// The ballots of the local ledger by what became of them.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Settled {
    pub(crate) confirmed: u64,
    pub(crate) rejected: u64,
    pub(crate) unsettled: u64,
    pub(crate) conflicts: VecDeque<Conflict>,
}

#[derive(Default)]
pub(crate) struct Inner {
    /// The local height up to which ballots were looked at.
    pub(crate) height: u64,
    /// Those that were open when last looked at.
    pub(crate) open: BTreeSet<Hash>,
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
                    rejected_at: clock::rfc3339(rejected_at_ms),
                });
            }
        }
    }
}

/// A running account of the local ledger.
#[derive(Default)]
pub(crate) struct Reconciliation {
    inner: Mutex<Inner>,
    /// Held by the one who looks.
    pub(crate) looking: tokio::sync::Mutex<()>,
    /// Whether the whole ledger was looked at since the start.
    pub(crate) has_looked: AtomicBool,
}

impl Reconciliation {
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the ballots, as of the last look.
    pub(crate) fn settled(&self) -> Settled {
        let inner = self.inner();
        Settled {
            unsettled: inner.open.len() as u64,
            ..inner.settled.clone()
        }
    }

    /// Whether the whole ledger was looked at since the start, so that the database has what it holds.
    pub(crate) fn has_looked(&self) -> bool {
        self.has_looked.load(Ordering::Relaxed)
    }
}
