//! `score` and `star`.

use serde_json::json;
use tabella_rule_scoring::{Score, Star};

use crate::agreement::{check, draw, values};

#[test]
fn wasm_and_native_agree() {
    for seed in 1..30 {
        let ballots = draw(seed, 9, 4, 3, values);
        check::<Score>("score", 4, json!({"max": 3}), &ballots);
        check::<Star>("star", 4, json!({"max": 3}), &ballots);
    }
    check::<Score>("score", 2, json!({}), "");
    check::<Star>("star", 2, json!({}), "");
}

#[test]
fn many_ballots() {
    let ballots = draw(11, 80_000, 35, 5, values);
    check::<Score>("score", 35, json!({}), &ballots);
    check::<Star>("star", 35, json!({}), &ballots);
}
