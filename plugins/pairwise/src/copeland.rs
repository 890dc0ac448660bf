//! Copeland's rule.

use alloc::format;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::{Duels, Judgement, Measure, Method};

/// The most comparisons won win, a tied comparison counting half. `votes` are those points.
pub struct CopelandMethod;

impl Method for CopelandMethod {
    const MANIFEST: Manifest = Manifest::new(
        "copeland",
        env!("CARGO_PKG_VERSION"),
        "The option that wins the most head-to-head comparisons wins; a tie counts half.",
    )
    .licence("Apache-2.0")
    .definition("A. H. Copeland, A reasonable social welfare function, 1951");

    fn measure(_params: &Params) -> Measure {
        // Only who wins a comparison matters, not by how much.
        Measure::Winning
    }

    fn judge(contest: &Contest, duels: &Duels, _ties: &TieBreak) -> Judgement {
        let options = duels.len();
        let halves = |option: usize| {
            let others = (0..options).filter(|other| *other != option);
            let halves = others.map(|other| {
                match duels
                    .prefer(option, other)
                    .cmp(&duels.prefer(other, option))
                {
                    core::cmp::Ordering::Greater => 2,
                    core::cmp::Ordering::Equal => 1,
                    core::cmp::Ordering::Less => 0,
                }
            });
            halves.sum::<i128>()
        };
        let halves: Vec<i128> = (0..options).map(halves).collect();
        let most = halves.iter().copied().max().unwrap_or(0);
        let winners: Vec<usize> = (0..options)
            .filter(|option| halves[*option] == most)
            .collect();
        let reason = format!(
            "The most points from comparisons are {} of {}: {}.",
            points(most),
            options - 1,
            contest.list(&winners),
        );
        Judgement {
            votes: halves.into_iter().map(points).collect(),
            winners,
            reason,
        }
    }
}

fn points(halves: i128) -> Number {
    match halves % 2 {
        0 => Number::Integer(halves / 2),
        _ => Number::Decimal {
            units: halves * 5,
            places: 1,
        },
    }
}
