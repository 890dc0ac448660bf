//! Whether this validator's outcomes are the network's, and whose are not.
//!
//! Outcomes are deterministic in the board and the rules. A validator that counted something else than a
//! quorum certified has a disk, a memory or a program that is not to be believed: it says so and attests
//! nothing for as long as it runs. What was attested stands on the chain, so each names who dissents. One that
//! starts as a dissenter counts again what its key attested: where it counts what the quorum did, it is well.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tabella_ledger::Ledger;
use tabella_protocol::{PublicKey, rpc::Dissenter};

/// Dissenters shown; more than these say nothing new.
const SHOWN_MAX: usize = 100;

/// What was compared so far.
#[derive(Default)]
pub(crate) struct Dissent(Mutex<Found>);

#[derive(Default)]
struct Found {
    /// Elections that this validator counted otherwise.
    own: BTreeSet<u64>,
    /// Elections that this process counted: what it counted it does not count again.
    counted: BTreeSet<u64>,
    /// Elections that its key attested otherwise and this process counted as the quorum did.
    mended: BTreeSet<u64>,
    /// Other validators that attested otherwise, by election.
    others: BTreeSet<(u64, PublicKey)>,
}

impl Dissent {
    /// Compares what stands on the chain: every attestation with what a quorum attested, or with this
    /// validator's own where no quorum is equal yet.
    pub(crate) fn look(&self, ledger: &Ledger, own: &PublicKey) {
        for (election_id, validator) in ledger.dissenters() {
            match validator == *own {
                true => self.own(election_id),
                false => self.other(ledger, election_id, &validator),
            }
        }
        for election in ledger.elections() {
            let mut attestations = election.attestations();
            let own_word = attestations.find(|(key, _, _)| *key == own);
            let (None, Some((_, expected, _))) = (election.result(), own_word) else {
                continue;
            };
            let others = election.attestations();
            for (validator, _, _) in others.filter(|(_, said, _)| *said != expected) {
                self.other(ledger, election.id(), validator);
            }
        }
    }

    /// This process counted an election: that its word differs is not mended by counting once more.
    pub(crate) fn counted(&self, election_id: u64) {
        let mut found = self.lock();
        found.counted.insert(election_id);
        found.mended.remove(&election_id);
    }

    /// The elections that this validator's key attested otherwise before this process ran.
    pub(crate) fn to_recount(&self) -> Vec<u64> {
        let found = self.lock();
        found.own.difference(&found.counted).copied().collect()
    }

    /// This process counted an election again, as the quorum did or not.
    pub(crate) fn recounted(&self, election_id: u64, is_as_certified: bool) {
        let mut found = self.lock();
        found.counted.insert(election_id);
        if is_as_certified {
            found.own.remove(&election_id);
            found.mended.insert(election_id);
            tracing::warn!(
                election = election_id,
                "this validator attested another outcome than a quorum certified, and counts now what \
                 the quorum did: it attests results again"
            );
        } else {
            tracing::error!(
                election = election_id,
                "this validator counted again and still does not count what a quorum certified"
            );
        }
    }

    /// This validator's own count of an election is not the certified one.
    pub(crate) fn own(&self, election_id: u64) {
        let mut found = self.lock();
        if !found.mended.contains(&election_id) && found.own.insert(election_id) {
            tracing::error!(
                election = election_id,
                "this validator counted another outcome than a quorum certified: it attests no result; \
                 check its disk, memory and version, restore its data and start it again"
            );
        }
    }

    fn other(&self, ledger: &Ledger, election_id: u64, validator: &PublicKey) {
        if self.lock().others.insert((election_id, *validator)) {
            let node_id = node_id(ledger, validator);
            tracing::error!(
                election = election_id,
                node_id,
                %validator,
                "a validator attested another outcome than the others"
            );
        }
    }

    /// Elections that this validator counted otherwise than the network.
    pub(crate) fn of_own(&self) -> Vec<u64> {
        self.lock().own.iter().copied().collect()
    }

    /// The other validators that attested otherwise.
    pub(crate) fn of_others(&self, ledger: &Ledger) -> Vec<Dissenter> {
        let found: Vec<_> = self.lock().others.iter().copied().take(SHOWN_MAX).collect();
        let shown = found.into_iter().map(|(election_id, validator)| Dissenter {
            election_id,
            validator,
            node_id: node_id(ledger, &validator),
        });
        shown.collect()
    }

    /// Whether this validator may attest results: nothing that it stores or counted was wrong.
    pub(crate) fn may_attest(&self, ledger: &Ledger) -> bool {
        self.lock().own.is_empty() && ledger.is_sound()
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name that the chain knew a validator by last.
fn node_id(ledger: &Ledger, validator: &PublicKey) -> String {
    let history = ledger.validators();
    let mut sets = history.sets().iter().rev();
    let known = sets.find_map(|set| set.node_id(validator).map(str::to_owned));
    known.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Attestation, Hash, Payload};

    use super::*;
    use crate::testing::{Fixture, key};

    /// An election that is closed, and what an honest validator attests of it.
    fn closed() -> (Fixture, Attestation) {
        let fixture = Fixture::of_three();
        fixture.commit_bytes(&fixture.ballot(1, 0));
        fixture.commit(Payload::CloseElection { election_id: 1 });
        let election = fixture.ledger.election(1).unwrap();
        let attestation = fixture.ledger.tally(&election).unwrap().attestation;
        (fixture, attestation)
    }

    fn attest(fixture: &Fixture, n: u8, attestation: &Attestation) {
        let payload = Payload::AttestResult(attestation.clone());
        fixture.commit_bytes(&fixture.sign_by(&key(n), 0, payload));
    }

    fn otherwise(attestation: &Attestation) -> Attestation {
        Attestation {
            outcomes: vec![Hash::ZERO],
            ..attestation.clone()
        }
    }

    /// What validator `n` says: which elections it counted otherwise, who else did, and whether it
    /// attests.
    fn says(fixture: &Fixture, n: u8) -> (Vec<u64>, Vec<String>, bool) {
        let dissent = Dissent::default();
        let ledger = &fixture.ledger;
        // Nothing is news twice.
        for _ in 0..2 {
            dissent.look(ledger, &key(n).public());
        }
        let others = dissent.of_others(ledger).into_iter();
        let others = others.map(|dissenter| dissenter.node_id).collect();
        (dissent.of_own(), others, dissent.may_attest(ledger))
    }

    #[test]
    fn who_attests_otherwise_is_named_by_the_others_and_attests_no_more() {
        let (fixture, honest) = closed();
        for n in 1..=3 {
            assert_eq!(says(&fixture, n), (vec![], vec![], true));
        }
        attest(&fixture, 3, &otherwise(&honest));
        attest(&fixture, 1, &honest);
        // One against one: each of the two names the other, and who said nothing yet names nobody.
        assert_eq!(says(&fixture, 1), (vec![], vec!["v3".into()], true));
        assert_eq!(says(&fixture, 2), (vec![], vec![], true));
        assert_eq!(says(&fixture, 3), (vec![], vec!["v".into()], true));
        attest(&fixture, 2, &honest);
        for n in [1, 2] {
            assert_eq!(says(&fixture, n), (vec![], vec!["v3".into()], true));
        }
        assert_eq!(says(&fixture, 3), (vec![1], vec![], false));
    }

    #[test]
    fn what_this_process_counted_is_not_mended_by_counting_it_again() {
        let (fixture, honest) = closed();
        attest(&fixture, 3, &otherwise(&honest));
        let dissent = Dissent::default();
        dissent.counted(1);
        attest(&fixture, 1, &honest);
        attest(&fixture, 2, &honest);
        dissent.look(&fixture.ledger, &key(3).public());
        assert_eq!((dissent.of_own(), dissent.to_recount()), (vec![1], vec![]));
        // The next process counts once, and says what came out.
        for (is_as_certified, expected) in [(true, vec![]), (false, vec![1])] {
            let dissent = Dissent::default();
            dissent.look(&fixture.ledger, &key(3).public());
            assert_eq!(dissent.to_recount(), [1]);
            assert!(!dissent.may_attest(&fixture.ledger));
            dissent.recounted(1, is_as_certified);
            dissent.look(&fixture.ledger, &key(3).public());
            assert_eq!((dissent.of_own(), dissent.to_recount()), (expected, vec![]));
            assert_eq!(dissent.may_attest(&fixture.ledger), is_as_certified);
        }
    }
}
