//! Whose turn it is to propose, from nothing but the chain.
//!
//! Proposers take turns in the order of genesis. One that missed its turn (another validator's block
//! stands at its height) is asked last for a while, doubling with every further miss, so that a dead
//! validator does not cost every n-th height a timeout; one block of its own brings it back.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{PublicKey, ValidatorInfo};

/// Longest time for which a validator is asked last after a miss, in heights.
const DEMOTION_HEIGHTS_MAX: u64 = 256;

/// A validator that missed its last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Absence {
    /// For how many heights it is asked last.
    demotion_heights: u64,
    /// The first height at which it has its turn again.
    until_height: u64,
}

pub(crate) type Absences = BTreeMap<PublicKey, Absence>;

/// The order in which validators may propose at `height`: its round `r` is `order[r % n]`'s.
pub(crate) fn order(
    height: u64,
    validators: &[ValidatorInfo],
    absent: &Absences,
) -> Vec<PublicKey> {
    let n = validators.len() as u64;
    let rotated = (0..n).map(|i| validators[((height + i) % n) as usize].public_key);
    let demoted = |key: &PublicKey| absent.get(key).is_some_and(|a| height < a.until_height);
    let (last, first): (Vec<_>, Vec<_>) = rotated.partition(demoted);
    first.into_iter().chain(last).collect()
}

/// Notes that `proposer` built the block at `height`, and who was asked before it in vain.
pub(crate) fn record(
    height: u64,
    proposer: PublicKey,
    validators: &[ValidatorInfo],
    absent: &mut Absences,
) {
    let order = order(height, validators, absent);
    for missed in order.iter().take_while(|key| **key != proposer) {
        let before = absent
            .get(missed)
            .map_or(1, |absence| absence.demotion_heights);
        let demotion_heights = (before * 2).min(DEMOTION_HEIGHTS_MAX);
        let until_height = height + 1 + demotion_heights;
        absent.insert(
            *missed,
            Absence {
                demotion_heights,
                until_height,
            },
        );
    }
    absent.remove(&proposer);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validators() -> Vec<ValidatorInfo> {
        let each = [1, 2, 3].map(|n| (format!("validator-{n}"), PublicKey([n; 32])));
        each.map(|(node_id, public_key)| ValidatorInfo {
            node_id,
            public_key,
        })
        .to_vec()
    }

    #[test]
    fn everyone_in_turn_while_everyone_proposes() {
        let (validators, mut absent) = (validators(), Absences::new());
        let mut turns = Vec::new();
        for height in 1..=6 {
            let first = order(height, &validators, &absent)[0];
            turns.push(first.0[0]);
            record(height, first, &validators, &mut absent);
        }
        assert_eq!(turns, [2, 3, 1, 2, 3, 1]);
        assert!(absent.is_empty());
    }

    #[test]
    fn a_dead_proposer_costs_ever_fewer_heights_and_comes_back() {
        let (validators, mut absent) = (validators(), Absences::new());
        let dead = PublicKey([3; 32]);
        let mut missed = Vec::new();
        for height in 1..=2_000 {
            let order = order(height, &validators, &absent);
            if order[0] == dead {
                missed.push(height);
            }
            let alive = order.into_iter().find(|key| *key != dead).unwrap();
            record(height, alive, &validators, &mut absent);
        }
        assert!(
            missed.len() < 16,
            "asked first {} times: {missed:?}",
            missed.len()
        );
        let height = 3_000;
        assert_eq!(order(height, &validators, &absent).len(), 3);
        record(height, dead, &validators, &mut absent);
        assert!(!absent.contains_key(&dead));
    }
}
