//! `cumulative` and `quadratic`.

use serde_json::json;
use tabella_rule_cumulative::{Cumulative, Quadratic};

use crate::agreement::{check, draw, values};

#[test]
fn wasm_and_native_agree() {
    for seed in 1..20 {
        let ballots = draw(seed, 9, 4, 3, values);
        check::<Cumulative>("cumulative", 4, json!({"credits": 12}), &ballots);
        check::<Quadratic>("quadratic", 4, json!({"credits": 36}), &ballots);
    }
    check::<Cumulative>("cumulative", 2, json!({"credits": 1}), "");
    check::<Quadratic>("quadratic", 2, json!({"credits": 1}), "");
}

#[test]
fn many_ballots() {
    let ballots = draw(41, 80_000, 35, 9, values);
    check::<Cumulative>("cumulative", 35, json!({"credits": 1_000}), &ballots);
    check::<Quadratic>("quadratic", 35, json!({"credits": 10_000}), &ballots);
}
