//! Schulze's rule.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::{Duels, Judgement, Method, STRENGTH, name};

/// Schulze's rule: a path of majorities is as strong as its weakest; an option beats another by a
/// stronger path. `votes` are the options that an option beats so.
pub struct SchulzeMethod;

impl Method for SchulzeMethod {
    const MANIFEST: Manifest = Manifest::new(
        "schulze",
        env!("CARGO_PKG_VERSION"),
        "The option whose paths of majorities are at least as strong as every other's wins.",
    )
    .licence("Apache-2.0")
    .definition("M. Schulze, Social Choice and Welfare 36, 2011, pp. 267-303")
    .params(&[STRENGTH]);

    fn judge(contest: &Contest, duels: &Duels, _ties: &TieBreak) -> Judgement {
        let options = duels.len();
        let paths = strongest_paths(duels);
        let path = |from: usize, to: usize| paths[from * options + to];
        let beaten = |option: usize| {
            let others = (0..options).filter(move |other| *other != option);
            others.filter(move |other| path(option, *other) > path(*other, option))
        };
        let unbeaten =
            |option: &usize| (0..options).all(|other| path(*option, other) >= path(other, *option));
        let winners: Vec<usize> = (0..options).filter(unbeaten).collect();
        let reason = match winners[..] {
            [winner] => against_the_others(contest, winner, path),
            _ => String::from("Their paths of majorities to each other are equally strong."),
        };
        Judgement {
            votes: (0..options)
                .map(|option| (beaten(option).count() as u64).into())
                .collect(),
            winners,
            reason,
        }
    }
}

/// Row by row, the strength of the strongest path from the row's option to the column's.
fn strongest_paths(duels: &Duels) -> Vec<u64> {
    let options = duels.len();
    let mut paths: Vec<u64> = Vec::with_capacity(options * options);
    for from in 0..options {
        paths.extend((0..options).map(|to| duels.strength(from, to)));
    }
    for by in 0..options {
        let onward = paths[by * options..][..options].to_vec();
        for from in (0..options).filter(|from| *from != by) {
            let row = &mut paths[from * options..][..options];
            let first = row[by];
            for (strength, second) in row.iter_mut().zip(&onward) {
                *strength = (*strength).max(first.min(*second));
            }
            // A path back to where it starts says nothing.
            row[from] = 0;
        }
    }
    paths
}

fn against_the_others(
    contest: &Contest,
    winner: usize,
    path: impl Fn(usize, usize) -> u64,
) -> String {
    const SHOWN_MAX: usize = 12;
    let mut text = format!("The strongest path from {}", name(contest, winner));
    let others = (0..contest.len()).filter(|option| *option != winner);
    for (position, other) in others.enumerate() {
        if position == SHOWN_MAX {
            text.push_str(", and so on");
            break;
        }
        text.push_str(&format!(
            "{} to {} is {} strong, back {}",
            if position > 0 { "," } else { "" },
            name(contest, other),
            path(winner, other),
            path(other, winner),
        ));
    }
    text.push('.');
    text
}
