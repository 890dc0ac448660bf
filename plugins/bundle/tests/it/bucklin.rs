//! `bucklin`.

use serde_json::json;
use tabella_rule_bucklin::Bucklin;

use crate::agreement::{check, draw, ranks};

#[test]
fn wasm_and_native_agree() {
    for seed in 1..30 {
        check::<Bucklin>("bucklin", 5, json!({}), &draw(seed, 9, 5, 5, ranks));
    }
    check::<Bucklin>("bucklin", 2, json!({}), "");
}

#[test]
fn many_ballots() {
    check::<Bucklin>("bucklin", 35, json!({}), &draw(37, 80_000, 35, 90, ranks));
}

/// No option has a majority before the last round.
#[test]
fn the_largest_contest() {
    let ballots = (0..256).map(|option| format!("o{option}\n"));
    let long = (0..256)
        .map(|option| format!("o{option}"))
        .collect::<Vec<_>>()
        .join(" > ");
    let ballots = ballots.collect::<String>() + &long;
    check::<Bucklin>("bucklin", 256, json!({}), &ballots);
}
