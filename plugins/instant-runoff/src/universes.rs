//! Every way to decide the ties of a count, where they are only to be reported.

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::InstantRunoff;
use crate::count::{State, Step};

/// States to look at, at most. A contest with more of them reports the winners of those it followed.
const STATES_MAX: usize = 4_096;

/// The options that win in at least one way to decide the ties, in the order of the contest.
pub(crate) fn winners(rule: &InstantRunoff, profile: &Profile<Ranking>) -> Vec<usize> {
    let mut winners = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![State::start(rule.contest.len())];
    while let Some(mut state) = open.pop() {
        if seen.len() == STATES_MAX || !seen.insert(state.clone()) {
            continue;
        }
        let standing = rule.standing(profile, &mut state);
        let without = |leaving: &[usize]| {
            let mut next = state.clone();
            next.eliminate(leaving);
            next
        };
        match rule.step(&standing, &state.continuing) {
            Step::Over { winner } => winners.extend(winner),
            Step::Eliminate(leaving) => open.push(without(&leaving)),
            Step::Tie(tied) => open.extend(tied.iter().map(|option| without(&[*option]))),
        }
    }
    winners.into_iter().collect()
}
