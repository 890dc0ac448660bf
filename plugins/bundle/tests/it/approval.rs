//! `approval`.

use serde_json::json;
use tabella_rule_approval::Approval;

use crate::agreement::{check, draw, marks};

#[test]
fn wasm_and_native_agree() {
    for seed in 1..20 {
        check::<Approval>("approval", 5, json!({}), &draw(seed, 12, 5, 2, marks));
    }
    check::<Approval>(
        "approval",
        3,
        json!({"min_choices": 0, "max_choices": 3}),
        "",
    );
}

#[test]
fn the_largest_contest() {
    check::<Approval>("approval", 4_096, json!({}), &draw(7, 100, 4_096, 1, marks));
}
