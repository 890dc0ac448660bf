//! `stv`.

use serde_json::json;
use tabella_rule_stv::Stv;

use crate::agreement::{check, draw, ranks};

const RULES: [&str; 5] = [
    "scottish",
    "wigm",
    "meek",
    "fractional-gregory",
    "australian-senate",
];

#[test]
fn wasm_and_native_agree() {
    for rules in RULES {
        for seed in 1..15 {
            let params = json!({"seats": 1 + seed % 4, "rules": rules});
            check::<Stv>("stv", 5, params, &draw(seed, 9, 5, 9, ranks));
        }
        check::<Stv>("stv", 2, json!({"seats": 2, "rules": rules}), "");
    }
}

/// Every ranking of 80,000 is another one; many options are elected on the way.
fn many_ballots(rules: &str) {
    let favour = |values: &[u64]| {
        let weighed = |(option, value): (usize, &u64)| 1 + value * (option as u64 + 3);
        let values: Vec<_> = values.iter().enumerate().map(weighed).collect();
        ranks(&values)
    };
    let ballots = draw(43, 80_000, 35, 1_000_000, favour);
    for seats in [5, 17, 28, 33] {
        let params = json!({"seats": seats, "rules": rules});
        let fuel = check::<Stv>("stv", 35, params, &ballots);
        println!("{rules}, {seats} seats: {fuel} fuel");
    }
}

#[test]
fn many_ballots_by_scottish_rules() {
    many_ballots("scottish");
}

#[test]
fn many_ballots_by_wigm() {
    many_ballots("wigm");
}

#[test]
fn many_ballots_by_meek() {
    many_ballots("meek");
}

#[test]
fn many_ballots_by_fractional_gregory() {
    many_ballots("fractional-gregory");
}

#[test]
fn many_ballots_by_the_senates_rules() {
    many_ballots("australian-senate");
}

#[test]
fn the_largest_contest() {
    let line = |option: usize| format!("{}: o{option} > o{}\n", 1 + option % 7, 255 - option);
    let ballots: String = (0..128).map(line).collect();
    check::<Stv>("stv", 256, json!({"seats": 9}), &ballots);
}
