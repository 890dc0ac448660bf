//! Every way to decide the ties of a count, where they are only to be reported.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;

use crate::InstantRunoff;
use crate::count::{Ballots, State, Step};

/// States to look at, at most. A contest with more of them reports the winners of those it followed.
const STATES_MAX: usize = 4_096;

/// Distinct ballots to look at in all those states together, at most.
const BALLOTS_MAX: usize = 20_000_000;

/// The options that win in at least one way to decide the ties, in the order of the contest.
pub(crate) fn winners(rule: &InstantRunoff, ballots: &Ballots<'_>) -> Vec<usize> {
    let states_max = STATES_MAX.min(BALLOTS_MAX / ballots.len().max(1));
    let mut winners = BTreeSet::new();
    let mut seen = BTreeSet::new();
    // Who leaves which state.
    let start = |elected: &[usize]| Rc::new(State::start(rule.contest.len(), ballots, elected));
    let mut open = vec![(start(&[]), Vec::new(), Vec::new())];
    while let Some((before, leaving, elected)) = open.pop() {
        let mut state = Rc::unwrap_or_clone(before);
        state.eliminate(&leaving);
        if seen.len() == states_max || !seen.insert((state.key(), elected.clone())) {
            continue;
        }
        let standing = rule.standing(ballots, &mut state);
        let step = rule.step(&standing, &mut state);
        let state = Rc::new(state);
        match step {
            Step::Over { winners: now } => {
                winners.extend(now.iter().copied());
                let mut elected: Vec<usize> = elected.into_iter().chain(now.clone()).collect();
                // Who was elected first makes no difference to what follows.
                elected.sort_unstable();
                if !now.is_empty() && rule.has_more_seats(&elected) {
                    open.push((start(&elected), Vec::new(), elected));
                }
            }
            Step::Eliminate(leaving) | Step::Exclude(leaving, _) => {
                open.push((state, leaving, elected));
            }
            Step::ByEarlierRounds { leaves, .. } => open.push((state, vec![leaves], elected)),
            Step::Tie(tied) => {
                let each = tied.into_iter();
                open.extend(each.map(|option| (state.clone(), vec![option], elected.clone())));
            }
        }
    }
    winners.into_iter().collect()
}
