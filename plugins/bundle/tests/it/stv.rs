//! `stv`.

use serde_json::json;
use tabella_rule_stv::Stv;

use crate::agreement::{check, draw, ranks};

const RULES: [&str; 4] = ["scottish", "wigm", "meek", "fractional-gregory"];

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
