//! `borda`.

use serde_json::json;
use tabella_rule_borda::Borda;

use crate::agreement::{check, draw, ranks};

#[test]
fn wasm_and_native_agree() {
    for unranked in ["average", "zero"] {
        for dowdall in [false, true] {
            let params = json!({"unranked": unranked, "dowdall": dowdall});
            for seed in 1..15 {
                check::<Borda>("borda", 5, params.clone(), &draw(seed, 9, 5, 5, ranks));
            }
            check::<Borda>("borda", 5, params, "");
        }
    }
}

#[test]
fn many_ballots() {
    let ballots = draw(13, 80_000, 35, 90, ranks);
    check::<Borda>("borda", 35, json!({}), &ballots);
    check::<Borda>("borda", 35, json!({"dowdall": true}), &ballots);
}
