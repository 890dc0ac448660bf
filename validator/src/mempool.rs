//! Transactions that wait for a block, in order of arrival.

use std::collections::{BTreeMap, HashMap, VecDeque};

use tabella_ledger::{Refusal, Vetted};
use tabella_protocol::{Hash, VoterId, rpc::RefusalCode};

/// Refused transactions that are remembered, so that their senders can be told why.
const REFUSED_MAX: usize = 10_000;

/// Bounds of a mempool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) transactions_max: usize,
    pub(crate) bytes_max: usize,
}

/// Who answers for a transaction's durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Taken from a client here: in this node's journal before it is acknowledged.
    Client,
    /// Relayed by the validator that took it, which keeps it.
    Peer,
}

struct Entry {
    vetted: Vetted,
    origin: Origin,
    sequence: u64,
    arrived_ms: u64,
}

/// What is known here of a transaction that is not on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    Waiting,
    Refused(Refusal),
}

/// The waiting transactions. Not durable: see the journal.
pub(crate) struct Mempool {
    bounds: Bounds,
    next_sequence: u64,
    bytes: usize,
    order: BTreeMap<u64, Hash>,
    entries: HashMap<Hash, Entry>,
    /// The waiting ballot of each voter, so that a second one hears of the first at once.
    voters: HashMap<(u64, VoterId), Hash>,
    refused: HashMap<Hash, Refusal>,
    refused_order: VecDeque<Hash>,
}

impl Mempool {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            next_sequence: 0,
            bytes: 0,
            order: BTreeMap::new(),
            entries: HashMap::new(),
            voters: HashMap::new(),
            refused: HashMap::new(),
            refused_order: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn known(&self, id: &Hash) -> Option<Known> {
        if self.entries.contains_key(id) {
            return Some(Known::Waiting);
        }
        self.refused.get(id).cloned().map(Known::Refused)
    }

    pub(crate) fn get(&self, id: &Hash) -> Option<Vetted> {
        self.entries.get(id).map(|entry| entry.vetted.clone())
    }

    /// Adds a transaction that could stand in the next block. One that waits already is no error.
    ///
    /// Returns whether it was added.
    pub(crate) fn insert(
        &mut self,
        vetted: Vetted,
        origin: Origin,
        now_ms: u64,
    ) -> Result<bool, Refusal> {
        let id = vetted.id();
        if let Some(entry) = self.entries.get_mut(&id) {
            let taken_over = origin == Origin::Client && entry.origin == Origin::Peer;
            if taken_over {
                entry.origin = Origin::Client;
            }
            return Ok(taken_over);
        }
        let bytes = vetted.bytes().len();
        if self.entries.len() >= self.bounds.transactions_max
            || self.bytes + bytes > self.bounds.bytes_max
        {
            let message = format!(
                "{} transactions wait here already; try again shortly or ask another validator",
                self.entries.len()
            );
            return Err(Refusal::new(RefusalCode::MempoolFull, message));
        }
        if let Some(key) = vetted.sole_ballot_of() {
            if self.voters.contains_key(&key) {
                // The answer does not name the voter: answers never tell pseudonyms.
                let message = format!(
                    "a ballot of this voter in election {} is waiting to be confirmed",
                    key.0
                );
                return Err(Refusal::new(RefusalCode::AlreadyVoted, message));
            }
            self.voters.insert(key, id);
        }
        self.refused.remove(&id);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.bytes += bytes;
        self.order.insert(sequence, id);
        self.entries.insert(
            id,
            Entry {
                vetted,
                origin,
                sequence,
                arrived_ms: now_ms,
            },
        );
        Ok(true)
    }

    /// The first waiting transactions, in order of arrival.
    pub(crate) fn candidates(&self, count_max: usize) -> Vec<Vetted> {
        let first = self.order.values().take(count_max);
        first
            .filter_map(|id| self.entries.get(id))
            .map(|entry| entry.vetted.clone())
            .collect()
    }

    /// Transactions taken here that have waited since before `before_ms`, at most `count_max`.
    pub(crate) fn overdue(&self, before_ms: u64, count_max: usize) -> Vec<Vetted> {
        let waiting = self.order.values().filter_map(|id| self.entries.get(id));
        waiting
            .filter(|entry| entry.origin == Origin::Client && entry.arrived_ms < before_ms)
            .take(count_max)
            .map(|entry| entry.vetted.clone())
            .collect()
    }

    /// Drops transactions that are on the chain now; returns those that the journal holds.
    pub(crate) fn remove<'a>(&mut self, ids: impl IntoIterator<Item = &'a Hash>) -> Vec<Hash> {
        ids.into_iter().filter_map(|id| self.take(id)).collect()
    }

    /// Drops transactions that no block can hold any more and remembers why; returns those that
    /// the journal holds.
    pub(crate) fn refuse(&mut self, refused: Vec<(Hash, Refusal)>) -> Vec<Hash> {
        let mut journaled = Vec::new();
        for (id, refusal) in refused {
            journaled.extend(self.take(&id));
            if self.refused.insert(id, refusal).is_none() {
                self.refused_order.push_back(id);
            }
            if self.refused_order.len() > REFUSED_MAX
                && let Some(oldest) = self.refused_order.pop_front()
            {
                self.refused.remove(&oldest);
            }
        }
        journaled
    }

    fn take(&mut self, id: &Hash) -> Option<Hash> {
        let entry = self.entries.remove(id)?;
        self.order.remove(&entry.sequence);
        self.bytes -= entry.vetted.bytes().len();
        if let Some(key) = entry.vetted.sole_ballot_of()
            && self.voters.get(&key) == Some(id)
        {
            self.voters.remove(&key);
        }
        (entry.origin == Origin::Client).then_some(*id)
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Revote;

    use super::*;
    use crate::testing::Fixture;

    const BOUNDS: Bounds = Bounds {
        transactions_max: 3,
        bytes_max: 10_000,
    };

    #[test]
    fn first_come_first_served_within_the_bounds() {
        let fixture = Fixture::new(Revote::Refuse);
        let mut mempool = Mempool::new(BOUNDS);
        let all: Vec<_> = (0..4).map(|n| fixture.vet(&fixture.ballot(n, 0))).collect();
        for vetted in &all[..3] {
            assert_eq!(mempool.insert(vetted.clone(), Origin::Client, 0), Ok(true));
            assert_eq!(mempool.insert(vetted.clone(), Origin::Client, 0), Ok(false));
        }
        let full = mempool
            .insert(all[3].clone(), Origin::Client, 0)
            .unwrap_err();
        assert_eq!(full.code, RefusalCode::MempoolFull);
        let ids = |vetted: &[Vetted]| vetted.iter().map(Vetted::id).collect::<Vec<_>>();
        assert_eq!(ids(&mempool.candidates(2)), ids(&all[..2]));
        mempool.remove([&all[0].id()]);
        assert_eq!(mempool.insert(all[3].clone(), Origin::Peer, 0), Ok(true));
        assert_eq!(ids(&mempool.candidates(9)), ids(&all[1..]));
        assert_eq!(
            ids(&mempool.overdue(1, 9)),
            ids(&all[1..3]),
            "a peer relays its own"
        );
        let tight = Bounds {
            transactions_max: 3,
            bytes_max: 10,
        };
        assert!(
            Mempool::new(tight)
                .insert(all[0].clone(), Origin::Client, 0)
                .is_err()
        );
    }

    #[test]
    fn one_waiting_ballot_a_voter_unless_revoting_is_allowed() {
        for (revote, second_is_taken) in [(Revote::Refuse, false), (Revote::Last, true)] {
            let fixture = Fixture::new(revote);
            let mut mempool = Mempool::new(BOUNDS);
            let [first, second] = [0, 1].map(|nonce| fixture.vet(&fixture.ballot(1, nonce)));
            mempool.insert(first.clone(), Origin::Client, 0).unwrap();
            let taken = mempool.insert(second.clone(), Origin::Client, 0);
            assert_eq!(taken.is_ok(), second_is_taken, "{revote:?}");
            if let Err(refusal) = taken {
                assert!(
                    !refusal.message.contains("0x"),
                    "it names the voter: {refusal:?}"
                );
            }
            mempool.remove([&first.id()]);
            mempool.insert(second, Origin::Client, 0).unwrap();
        }
    }

    #[test]
    fn refused_ones_are_remembered_until_they_come_again() {
        let fixture = Fixture::new(Revote::Refuse);
        let mut mempool = Mempool::new(BOUNDS);
        let vetted = fixture.vet(&fixture.ballot(1, 0));
        mempool.insert(vetted.clone(), Origin::Client, 0).unwrap();
        let refusal = Refusal::new(RefusalCode::ElectionClosed, "closed");
        let journaled = mempool.refuse(vec![(vetted.id(), refusal.clone())]);
        assert_eq!(journaled, [vetted.id()]);
        assert_eq!(mempool.known(&vetted.id()), Some(Known::Refused(refusal)));
        mempool.insert(vetted.clone(), Origin::Peer, 0).unwrap();
        assert_eq!(mempool.known(&vetted.id()), Some(Known::Waiting));
        assert_eq!(
            mempool.remove([&vetted.id()]),
            [],
            "the journal never held it"
        );
    }
}
