//! Thiele's method: sequential proportional approval voting.

use alloc::format;
use alloc::vec::Vec;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::voters::{Assigned, Voters, best_now, take};

/// Elects up to `seats` options, in order.
pub(crate) fn elect(voters: &Voters, seats: usize, lots: &mut Lots<'_>) -> Vec<usize> {
    let mut elected: Vec<usize> = Vec::new();
    // By ballot, how many of its options are elected.
    let mut satisfied = Assigned::all_to(0, voters);
    // A multiple of every 1, 2, ... that a weight is divided by so far.
    let mut multiple = Natural::from(1);
    // By option, its score when it was last looked at: at first each approval weighs 1.
    let mut open: Vec<(usize, Natural)> = (0..voters.supporters.len())
        .filter(|option| voters.approvals[*option] > 0)
        .map(|option| (option, Natural::from(voters.approvals[option])))
        .collect();
    while elected.len() < seats {
        let classes = elected.len() + 1;
        multiple = multiple.times(classes as u64);
        for (_, score) in &mut open {
            *score = score.times(classes as u64);
        }
        let parts: Vec<Natural> = (1..=classes as u32)
            .map(|divisor| multiple.divided(divisor))
            .collect();
        let score_now = |option: usize| {
            let mut score = Natural::default();
            let weights = voters.by_class(option, &satisfied, classes);
            for (weight, part) in weights.iter().zip(&parts) {
                score.add_times(part, *weight);
            }
            Some(score)
        };
        // A ballot weighs less with each of its options that is elected.
        let tied = best_now(&mut open, score_now, |a, b| b.cmp(a));
        if tied.is_empty() {
            break;
        }
        let question = format!("seat {}", elected.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        for ballot in &voters.supporters[option] {
            *satisfied.class_mut(*ballot) += 1;
        }
        take(&mut open, option);
        elected.push(option);
    }
    elected
}
