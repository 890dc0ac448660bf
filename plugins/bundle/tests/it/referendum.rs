//! `referendum`.

use serde_json::json;
use tabella_rule_referendum::Referendum;

use crate::agreement::check;

#[test]
fn wasm_and_native_agree() {
    let ballots = "5: o0\n4: o1\n3: o2\n2:";
    for majority in ["1/2", "2/3", "5/9", "1/3"] {
        for abstentions in ["counted", "not-counted"] {
            for roll in [14, 40] {
                let params = json!({
                    "majority": majority,
                    "abstentions": abstentions,
                    "quorum": "1/2",
                    "roll": roll,
                });
                check::<Referendum>("referendum", 3, params, ballots);
            }
        }
    }
    check::<Referendum>("referendum", 2, json!({}), "");
}
