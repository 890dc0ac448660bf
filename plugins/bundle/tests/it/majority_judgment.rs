//! `majority-judgment`.

use serde_json::json;
use tabella_rule_majority_judgment::MajorityJudgment;

use crate::agreement::{check, draw, values};

#[test]
fn wasm_and_native_agree() {
    for ties in ["iterated", "gauge"] {
        let params = json!({"grades": ["bad", "fair", "good", "best"], "ties": ties});
        for seed in 1..20 {
            let ballots = draw(seed, 9, 4, 3, values);
            check::<MajorityJudgment>("majority-judgment", 4, params.clone(), &ballots);
        }
        check::<MajorityJudgment>("majority-judgment", 4, params, "");
    }
}

#[test]
fn many_ballots() {
    let params = json!({"grades": ["0", "1", "2", "3", "4", "5"]});
    let ballots = draw(43, 80_000, 35, 5, values);
    check::<MajorityJudgment>("majority-judgment", 35, params, &ballots);
}
