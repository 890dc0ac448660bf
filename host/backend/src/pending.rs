//! Submissions that are durable here and not settled on the chain: what is to be carried there.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tabella_client::ValidatorEndpoint;
use tabella_protocol::Hash;
use tokio::sync::oneshot;

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Confirmed {
        height: u64,
        block_hash: Hash,
        validator: Option<Arc<ValidatorEndpoint>>,
    },
    Rejected {
        code: String,
        reason: String,
    },
}

#[derive(Debug)]
struct Entry {
    transaction_id: Hash,
    expiry_height: u64,
    accepted_by: Option<Arc<ValidatorEndpoint>>,
    /// When something was last done about it.
    touched: Instant,
    waiters: Vec<oneshot::Sender<Settled>>,
}

/// Work on one submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) expiry_height: u64,
    pub(crate) accepted: bool,
}

/// A submission that turned up in a block.
#[derive(Debug, Clone)]
pub(crate) struct Landed {
    pub(crate) sequence: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) accepted_by: Option<Arc<ValidatorEndpoint>>,
}

#[derive(Debug, Default)]
struct Inner {
    by_transaction: HashMap<Hash, u64>,
    entries: BTreeMap<u64, Entry>,
}

/// Unsettled submissions, in order of acceptance.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    inner: Mutex<Inner>,
}

impl Pending {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.inner().entries.len()
    }

    /// A submission became durable.
    pub(crate) fn insert(&self, sequence: u64, transaction_id: Hash, expiry_height: u64) {
        let mut inner = self.inner();
        inner.by_transaction.insert(transaction_id, sequence);
        let entry = Entry {
            transaction_id,
            expiry_height,
            accepted_by: None,
            touched: Instant::now(),
            waiters: Vec::new(),
        };
        inner.entries.insert(sequence, entry);
    }

    /// A submission was signed again.
    pub(crate) fn replace(&self, sequence: u64, transaction_id: Hash, expiry_height: u64) {
        let mut inner = self.inner();
        let Some(entry) = inner.entries.get_mut(&sequence) else {
            return;
        };
        let old = std::mem::replace(&mut entry.transaction_id, transaction_id);
        entry.expiry_height = expiry_height;
        entry.accepted_by = None;
        inner.by_transaction.remove(&old);
        inner.by_transaction.insert(transaction_id, sequence);
    }

    /// A validator has it, or, with nothing, lost it.
    pub(crate) fn accepted(&self, transaction_id: &Hash, by: Option<Arc<ValidatorEndpoint>>) {
        let mut inner = self.inner();
        let Some(sequence) = inner.by_transaction.get(transaction_id).copied() else {
            return;
        };
        if let Some(entry) = inner.entries.get_mut(&sequence) {
            entry.accepted_by = by;
            entry.touched = Instant::now();
        }
    }

    /// Whether it is unsettled, and if so, whether a validator has it.
    pub(crate) fn standing(&self, transaction_id: &Hash) -> Option<bool> {
        let inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id)?;
        inner
            .entries
            .get(sequence)
            .map(|entry| entry.accepted_by.is_some())
    }

    /// Its end, when it comes; nothing if it is settled already.
    pub(crate) fn wait(&self, transaction_id: &Hash) -> Option<oneshot::Receiver<Settled>> {
        let mut inner = self.inner();
        let sequence = inner.by_transaction.get(transaction_id).copied()?;
        let entry = inner.entries.get_mut(&sequence)?;
        entry.waiters.retain(|waiter| !waiter.is_closed());
        let (sender, receiver) = oneshot::channel();
        entry.waiters.push(sender);
        Some(receiver)
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
        let entry = {
            let mut inner = self.inner();
            let Some(entry) = inner.entries.remove(&sequence) else {
                return;
            };
            inner.by_transaction.remove(&entry.transaction_id);
            entry
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
        let mut due = Vec::new();
        let mut next = 0;
        for (scanned, (sequence, entry)) in inner.entries.range_mut(from..).enumerate() {
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
            if entry.touched.elapsed() >= patience {
                entry.touched = Instant::now();
                due.push(Due {
                    sequence: *sequence,
                    transaction_id: entry.transaction_id,
                    expiry_height: entry.expiry_height,
                    accepted,
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
mod tests {
    use super::*;

    const NOW: Patience = Patience {
        accepted: Duration::ZERO,
        unaccepted: Duration::ZERO,
    };

    fn id(n: u8) -> Hash {
        Hash([n; 32])
    }

    #[test]
    fn waiters_learn_the_end_once() {
        let pending = Pending::default();
        pending.insert(7, id(1), 100);
        let mut waiter = pending.wait(&id(1)).unwrap();
        let rejected = Settled::Rejected {
            code: "expired".into(),
            reason: "late".into(),
        };
        pending.settle(7, &rejected);
        assert_eq!(waiter.try_recv().unwrap(), rejected);
        assert!(pending.wait(&id(1)).is_none());
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn due_goes_on_where_it_stopped() {
        let pending = Pending::default();
        for n in 0..5 {
            pending.insert(u64::from(n), id(n), 100);
        }
        let (first, next) = pending.due(0, NOW, 3, 100);
        assert_eq!(
            first.iter().map(|d| d.sequence).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        let (second, end) = pending.due(next, NOW, 3, 100);
        assert_eq!(
            second.iter().map(|d| d.sequence).collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!(end, 0);
    }

    #[test]
    fn a_replaced_transaction_is_found_under_its_new_id_only() {
        let pending = Pending::default();
        pending.insert(1, id(1), 10);
        pending.replace(1, id(2), 20);
        assert_eq!(pending.standing(&id(1)), None);
        assert_eq!(pending.standing(&id(2)), Some(false));
        assert_eq!(pending.landed(&[id(1), id(2)]).len(), 1);
    }
}
