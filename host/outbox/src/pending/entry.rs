//! What is known of the unsettled submissions, and the indexes by which they are found.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_client::ValidatorEndpoint;
use tabella_protocol::{Hash, VoterId};
use tokio::sync::oneshot;

use super::{Settled, Standing};

/// Who carries a submission to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// This backend.
    Own,
    /// Another one over the same database.
    Elsewhere,
}

/// One unsettled submission.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) transaction_id: Hash,
    pub(super) expiry_height: u64,
    pub(super) election_id: u64,
    pub(super) voter: VoterId,
    pub(super) submitted_at_ms: u64,
    pub(super) carrier: Carrier,
    pub(super) accepted_by: Option<Arc<ValidatorEndpoint>>,
    pub(super) taken: Option<Taken>,
    pub(super) is_local: bool,
    /// When something was last done about it; never since a restart.
    pub(super) touched: Option<Instant>,
    pub(super) waiters: Vec<oneshot::Sender<Settled>>,
}

/// When a validator first took a submission, or all of them were last offered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    at: Instant,
    height: u64,
}

impl Taken {
    pub(super) fn now(height: u64) -> Self {
        Self {
            at: Instant::now(),
            height,
        }
    }

    /// Whether it is that long ago, though the chain has gone on.
    pub(crate) fn is_overdue(self, height: u64, patience: Duration) -> bool {
        height > self.height && self.at.elapsed() >= patience
    }
}

impl Entry {
    pub(super) fn wait(&mut self) -> oneshot::Receiver<Settled> {
        self.waiters.retain(|waiter| !waiter.is_closed());
        let (sender, receiver) = oneshot::channel();
        self.waiters.push(sender);
        receiver
    }

    /// Since when a validator holds it, where one does.
    fn held_since(&self) -> Option<Instant> {
        self.accepted_by
            .as_ref()
            .and(self.taken)
            .map(|taken| taken.at)
    }

    pub(super) fn standing(&self) -> Standing {
        match (&self.accepted_by, self.is_local) {
            (Some(_), _) => Standing::Pending,
            (None, true) => Standing::Local,
            (None, false) => Standing::Recorded,
        }
    }
}

/// Every unsettled submission, found by transaction, voter and age.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) by_transaction: HashMap<Hash, u64>,
    pub(super) entries: BTreeMap<u64, Entry>,
    /// Each voter's submissions by election, in order: where a later ballot replaces an earlier
    /// one, it must not overtake it.
    pub(super) by_voter: BTreeSet<(u64, VoterId, u64)>,
    /// Those that a validator holds, by when one first took them.
    pub(super) held: BTreeSet<(Instant, u64)>,
}

impl Inner {
    /// The submission of the same voter that must settle before this one goes out.
    pub(super) fn ahead_of(&self, sequence: u64) -> Option<u64> {
        let entry = self.entries.get(&sequence)?;
        let (election_id, voter) = (entry.election_id, entry.voter);
        let before = (election_id, voter, 0)..(election_id, voter, sequence);
        self.by_voter.range(before).next().map(|(.., first)| *first)
    }

    pub(super) fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(&sequence) else {
            return;
        };
        let before = entry.held_since();
        change(entry);
        let after = entry.held_since();
        if before != after {
            before.map(|at| self.held.remove(&(at, sequence)));
            self.held.extend(after.map(|at| (at, sequence)));
        }
    }

    pub(super) fn replace(&mut self, sequence: u64, transaction_id: Hash, expiry_height: u64) {
        let Some(entry) = self.entries.get(&sequence) else {
            return;
        };
        let old = entry.transaction_id;
        if old == transaction_id {
            return;
        }
        self.change(sequence, |entry| {
            entry.transaction_id = transaction_id;
            entry.expiry_height = expiry_height;
            entry.accepted_by = None;
            entry.taken = None;
        });
        self.by_transaction.remove(&old);
        self.by_transaction.insert(transaction_id, sequence);
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Entry> {
        let entry = self.entries.remove(&sequence)?;
        self.by_transaction.remove(&entry.transaction_id);
        entry
            .held_since()
            .map(|at| self.held.remove(&(at, sequence)));
        self.by_voter
            .remove(&(entry.election_id, entry.voter, sequence));
        Some(entry)
    }
}
