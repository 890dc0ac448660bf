//! Hears what validators say in consensus, and finds out those that say two things at one step.
//!
//! The engine looks at one height only and forgets it with the next, and a liar need not tell two
//! validators the same. So what validators said of the last heights is remembered here, and passed on
//! where it is for anything but the decided block: of two statements that contradict each other, one
//! at least is. An honest network has little of that to tell.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tabella_protocol::{Evidence, Hash, PublicKey, Statement, StepKind, ValidatorHistory};

/// Heights remembered, before the last committed one and after it.
const HEIGHTS_MAX: u64 = 32;
/// Steps of one height remembered of each validator: its last rounds.
const STEPS_MAX: usize = 96;

/// Contradictions of one validator at steps of one kind after which nothing more is proven of it: as much
/// as the evidence keeps.
const CONTRADICTIONS_MAX: usize = 8;

/// Statements against a decided block that each validator may make others tell, of one height: a liar
/// must not make everybody talk.
const DISSENTS_MAX: usize = 8;

/// What was heard.
pub(crate) struct Witness {
    genesis: Hash,
    heights: Mutex<Heights>,
}

struct Heights {
    /// The last committed one.
    tip: u64,
    heights: BTreeMap<u64, OneHeight>,
    /// How often each validator contradicted itself.
    contradictions: BTreeMap<(PublicKey, StepKind), usize>,
}

#[derive(Default)]
struct OneHeight {
    decided: Option<Hash>,
    said: BTreeMap<(PublicKey, u32, StepKind), Said>,
}

struct Said {
    statement: Statement,
    /// Whether the others were told, or told us.
    is_told: bool,
    /// Whether its signer said something else, too, and that is proven.
    is_contradicted: bool,
}

/// What a statement turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing to act on.
    Fine,
    /// For another block than the one that was decided: to be told to the others.
    Dissent(Statement),
    /// The second of its signer for one step.
    Contradiction(Evidence),
}

impl Witness {
    /// A witness of a node whose last committed block this is.
    pub(crate) fn new(genesis: Hash, tip: u64, block: Hash) -> Self {
        let witness = Self {
            genesis,
            heights: Mutex::new(Heights {
                tip,
                heights: BTreeMap::new(),
                contradictions: BTreeMap::new(),
            }),
        };
        witness.decided(tip, block);
        witness
    }

    /// Hears a statement from its signer's own connection. Its signature is checked where that makes
    /// a difference: nobody but its signer suffers from a forged one.
    pub(crate) fn hear(&self, statement: Statement) -> Heard {
        let mut heights = self.lock();
        let is_proven = heights.is_proven(&statement);
        let Some(height) = heights.open(statement.step().height) else {
            return Heard::Fine;
        };
        if let Some(known) = height.said.get_mut(&key(&statement)) {
            let says_nothing_new =
                known.statement == statement || known.is_contradicted || is_proven;
            if says_nothing_new || !statement.verify(&self.genesis) {
                return Heard::Fine;
            }
            if known.statement.verify(&self.genesis) {
                known.is_contradicted = true;
                let evidence = Evidence::statements(&known.statement, &statement);
                heights.count(&statement);
                return evidence.map_or(Heard::Fine, Heard::Contradiction);
            }
            known.statement = statement;
            return Heard::Fine;
        }
        let is_dissent = height.dissents(&statement) && statement.verify(&self.genesis);
        height.remember(statement.clone(), is_dissent);
        match is_dissent {
            true => Heard::Dissent(statement),
            false => Heard::Fine,
        }
    }

    /// Takes a statement that somebody else heard. Returns `None` where it is not what it seems.
    pub(crate) fn take_told(
        &self,
        history: &ValidatorHistory,
        statement: Statement,
    ) -> Option<Heard> {
        let mut heights = self.lock();
        let step = statement.step();
        let is_proven = heights.is_proven(&statement);
        let Some(height) = heights.open(step.height) else {
            return Some(Heard::Fine);
        };
        let known = height.said.get_mut(&key(&statement));
        if known
            .as_ref()
            .is_some_and(|known| known.statement == statement || known.is_contradicted || is_proven)
        {
            return Some(Heard::Fine);
        }
        let is_known = history.at(step.height).contains(&statement.signer());
        if !is_known || !statement.verify(&self.genesis) {
            return None;
        }
        let known = known.filter(|known| known.statement.verify(&self.genesis));
        let Some(known) = known else {
            height.remember(statement, true);
            return Some(Heard::Fine);
        };
        known.is_contradicted = true;
        let evidence = Evidence::statements(&known.statement, &statement);
        heights.count(&statement);
        Some(evidence.map_or(Heard::Fine, Heard::Contradiction))
    }

    /// Notes what was decided here; returns what the others should be told of that height.
    pub(crate) fn decided(&self, height: u64, block: Hash) -> Vec<Statement> {
        let mut heights = self.lock();
        heights.tip = height;
        let oldest = height.saturating_sub(HEIGHTS_MAX);
        heights.heights = heights.heights.split_off(&oldest);
        let decided = heights.heights.entry(height).or_default();
        decided.decided = Some(block);
        let told = decided.tell(|statement| statement.value() != Some(block));
        self.sound(told)
    }

    /// What the others should be told of rounds that ended without a decision.
    pub(crate) fn overdue(&self) -> Vec<Statement> {
        let mut heights = self.lock();
        let tip = heights.tip;
        let mut told = Vec::new();
        for height in heights
            .heights
            .range_mut(tip + 1..)
            .map(|(_, height)| height)
        {
            let rounds = height.said.keys().map(|(_, round, _)| *round);
            if let Some(last) = rounds.max() {
                told.extend(height.tell(|statement| statement.step().round < last));
            }
        }
        self.sound(told)
    }

    /// Everything heard of a height.
    pub(crate) fn of_height(&self, height: u64) -> Vec<Statement> {
        let heights = self.lock();
        let said = heights.heights.get(&height).map(|height| &height.said);
        let said = said.into_iter().flat_map(BTreeMap::values);
        self.sound(said.map(|said| said.statement.clone()).collect())
    }

    fn sound(&self, mut statements: Vec<Statement>) -> Vec<Statement> {
        statements.retain(|statement| statement.verify(&self.genesis));
        statements
    }

    fn lock(&self) -> MutexGuard<'_, Heights> {
        self.heights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(statement: &Statement) -> (PublicKey, u32, StepKind) {
    let step = statement.step();
    (statement.signer(), step.round, step.kind)
}

impl Heights {
    /// Whether enough contradictions of this signer are known for one more to prove nothing.
    fn is_proven(&self, statement: &Statement) -> bool {
        let of_kind = (statement.signer(), statement.step().kind);
        let count = self.contradictions.get(&of_kind);
        count.is_some_and(|count| *count >= CONTRADICTIONS_MAX)
    }

    fn count(&mut self, statement: &Statement) {
        let of_kind = (statement.signer(), statement.step().kind);
        *self.contradictions.entry(of_kind).or_default() += 1;
    }

    /// A height, if it is one that is remembered.
    fn open(&mut self, height: u64) -> Option<&mut OneHeight> {
        let oldest = self.tip.saturating_sub(HEIGHTS_MAX);
        let newest = self.tip.saturating_add(HEIGHTS_MAX);
        // Of heights before the first that was decided while this process ran, nothing is known.
        let is_known = height > self.tip || self.heights.contains_key(&height);
        (is_known && (oldest..=newest).contains(&height))
            .then(|| self.heights.entry(height).or_default())
    }
}

impl OneHeight {
    fn dissents(&self, statement: &Statement) -> bool {
        let dissents = |statement: &Statement| {
            self.decided
                .is_some_and(|decided| statement.value() != Some(decided))
        };
        let before = self.said_by(statement.signer());
        let before = before.filter(|said| said.is_told && dissents(&said.statement));
        dissents(statement) && before.count() < DISSENTS_MAX
    }

    fn said_by(&self, signer: PublicKey) -> impl Iterator<Item = &Said> {
        let of_signer = (signer, 0, StepKind::Proposal)..=(signer, u32::MAX, StepKind::Precommit);
        self.said.range(of_signer).map(|(_, said)| said)
    }

    fn remember(&mut self, statement: Statement, is_told: bool) {
        let key = key(&statement);
        let said = Said {
            statement,
            is_told,
            is_contradicted: false,
        };
        self.said.insert(key, said);
        let mut steps = self.said_by(key.0).map(|said| self::key(&said.statement));
        if let Some(first) = steps.next()
            && steps.count() >= STEPS_MAX
        {
            self.said.remove(&first);
        }
    }

    /// Marks what was not told yet as told, and answers it.
    fn tell(&mut self, which: impl Fn(&Statement) -> bool) -> Vec<Statement> {
        let untold = self.said.values_mut();
        let untold = untold.filter(|said| !said.is_told && which(&said.statement));
        untold
            .map(|said| {
                said.is_told = true;
                said.statement.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{ConsensusVote, ConsensusVoteKind, Genesis, SignedVote};

    use super::*;
    use crate::testing::{Fixture, key as signing_key};

    const GENESIS: Hash = Hash::ZERO;

    fn vote_of(seed: u8, height: u64, round: u32, value: Option<&[u8]>) -> Statement {
        let vote = ConsensusVote {
            kind: ConsensusVoteKind::Prevote,
            height,
            round,
            value: value.map(Hash::of),
            validator: signing_key(seed).public(),
        };
        let signature = signing_key(seed).sign(&vote.signing_bytes(&GENESIS));
        Statement::Vote(SignedVote { vote, signature })
    }

    fn vote(height: u64, round: u32, value: Option<&[u8]>) -> Statement {
        vote_of(1, height, round, value)
    }

    fn forged(mut statement: Statement) -> Statement {
        if let Statement::Vote(signed) = &mut statement {
            signed.vote.round += 1;
        }
        statement
    }

    fn witness() -> Witness {
        Witness::new(GENESIS, 4, Hash::of(b"four"))
    }

    fn history() -> ValidatorHistory {
        let genesis: Genesis = Fixture::genesis(tabella_protocol::Quorum::Majority);
        ValidatorHistory::new(&genesis)
    }

    #[test]
    fn two_votes_at_one_step_are_evidence_at_every_height_in_reach() {
        for height in [5, 5 + HEIGHTS_MAX - 1] {
            let witness = witness();
            let (a, b) = (vote(height, 1, Some(b"a")), vote(height, 1, None));
            assert_eq!(witness.hear(a.clone()), Heard::Fine);
            assert_eq!(witness.hear(a.clone()), Heard::Fine, "said again");
            assert_eq!(witness.hear(vote(height, 2, None)), Heard::Fine);
            let evidence = Evidence::statements(&a, &b).unwrap();
            assert_eq!(witness.hear(b), Heard::Contradiction(evidence));
        }
        let (witness, height) = (witness(), 5 + HEIGHTS_MAX);
        witness.hear(vote(height, 0, Some(b"a")));
        assert_eq!(witness.hear(vote(height, 0, None)), Heard::Fine);
    }

    #[test]
    fn a_step_that_is_proven_proves_no_more_and_nor_does_a_liar_that_is() {
        let witness = witness();
        let mut found = 0;
        for round in 0..2 * CONTRADICTIONS_MAX as u32 {
            for value in 0..4_u32 {
                let heard = witness.hear(vote(5, round, Some(&value.to_be_bytes())));
                found += usize::from(matches!(heard, Heard::Contradiction(_)));
            }
            assert_eq!(found, CONTRADICTIONS_MAX.min(round as usize + 1));
        }
        let told = witness.take_told(&history(), vote(5, 0, Some(b"one more")));
        assert_eq!(told, Some(Heard::Fine));
        // Others are heard as ever.
        let (a, b) = (vote_of(2, 5, 0, Some(b"a")), vote_of(2, 5, 0, None));
        witness.hear(a.clone());
        let evidence = Evidence::statements(&a, &b).unwrap();
        assert_eq!(witness.hear(b), Heard::Contradiction(evidence));
    }

    #[test]
    fn what_does_not_fit_the_decided_block_is_told_once() {
        let witness = witness();
        let dissent = vote(5, 0, None);
        witness.hear(dissent.clone());
        witness.hear(vote(5, 1, Some(b"five")));
        witness.hear(forged(vote(5, 1, Some(b"forged"))));
        let decided = witness.decided(5, Hash::of(b"five"));
        assert_eq!(decided, std::slice::from_ref(&dissent));
        let late = vote(5, 3, Some(b"other"));
        assert_eq!(witness.hear(late.clone()), Heard::Dissent(late.clone()));
        assert_eq!(witness.hear(late), Heard::Fine);
        assert_eq!(witness.decided(5, Hash::of(b"five")), []);
        assert_eq!(witness.of_height(5).len(), 3, "but for the forged one");
    }

    #[test]
    fn a_liar_makes_nobody_talk_for_ever() {
        let witness = witness();
        witness.decided(5, Hash::of(b"five"));
        let heard = (0..40).map(|round| witness.hear(vote(5, round, None)));
        let dissents = heard.filter(|heard| matches!(heard, Heard::Dissent(_)));
        assert_eq!(dissents.count(), DISSENTS_MAX);
        let other = vote_of(2, 5, 0, None);
        assert_eq!(witness.hear(other.clone()), Heard::Dissent(other));
    }

    #[test]
    fn rounds_that_ended_are_told_before_anything_is_decided() {
        let witness = witness();
        let first = vote(5, 0, Some(b"a"));
        witness.hear(first.clone());
        assert_eq!(witness.overdue(), []);
        witness.hear(vote(5, 1, Some(b"a")));
        assert_eq!(witness.overdue(), [first]);
        assert_eq!(witness.overdue(), []);
    }

    #[test]
    fn what_others_heard_completes_the_proof() {
        let (witness, history) = (witness(), history());
        let take = |statement| witness.take_told(&history, statement);
        let (a, b) = (vote(5, 1, Some(b"a")), vote(5, 1, None));
        assert_eq!(take(a.clone()), Some(Heard::Fine));
        assert_eq!(take(forged(b.clone())), None);
        assert_eq!(take(vote_of(9, 5, 1, None)), None, "no validator");
        let evidence = Evidence::statements(&a, &b).unwrap();
        assert_eq!(take(b), Some(Heard::Contradiction(evidence)));
        assert_eq!(witness.decided(5, Hash::of(b"five")), [], "all know it");
    }

    #[test]
    fn a_forged_statement_hides_no_true_one() {
        let (witness, history) = (witness(), history());
        let (a, b) = (vote(5, 1, Some(b"a")), vote(5, 1, None));
        let forged = forged(vote(5, 0, Some(b"b")));
        witness.hear(forged.clone());
        assert_eq!(witness.hear(a.clone()), Heard::Fine);
        assert_eq!(witness.hear(forged), Heard::Fine);
        let evidence = Evidence::statements(&a, &b).unwrap();
        let told = witness.take_told(&history, b);
        assert_eq!(told, Some(Heard::Contradiction(evidence)));
    }

    #[test]
    fn a_forged_statement_that_was_heard_makes_no_evidence_of_what_others_tell() {
        let (witness, history) = (witness(), history());
        witness.hear(forged(vote(5, 0, Some(b"c"))));
        let (a, b) = (vote(5, 1, Some(b"a")), vote(5, 1, None));
        let told = witness.take_told(&history, a.clone());
        assert_eq!(told, Some(Heard::Fine));
        let evidence = Evidence::statements(&a, &b).unwrap();
        let told = witness.take_told(&history, b);
        assert_eq!(told, Some(Heard::Contradiction(evidence)));
    }

    #[test]
    fn memory_is_bounded() {
        let witness = witness();
        for round in 0..1_000 {
            witness.hear(vote(5, round, None));
        }
        assert_eq!(witness.of_height(5).len(), STEPS_MAX);
        for height in 5..200 {
            witness.decided(height, Hash::ZERO);
        }
        let heights = witness.lock().heights.len() as u64;
        assert_eq!(heights, HEIGHTS_MAX + 1);
    }
}
