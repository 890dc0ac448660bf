//! `schulze`, `ranked-pairs`, `minimax` and `copeland`.

use serde_json::json;
use tabella_rule_pairwise::{Copeland, Minimax, OPTIONS_MAX, RankedPairs, Schulze};

use crate::agreement::{check, draw, ranks};

/// All four rules; the fuel of each.
fn check_all(options: usize, strength: &str, ballots: &str) -> [u64; 4] {
    let params = || json!({ "strength": strength });
    [
        check::<Schulze>("schulze", options, params(), ballots),
        check::<RankedPairs>("ranked-pairs", options, params(), ballots),
        check::<Minimax>("minimax", options, params(), ballots),
        check::<Copeland>("copeland", options, json!({}), ballots),
    ]
}

#[test]
fn wasm_and_native_agree() {
    for strength in ["winning", "margins"] {
        for seed in 1..15 {
            check_all(5, strength, &draw(seed, 7, 5, 6, ranks));
        }
        check_all(3, strength, "");
    }
}

#[test]
fn many_ballots() {
    check_all(35, "winning", &draw(17, 80_000, 35, 90, ranks));
}

/// As many options as there may be, all of them ranked by every ballot.
#[test]
fn the_largest_contest() {
    let ranked_all = |values: &[u64]| ranks(&values.iter().map(|v| v + 1).collect::<Vec<_>>());
    check_all(
        OPTIONS_MAX,
        "margins",
        &draw(19, 2_000, OPTIONS_MAX, 1_000_000, ranked_all),
    );
}

/// Few ballots over many options: most majorities are equal, and can be ordered in very many ways.
#[test]
fn the_most_ties() {
    check_all(
        OPTIONS_MAX,
        "winning",
        &draw(23, 3, OPTIONS_MAX, 1_000_000, ranks),
    );
    check_all(30, "winning", &draw(29, 5, 30, 1_000_000, ranks));
    check_all(12, "margins", &draw(31, 5, 12, 1_000_000, ranks));
}
