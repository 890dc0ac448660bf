//! Every way to decide the ties of a count, where they are only to be reported.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::InstantRunoff;
use crate::count::Step;

/// Sets of continuing options to look at, at most. A contest with more ways than that reports the
/// winners of those it followed, which include every option that the first of them elect.
const SETS_MAX: usize = 4_096;

/// The options that win in at least one way to decide the ties, in the order of the contest.
pub(crate) fn winners(rule: &InstantRunoff, profile: &Profile<Ranking>) -> Vec<usize> {
    let mut winners = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![true; rule.contest.len()]];
    while let Some(continuing) = open.pop() {
        if seen.len() == SETS_MAX || !seen.insert(continuing.clone()) {
            continue;
        }
        let without = |leaving: &[usize]| {
            let mut next = continuing.clone();
            for option in leaving {
                next[*option] = false;
            }
            next
        };
        match rule.step(&rule.standing(profile, &continuing), &continuing) {
            Step::Over { winner } => winners.extend(winner),
            Step::Eliminate(leaving) => open.push(without(&leaving)),
            Step::Tie(tied) => open.extend(tied.iter().map(|option| without(&[*option]))),
        }
    }
    winners.into_iter().collect()
}
