//! What one peer said in its own name lately. An honest validator says one thing at each step; only what
//! is new is verified, and little of that which is different.

use std::collections::BTreeMap;

use tabella_protocol::{Hash, Statement, Step};

/// Different statements heard of one step: a contradiction takes two.
const DIFFERENT_MAX: usize = 4;
/// Steps remembered, the last ones.
const STEPS_MAX: usize = 1_024;

/// What a peer said, by step.
#[derive(Default)]
pub(crate) struct Said(BTreeMap<Step, Vec<(Hash, Seal)>>);

/// Whether a statement's signature is its signer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    Sound,
    Forged,
}

/// What is known of a statement before its signature is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was heard before.
    Before(Seal),
    /// It is the first of its step, or a different one.
    New,
    /// Enough different ones were heard of its step.
    TooMany,
}

impl Said {
    pub(crate) fn known(&self, statement: &Statement) -> Known {
        let Some(said) = self.0.get(&statement.step()) else {
            return Known::New;
        };
        let digest = digest(statement);
        match said.iter().find(|(known, _)| *known == digest) {
            Some((_, seal)) => Known::Before(*seal),
            None if said.len() >= DIFFERENT_MAX => Known::TooMany,
            None => Known::New,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    pub(crate) fn remember(&mut self, statement: &Statement, seal: Seal) {
        let said = self.0.entry(statement.step()).or_default();
        said.push((digest(statement), seal));
        while self.0.len() > STEPS_MAX {
            self.0.pop_first();
        }
    }
}

/// A short name of what was said and how it was signed.
fn digest(statement: &Statement) -> Hash {
    Hash::of(&tabella_protocol::codec::encode(statement))
}

#[cfg(test)]
pub(crate) mod tests {
    use tabella_protocol::{ConsensusVote, ConsensusVoteKind, SignedVote, SigningKey};

    use super::*;

    /// A vote of the network whose genesis is [`Hash::ZERO`].
    pub(crate) fn vote(key: &SigningKey, height: u64, round: u32, value: u64) -> Statement {
        let vote = ConsensusVote {
            kind: ConsensusVoteKind::Prevote,
            height,
            round,
            value: Some(Hash::of(&value.to_be_bytes())),
            validator: key.public(),
        };
        let signature = key.sign(&vote.signing_bytes(&Hash::ZERO));
        Statement::Vote(SignedVote { vote, signature })
    }

    #[test]
    fn few_different_statements_of_a_step_are_heard_and_each_is_verified_once() {
        let key = SigningKey::from_seed([1; 32]);
        let mut said = Said::default();
        for value in 0..DIFFERENT_MAX as u64 {
            let statement = vote(&key, 5, 0, value);
            assert_eq!(said.known(&statement), Known::New);
            let seal = if value == 0 {
                Seal::Forged
            } else {
                Seal::Sound
            };
            said.remember(&statement, seal);
            assert_eq!(said.known(&statement), Known::Before(seal));
        }
        assert_eq!(said.known(&vote(&key, 5, 0, 9)), Known::TooMany);
        assert_eq!(said.known(&vote(&key, 5, 1, 9)), Known::New, "another step");
    }

    #[test]
    fn memory_is_bounded_and_the_last_steps_stay() {
        let key = SigningKey::from_seed([1; 32]);
        let mut said = Said::default();
        for round in 0..STEPS_MAX as u32 + 10 {
            said.remember(&vote(&key, 5, round, 0), Seal::Sound);
        }
        assert_eq!(said.0.len(), STEPS_MAX);
        assert_eq!(said.known(&vote(&key, 5, 0, 0)), Known::New);
        let last = vote(&key, 5, STEPS_MAX as u32 + 9, 0);
        assert_eq!(said.known(&last), Known::Before(Seal::Sound));
    }
}
