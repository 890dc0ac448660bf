//! Thiele's method: sequential proportional approval voting.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::voters::{Voters, best};

/// Elects up to `seats` options, in order.
pub(crate) fn elect(voters: &Voters, seats: usize, lots: &mut Lots<'_>) -> Vec<usize> {
    let mut elected: Vec<usize> = Vec::new();
    // By ballot, how many of its options are elected.
    let mut satisfied = vec![0u32; voters.weights.len()];
    // A multiple of every 1, 2, ... that a weight is divided by so far.
    let mut multiple = Natural::from(1);
    while elected.len() < seats {
        let classes = elected.len() + 1;
        multiple = multiple.times(classes as u64);
        let parts: Vec<Natural> = (1..=classes as u32)
            .map(|divisor| multiple.divided(divisor))
            .collect();
        let open = (0..voters.supporters.len())
            .filter(|option| !elected.contains(option) && voters.approvals[*option] > 0);
        let scores = open.map(|option| {
            let mut score = Natural::default();
            let weights = voters.by_class(option, &satisfied, classes);
            for (weight, part) in weights.iter().zip(&parts) {
                score.add_times(part, *weight);
            }
            (option, score)
        });
        let Some((tied, _)) = best(scores, |a, b| b.cmp(a)) else {
            break;
        };
        let question = format!("seat {}", elected.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        for ballot in &voters.supporters[option] {
            satisfied[*ballot as usize] += 1;
        }
        elected.push(option);
    }
    elected
}
