//! `plurality`.

use serde_json::json;
use tabella_rule_plurality::Plurality;

use crate::agreement::{check, draw, marks};

#[test]
fn wasm_and_native_agree() {
    for seed in 1..20 {
        let params = json!({"max_choices": 5});
        check::<Plurality>("plurality", 5, params, &draw(seed, 12, 5, 2, marks));
    }
    check::<Plurality>("plurality", 2, json!({}), "");
}

#[test]
fn the_largest_contest() {
    let params = json!({"max_choices": 4_096});
    check::<Plurality>("plurality", 4_096, params, &draw(7, 100, 4_096, 1, marks));
}
