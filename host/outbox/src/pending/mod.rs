//! Submissions that are durable here and not settled on the chain: what is to be carried there.
//!
//! Where backends share a database, some are carried by another one: they are here as long as
//! somebody waits for them or a later ballot of the same voter must not overtake them.

mod entry;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tabella_client::ValidatorEndpoint;
use tabella_protocol::{Hash, VoterId};
use tokio::sync::oneshot;

pub(crate) use entry::Taken;
use entry::{Carrier, Entry, Inner};

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Confirmed {
        /// The transaction that stands in the block: another one than is waited for where the ballot was on the
        /// chain before, or landed as it was signed first.
        transaction_id: Hash,
        height: u64,
        block_hash: Hash,
        validator: Option<Arc<ValidatorEndpoint>>,
    },
    Rejected {
        code: String,
        reason: String,
    },
}

/// Where an unsettled submission is held, beside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nowhere.
    Recorded,
    /// In the local ledger.
    Local,
    /// With a validator.
    Pending,
}

/// Unsettled submissions by where they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// In the database alone.
    pub recorded: u64,
    /// In the local ledger.
    pub local: u64,
    /// With a validator.
    pub pending: u64,
}

/// Entries that are looked at for the oldest.
const OLDEST_LOOKED_AT_MAX: usize = 10_000;

/// A submission that became durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durable {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) expiry_height: u64,
    pub(crate) election_id: u64,
    pub(crate) voter: VoterId,
    /// When it was acknowledged, in milliseconds since 1970.
    pub(crate) submitted_at_ms: u64,
}

/// What a backend is to carry from now on.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) own: Vec<Durable>,
    /// What other backends carry of the same voters, and what must not be overtaken.
    pub(crate) ahead: Vec<Durable>,
}

/// Work on one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) election_id: u64,
    pub(crate) expiry_height: u64,
    pub(crate) accepted: bool,
    pub(crate) taken: Option<Taken>,
}

/// A submission that turned up in a block.
#[derive(Debug, Clone)]
pub(crate) struct Landed {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) accepted_by: Option<Arc<ValidatorEndpoint>>,
}

/// Unsettled submissions, in order of acceptance.
#[derive(Debug, Default)]
pub struct Pending {
    inner: Mutex<Inner>,
}

impl Pending {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.inner().entries.len()
    }

    /// Whether everything is settled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of an election there are.
    pub(crate) fn count_in(&self, election_id: u64) -> u64 {
        let (first, last) = (VoterId([0; 32]), VoterId([u8::MAX; 32]));
        let all = (election_id, first, 0)..=(election_id, last, u64::MAX);
        self.inner().by_voter.range(all).count() as u64
    }

    /// How many are held where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let inner = self.inner();
        let own = inner.entries.values().filter(|e| e.carrier == Carrier::Own);
        for entry in own {
            match entry.standing() {
                Standing::Recorded => counts.recorded += 1,
                Standing::Local => counts.local += 1,
                Standing::Pending => counts.pending += 1,
            }
        }
        counts
    }

    /// The oldest that this backend carries, of the first `OLDEST_LOOKED_AT_MAX` of all: its sequence, and
    /// when it was acknowledged, in milliseconds since 1970.
    pub fn oldest(&self) -> Option<(u64, u64)> {
        let inner = self.inner();
        let entries = inner.entries.iter().take(OLDEST_LOOKED_AT_MAX);
        let mut own = entries.filter(|(_, entry)| entry.carrier == Carrier::Own);
        own.next()
            .map(|(sequence, entry)| (*sequence, entry.submitted_at_ms))
    }

    /// A submission became durable, or this backend's to carry.
    pub(crate) fn insert(&self, durable: Durable) {
        self.put(durable, Carrier::Own);
    }

    /// A submission that another backend carries is waited for here.
    pub(crate) fn watch(&self, durable: Durable) {
        self.put(durable, Carrier::Elsewhere);
    }

    /// Submissions became this backend's to carry.
    pub(crate) fn carry(&self, carried: Carried) {
        // Those of others first: its own may have to wait for them.
        carried.ahead.into_iter().for_each(|d| self.watch(d));
        carried.own.into_iter().for_each(|d| self.insert(d));
    }

    fn put(&self, durable: Durable, carrier: Carrier) {
        let Durable {
            sequence,
            transaction_id,
            expiry_height,
            election_id,
            voter,
            submitted_at_ms,
        } = durable;
        let mut inner = self.inner();
        // Known already where the database was opened again; it may have been signed again meanwhile.
        inner.replace(sequence, transaction_id, expiry_height);
        if let Some(entry) = inner.entries.get_mut(&sequence) {
            entry.carrier = carrier;
            return;
        }
        inner.by_transaction.insert(transaction_id, sequence);
        inner.by_voter.insert((election_id, voter, sequence));
        let entry = Entry {
            transaction_id,
            expiry_height,
            election_id,
            voter,
            submitted_at_ms,
            carrier,
            is_local: false,
            accepted_by: None,
            taken: None,
            touched: Some(Instant::now()),
            waiters: Vec::new(),
        };
        inner.entries.insert(sequence, entry);
    }

    /// Another backend carries it, as far as is known.
    pub(crate) fn disown(&self, sequence: u64) {
        if let Some(entry) = self.inner().entries.get_mut(&sequence) {
            entry.carrier = Carrier::Elsewhere;
        }
    }

    /// Marks every entry as carried elsewhere, until its ownership is read again.
    pub(crate) fn disown_all(&self) {
        for entry in self.inner().entries.values_mut() {
            entry.carrier = Carrier::Elsewhere;
        }
    }

    /// Whether another backend carries it.
    pub(crate) fn is_elsewhere(&self, transaction_id: &Hash) -> bool {
        let inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id);
        let entry = sequence.and_then(|sequence| inner.entries.get(sequence));
        entry.is_some_and(|entry| entry.carrier == Carrier::Elsewhere)
    }

    /// Up to `count_max` submissions that others carry, from sequence `from` on, and where to go on:
    /// 0 at the end. Those are forgotten that have been here for longer than `patience` and that
    /// nobody waits for any more.
    pub(crate) fn elsewhere(
        &self,
        from: u64,
        patience: Duration,
        count_max: usize,
    ) -> (Vec<u64>, u64) {
        let mut inner = self.inner();
        let mut forgotten = Vec::new();
        let mut found = Vec::new();
        let mut next = 0;
        let others = inner.entries.range(from..);
        for (sequence, entry) in others.filter(|(_, e)| e.carrier == Carrier::Elsewhere) {
            if found.len() == count_max {
                next = *sequence;
                break;
            }
            let voter = (entry.election_id, entry.voter);
            let of_voter = (voter.0, voter.1, 0)..=(voter.0, voter.1, u64::MAX);
            let is_alone = inner.by_voter.range(of_voter).nth(1).is_none();
            let is_old = entry.touched.is_none_or(|at| at.elapsed() > patience);
            let is_awaited = entry.waiters.iter().any(|waiter| !waiter.is_closed());
            if is_alone && is_old && !is_awaited {
                forgotten.push(*sequence);
            } else {
                found.push(*sequence);
            }
        }
        for sequence in forgotten {
            inner.remove(sequence);
        }
        (found, next)
    }

    /// A submission was signed again.
    pub(crate) fn replace(&self, sequence: u64, transaction_id: Hash, expiry_height: u64) {
        self.inner()
            .replace(sequence, transaction_id, expiry_height);
    }

    /// A validator took it when the chain had this height.
    pub(crate) fn accepted(&self, transaction_id: &Hash, by: Arc<ValidatorEndpoint>, height: u64) {
        self.change(transaction_id, |entry| {
            entry.accepted_by = Some(by);
            // A retry at another validator does not reset its age.
            entry.taken.get_or_insert(Taken::now(height));
            entry.touched = Some(Instant::now());
        });
    }

    /// Whether a validator has held a submission for longer than `patience`.
    pub(crate) fn is_held_longer_than(&self, patience: Duration) -> bool {
        let inner = self.inner();
        let oldest = inner.held.first();
        oldest.is_some_and(|(at, _)| at.elapsed() >= patience)
    }

    /// The validator that took it has it no more.
    pub(crate) fn lost(&self, transaction_id: &Hash) {
        self.change(transaction_id, |entry| {
            entry.accepted_by = None;
            entry.touched = Some(Instant::now());
        });
    }

    /// Every validator was offered it when the chain had this height.
    pub(crate) fn offered(&self, transaction_id: &Hash, height: u64) {
        self.change(transaction_id, |entry| {
            entry.taken = Some(Taken::now(height));
        });
    }

    fn change(&self, transaction_id: &Hash, change: impl FnOnce(&mut Entry)) {
        let mut inner = self.inner();
        if let Some(sequence) = inner.by_transaction.get(transaction_id).copied() {
            inner.change(sequence, change);
        }
    }

    /// The local ledger holds it.
    pub(crate) fn kept_locally(&self, transaction_id: &Hash) {
        self.change(transaction_id, |entry| entry.is_local = true);
    }

    /// After a restart: no request carries any of them, and `holds` tells which of them the local
    /// ledger holds.
    pub fn restarted(&self, holds: impl Fn(&Hash) -> bool) {
        for entry in self.inner().entries.values_mut() {
            entry.touched = None;
            entry.is_local = holds(&entry.transaction_id);
        }
    }

    /// Where it is held; nothing if it is settled.
    pub fn standing(&self, transaction_id: &Hash) -> Option<Standing> {
        let inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id)?;
        inner.entries.get(sequence).map(Entry::standing)
    }

    /// The end of an earlier submission of the same voter, where there is one: what was cast later
    /// goes out after it.
    pub(crate) fn wait_turn(&self, transaction_id: &Hash) -> Option<oneshot::Receiver<Settled>> {
        let mut inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id).copied()?;
        let ahead = inner.ahead_of(sequence)?;
        inner.entries.get_mut(&ahead).map(Entry::wait)
    }

    /// Its end, when it comes; nothing if it is settled already.
    pub(crate) fn wait(&self, transaction_id: &Hash) -> Option<oneshot::Receiver<Settled>> {
        let mut inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id).copied()?;
        inner.entries.get_mut(&sequence).map(Entry::wait)
    }

    /// Those of `ids` that are ours, with their places in the list.
    pub(crate) fn landed(&self, ids: &[Hash]) -> Vec<(usize, Landed)> {
        let inner = self.inner();
        if inner.entries.is_empty() {
            return Vec::new();
        }
        ids.iter()
            .enumerate()
            .filter_map(|(index, id)| {
                let sequence = *inner.by_transaction.get(id)?;
                let entry = inner.entries.get(&sequence)?;
                let landed = Landed {
                    sequence,
                    transaction_id: *id,
                    accepted_by: entry.accepted_by.clone(),
                };
                Some((index, landed))
            })
            .collect()
    }

    /// Its end is durable: tells who waits.
    pub(crate) fn settle(&self, sequence: u64, settled: &Settled) {
        let Some(entry) = self.inner().remove(sequence) else {
            return;
        };
        for waiter in entry.waiters {
            // Who waited may have gone.
            let _ = waiter.send(settled.clone());
        }
    }

    /// Up to `count_max` submissions, in order from sequence `from` on, of which nothing was heard
    /// for some time; at most `scan_max` are looked at. Also answers where to go on: 0 at the end.
    pub(crate) fn due(
        &self,
        from: u64,
        patience: Patience,
        count_max: usize,
        scan_max: usize,
    ) -> (Vec<Due>, u64) {
        let mut inner = self.inner();
        let Inner {
            entries, by_voter, ..
        } = &mut *inner;
        let mut due = Vec::new();
        let mut next = 0;
        for (scanned, (sequence, entry)) in entries.range_mut(from..).enumerate() {
            if due.len() == count_max || scanned == scan_max {
                next = *sequence;
                break;
            }
            let accepted = entry.accepted_by.is_some();
            let patience = if accepted {
                patience.accepted
            } else {
                patience.unaccepted
            };
            let (election_id, voter) = (entry.election_id, entry.voter);
            let mut own = by_voter.range((election_id, voter, 0)..=(election_id, voter, *sequence));
            let is_first = own.next().is_none_or(|(.., first)| first == sequence);
            let is_due = entry
                .touched
                .is_none_or(|touched| touched.elapsed() >= patience);
            if is_first && is_due && entry.carrier == Carrier::Own {
                entry.touched = Some(Instant::now());
                due.push(Due {
                    sequence: *sequence,
                    transaction_id: entry.transaction_id,
                    election_id,
                    expiry_height: entry.expiry_height,
                    accepted,
                    taken: entry.taken,
                });
            }
        }
        (due, next)
    }
}

/// How long a submission is left alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// When a validator has it.
    pub(crate) accepted: Duration,
    /// When none has.
    pub(crate) unaccepted: Duration,
}

#[cfg(test)]
mod tests;
