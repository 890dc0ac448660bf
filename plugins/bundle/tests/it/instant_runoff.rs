//! `instant-runoff`.

use serde_json::json;
use tabella_rule_instant_runoff::InstantRunoff;

use crate::agreement::{check, draw, options, ranks};

#[test]
fn wasm_and_native_agree() {
    for overvote in ["exhaust-if-multiple-continuing", "exhaust", "skip"] {
        for seed in 1..15 {
            let params = json!({"overvote": overvote, "batch_elimination": seed % 2 == 0});
            check::<InstantRunoff>("instant-runoff", 5, params, &draw(seed, 9, 5, 5, ranks));
        }
    }
    check::<InstantRunoff>("instant-runoff", 2, json!({}), "");
}

/// Every ranking of 80,000 is another one, and all options are about equally popular.
#[test]
fn many_ballots() {
    let ballots = draw(43, 80_000, 35, 1_000_000, ranks);
    let params = json!({"until": "two"});
    let fuel = check::<InstantRunoff>("instant-runoff", 35, params, &ballots);
    println!("{fuel} fuel");
}

/// All of them tie in every round.
#[test]
fn the_largest_contest() {
    let ballots = options(256).replace(' ', "\n");
    check::<InstantRunoff>("instant-runoff", 256, json!({}), &ballots);
}
