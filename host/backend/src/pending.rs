//! Submissions that are durable here and not settled on the chain: what is to be carried there.
//!
//! Where backends share a database, some are carried by another one: they are here as long as
//! somebody waits for them or a later ballot of the same voter must not overtake them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tabella_client::ValidatorEndpoint;
use tabella_protocol::{Hash, VoterId};
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

/// Where an unsettled submission is held, beside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nowhere.
    Recorded,
    /// In the local ledger.
    Local,
    /// With a validator.
    Pending,
}

impl Standing {
    /// The `status` and `source` of an unsettled submission in answers.
    pub(crate) fn status_and_source(self) -> (&'static str, &'static str) {
        match self {
            Self::Recorded => ("recorded", "database"),
            Self::Local => ("local", "local"),
            Self::Pending => ("pending", "poa"),
        }
    }
}

/// Unsettled submissions by where they are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Counts {
    pub(crate) recorded: u64,
    pub(crate) local: u64,
    pub(crate) pending: u64,
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

/// Who carries a submission to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// This backend.
    Own,
    /// Another one over the same database.
    Elsewhere,
}

#[derive(Debug)]
struct Entry {
    transaction_id: Hash,
    expiry_height: u64,
    election_id: u64,
    voter: VoterId,
    submitted_at_ms: u64,
    carrier: Carrier,
    accepted_by: Option<Arc<ValidatorEndpoint>>,
    taken: Option<Taken>,
    is_local: bool,
    /// When something was last done about it; never since a restart.
    touched: Option<Instant>,
    waiters: Vec<oneshot::Sender<Settled>>,
}

/// When a validator first took a submission, or all of them were last offered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    at: Instant,
    height: u64,
}

impl Taken {
    fn now(height: u64) -> Self {
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

impl Entry {
    fn wait(&mut self) -> oneshot::Receiver<Settled> {
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

    fn standing(&self) -> Standing {
        match (&self.accepted_by, self.is_local) {
            (Some(_), _) => Standing::Pending,
            (None, true) => Standing::Local,
            (None, false) => Standing::Recorded,
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    by_transaction: HashMap<Hash, u64>,
    entries: BTreeMap<u64, Entry>,
    /// Each voter's submissions by election, in order: where a later ballot replaces an earlier
    /// one, it must not overtake it.
    by_voter: BTreeSet<(u64, VoterId, u64)>,
    /// Those that a validator holds, by when one first took them.
    held: BTreeSet<(Instant, u64)>,
}

impl Inner {
    /// The submission of the same voter that must settle before this one goes out.
    fn ahead_of(&self, sequence: u64) -> Option<u64> {
        let entry = self.entries.get(&sequence)?;
        let (election_id, voter) = (entry.election_id, entry.voter);
        let before = (election_id, voter, 0)..(election_id, voter, sequence);
        self.by_voter.range(before).next().map(|(.., first)| *first)
    }

    fn change(&mut self, sequence: u64, change: impl FnOnce(&mut Entry)) {
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

    fn replace(&mut self, sequence: u64, transaction_id: Hash, expiry_height: u64) {
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

    fn remove(&mut self, sequence: u64) -> Option<Entry> {
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

    /// How many of an election there are.
    pub(crate) fn count_in(&self, election_id: u64) -> u64 {
        let (first, last) = (VoterId([0; 32]), VoterId([u8::MAX; 32]));
        let all = (election_id, first, 0)..=(election_id, last, u64::MAX);
        self.inner().by_voter.range(all).count() as u64
    }

    /// How many are held where.
    pub(crate) fn counts(&self) -> Counts {
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

    /// The oldest that this backend carries, of the first [`OLDEST_LOOKED_AT_MAX`] of all: its sequence, and
    /// when it was acknowledged, in milliseconds since 1970.
    pub(crate) fn oldest(&self) -> Option<(u64, u64)> {
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

    /// Which are still this backend's is to be looked up.
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
            // That one lost it, and another took it, makes it no younger.
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
    pub(crate) fn restarted(&self, holds: impl Fn(&Hash) -> bool) {
        for entry in self.inner().entries.values_mut() {
            entry.touched = None;
            entry.is_local = holds(&entry.transaction_id);
        }
    }

    /// Where it is held; nothing if it is settled.
    pub(crate) fn standing(&self, transaction_id: &Hash) -> Option<Standing> {
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
mod tests {
    use super::*;

    const NOW: Patience = Patience {
        accepted: Duration::ZERO,
        unaccepted: Duration::ZERO,
    };

    fn id(n: u8) -> Hash {
        Hash([n; 32])
    }

    fn durable(sequence: u64, n: u8, voter: u8) -> Durable {
        Durable {
            sequence,
            transaction_id: id(n),
            expiry_height: 100,
            election_id: 1,
            voter: VoterId([voter; 32]),
            submitted_at_ms: 7,
        }
    }

    #[test]
    fn waiters_learn_the_end_once() {
        let pending = Pending::default();
        pending.insert(durable(7, 1, 1));
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
            pending.insert(durable(u64::from(n), n, n));
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
    fn a_voters_later_ballot_waits_for_the_earlier_one() {
        let pending = Pending::default();
        pending.insert(durable(1, 1, 9));
        pending.insert(durable(2, 2, 9));
        pending.insert(durable(3, 3, 8));
        let sequences = |due: (Vec<Due>, u64)| due.0.iter().map(|d| d.sequence).collect::<Vec<_>>();
        assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [1, 3]);
        assert!(pending.wait_turn(&id(1)).is_none());
        let mut turn = pending.wait_turn(&id(2)).unwrap();
        let rejected = Settled::Rejected {
            code: "expired".into(),
            reason: "late".into(),
        };
        pending.settle(1, &rejected);
        assert!(turn.try_recv().is_ok());
        assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [2, 3]);
    }

    #[test]
    fn what_another_backend_carries_is_waited_for_and_left_alone() {
        let pending = Pending::default();
        pending.watch(durable(1, 1, 9));
        pending.insert(durable(2, 2, 9));
        let sequences = |due: (Vec<Due>, u64)| due.0.iter().map(|d| d.sequence).collect::<Vec<_>>();
        // Neither it, nor what must not overtake it.
        assert!(sequences(pending.due(0, NOW, 9, 9)).is_empty());
        assert!(pending.is_elsewhere(&id(1)) && !pending.is_elsewhere(&id(2)));
        assert_eq!(
            (pending.counts().recorded, pending.oldest()),
            (1, Some((2, 7)))
        );
        assert_eq!(pending.elsewhere(0, Duration::ZERO, 9), (vec![1], 0));
        // Taken over.
        pending.insert(durable(1, 1, 9));
        assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [1]);
        assert_eq!(pending.elsewhere(0, Duration::ZERO, 9), (vec![], 0));
    }

    #[test]
    fn what_another_backend_carries_is_forgotten_once_nobody_waits() {
        let pending = Pending::default();
        for n in 1..=3 {
            pending.watch(durable(u64::from(n), n, n));
        }
        let waiter = pending.wait(&id(2)).unwrap();
        assert_eq!(
            pending.elsewhere(0, Duration::from_secs(60), 2),
            (vec![1, 2], 3)
        );
        assert_eq!(pending.elsewhere(0, Duration::ZERO, 2), (vec![2], 0));
        assert_eq!(pending.len(), 1);
        drop(waiter);
        assert_eq!(pending.elsewhere(0, Duration::ZERO, 2), (vec![], 0));
        assert_eq!(pending.len(), 0);
        assert!(pending.landed(&[id(2)]).is_empty());
    }

    #[test]
    fn a_replaced_transaction_is_found_under_its_new_id_only() {
        let pending = Pending::default();
        pending.insert(durable(1, 1, 1));
        pending.replace(1, id(2), 20);
        assert_eq!(pending.standing(&id(1)), None);
        assert_eq!(pending.standing(&id(2)), Some(Standing::Recorded));
        assert_eq!(pending.landed(&[id(1), id(2)]).len(), 1);
    }

    #[test]
    fn a_known_submission_is_followed_under_the_transaction_that_the_database_holds() {
        let pending = Pending::default();
        pending.watch(durable(1, 1, 1));
        let again = Durable {
            expiry_height: 500,
            ..durable(1, 2, 1)
        };
        pending.insert(again);
        assert_eq!(pending.standing(&id(1)), None);
        assert_eq!(pending.standing(&id(2)), Some(Standing::Recorded));
        let (due, _) = pending.due(0, NOW, 1, 1);
        assert_eq!((due[0].transaction_id, due[0].expiry_height), (id(2), 500));
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn what_was_taken_long_ago_is_overdue_while_the_chain_goes_on_without_it() {
        let pending = Pending::default();
        pending.insert(durable(1, 1, 1));
        let taken = || pending.due(0, NOW, 1, 1).0[0].taken;
        let accepted = |by: &str, height| {
            let by = ValidatorEndpoint {
                node_id: by.into(),
                rpc_url: "http://127.0.0.1:1".into(),
                p2p_url: "http://127.0.0.1:2".into(),
            };
            pending.accepted(&id(1), Arc::new(by), height);
        };
        assert_eq!(taken(), None);
        accepted("validator-1", 7);
        let first = taken().unwrap();
        assert!(!first.is_overdue(7, Duration::ZERO), "the chain stands");
        assert!(first.is_overdue(8, Duration::ZERO));
        assert!(!first.is_overdue(8, Duration::from_secs(60)));
        // Lost and taken again, it waits for as long as before.
        pending.lost(&id(1));
        accepted("validator-2", 9);
        assert_eq!(taken(), Some(first));
        pending.offered(&id(1), 9);
        assert!(!taken().unwrap().is_overdue(9, Duration::ZERO));
        // Signed again, it is another one.
        pending.replace(1, id(2), 200);
        assert_eq!(taken(), None);
    }

    #[test]
    fn what_a_validator_holds_longest_is_known_without_a_search() {
        let pending = Pending::default();
        let is_held = || pending.is_held_longer_than(Duration::ZERO);
        let by = Arc::new(ValidatorEndpoint {
            node_id: "validator-1".into(),
            rpc_url: "http://127.0.0.1:1".into(),
            p2p_url: "http://127.0.0.1:2".into(),
        });
        for n in 1..=3 {
            pending.insert(durable(u64::from(n), n, n));
            assert!(!is_held());
        }
        for n in 1..=3 {
            pending.accepted(&id(n), by.clone(), 7);
        }
        assert!(is_held() && !pending.is_held_longer_than(Duration::from_secs(60)));
        pending.lost(&id(1));
        pending.offered(&id(2), 8);
        pending.replace(2, id(9), 200);
        assert!(is_held());
        let rejected = Settled::Rejected {
            code: "expired".into(),
            reason: "late".into(),
        };
        pending.settle(3, &rejected);
        assert!(!is_held());
        pending.accepted(&id(1), by, 9);
        assert!(is_held(), "taken again, after it was lost");
    }
}
