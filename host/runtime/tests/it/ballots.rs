//! Ballots from JSON to bytes and back, and the rules' verdicts.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};
use tabella_runtime::{Contest, Verdict};

use crate::contest;

fn check(contest: &Contest, ballot: Value, expected: Expect) {
    let text = match contest.encode_ballot(&ballot) {
        Err(error) => error.to_string(),
        Ok(bytes) => {
            let shown = contest.decode_ballot(&bytes).unwrap();
            assert_eq!(contest.encode_ballot(&shown).unwrap(), bytes);
            format!("{bytes:?} {shown} {:?}", contest.validate(&bytes).unwrap())
        }
    };
    expected.assert_eq(&text);
}

/// Marks that a plain ranking cannot hold, and those that it can: these keep their old bytes.
#[test]
fn marked_rankings() {
    let contest = contest("instant-runoff", &["a", "b", "c"], json!({}));
    assert!(contest.manifest().marks);
    let check = |ballot, expected| check(&contest, ballot, expected);
    check(
        json!({"ranking": ["c", ["b", "a"], []]}),
        expect![[r#"[4, 0, 3] {"ranking":["c",["a","b"]]} Accept"#]],
    );
    check(
        json!({"ranking": ["a", [], "b", "a"]}),
        expect![[r#"[1, 3, 0, 0, 3, 1, 3, 0] {"ranking":["a",[],"b","a"]} Accept"#]],
    );
    check(
        json!({"ranking": [{"mark": "overvote"}, {"mark": "other"}, ["b", "a"]]}),
        expect![[
            r#"[1, 1, 2, 4, 0, 1] {"ranking":[{"mark":"overvote"},{"mark":"other"},["a","b"]]} Accept"#
        ]],
    );
    check(
        json!({"ranking": ["a", {"mark": "x"}]}),
        expect![[
            r#"/ranking/1: expected an option, a list of options, {"mark": "overvote"} or {"mark": "other"}, found {"mark":"x"}"#
        ]],
    );
    check(
        json!({"ranking": ["a", ["b", "b"]]}),
        expect![[r#"/ranking/1/1: "b" is named twice"#]],
    );
}

/// A rule that does not take marks refuses their bytes as no ballot of its kind.
#[test]
fn marks_and_a_rule_that_does_not_take_them() {
    let marked = contest("instant-runoff", &["a", "b", "c"], json!({}));
    let bytes = marked
        .encode_ballot(&json!({"ranking": ["a", [], "b"]}))
        .unwrap();
    let plain = contest("borda", &["a", "b", "c"], json!({}));
    assert!(!plain.manifest().marks);
    assert!(matches!(
        plain.validate(&bytes).unwrap(),
        Verdict::Reject { code: 1, .. }
    ));
    assert!(plain.decode_ballot(&bytes).is_err());
}

#[test]
fn rankings() {
    let contest = contest("borda", &["a", "b", "c"], json!({}));
    let check = |ballot, expected| check(&contest, ballot, expected);
    check(
        json!({"ranking": ["c", ["b", "a"]]}),
        expect![[r#"[4, 0, 3] {"ranking":["c",["a","b"]]} Accept"#]],
    );
    check(
        json!({"ranking": []}),
        expect![[r#"[] {"ranking":[]} Accept"#]],
    );
    check(
        json!({"ranking": ["a", "a"]}),
        expect![[r#"/ranking/1: "a" is named twice"#]],
    );
    check(
        json!({"ranking": ["a", ["b", "a"]]}),
        expect![[r#"/ranking/1/1: "a" is named twice"#]],
    );
    check(
        json!({"ranking": ["d"]}),
        expect![[r#"/ranking/0: "d" is not an option of this contest"#]],
    );
    check(
        json!({"ranking": ["a", []]}),
        expect!["/ranking/1: a rank names at least one option"],
    );
    check(
        json!({"ranking": ["a", 1]}),
        expect!["/ranking/1: expected an option id, found 1"],
    );
    check(
        json!({"ranking": "a"}),
        expect![[r#"/ranking: expected a list of option ids, found "a""#]],
    );
    check(
        json!({"ranking": ["a"], "weight": 2}),
        expect![[r#"/weight: unknown member; a ballot looks like {"ranking": ["…"]}"#]],
    );
    check(
        json!({"choice": "a"}),
        expect![[r#"/choice: unknown member; a ballot looks like {"ranking": ["…"]}"#]],
    );
    check(
        json!("a"),
        expect![[r#"expected a ballot such as {"ranking": ["…"]}"#]],
    );
    check(
        json!({}),
        expect![[r#"expected a ballot such as {"ranking": ["…"]}"#]],
    );
}

#[test]
fn choices() {
    let one = contest("plurality", &["a", "b", "c"], json!({}));
    check(
        &one,
        json!({"choice": "b"}),
        expect![[r#"[1] {"choice":"b"} Accept"#]],
    );
    check(
        &one,
        json!({"choices": ["b"]}),
        expect![[r#"[1] {"choice":"b"} Accept"#]],
    );
    check(
        &one,
        json!({"choices": []}),
        expect![[r#"[] {"choices":[]} Accept"#]],
    );
    check(
        &one,
        json!({"choices": ["c", "a"]}),
        expect![[
            r#"[0, 2] {"choices":["a","c"]} Reject { code: 2, message: "mark at most 1 option, not 2" }"#
        ]],
    );
    check(
        &one,
        json!({"choice": "b", "choices": ["b"]}),
        expect![[r#"expected a ballot such as {"choice": "…"}"#]],
    );
    let two = contest("plurality", &["a", "b", "c"], json!({"max_choices": 2}));
    check(
        &two,
        json!({"choices": ["c", "a"]}),
        expect![[r#"[0, 2] {"choices":["a","c"]} Accept"#]],
    );
    check(
        &two,
        json!({"choices": ["c", "a", "b"]}),
        expect![[
            r#"[0, 1, 2] {"choices":["a","b","c"]} Reject { code: 2, message: "mark at most 2 options, not 3" }"#
        ]],
    );
}

#[test]
fn bytes_that_are_no_ballot_are_refused() {
    let contest = contest("instant-runoff", &["a", "b", "c"], json!({}));
    let verdict = |bytes: &[u8]| format!("{:?}", contest.validate(bytes).unwrap());
    expect![[r#"Reject { code: 1, message: "the ballot's bytes are cut off or not canonical" }"#]]
        .assert_eq(&verdict(&[0xff]));
    expect![[
        r#"Reject { code: 1, message: "the ballot names an option that is not in the contest" }"#
    ]]
    .assert_eq(&verdict(&[6]));
    expect![[r#"Reject { code: 1, message: "the ballot names an option twice or out of order" }"#]]
        .assert_eq(&verdict(&[0, 0]));
    expect![[
        r#"Reject { code: 1, message: "the ballot has 20000 bytes, at most 16384 allowed" }"#
    ]]
    .assert_eq(&verdict(&[0; 20_000]));
}

#[test]
fn a_frontend_can_draw_the_ballot() {
    let contest = contest("instant-runoff", &["a", "b"], json!({}));
    expect![[r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","additionalProperties":false,"properties":{"ranking":{"items":{"anyOf":[{"oneOf":[{"const":"a","title":"a"},{"const":"b","title":"b"}]},{"items":{"oneOf":[{"const":"a","title":"a"},{"const":"b","title":"b"}]},"type":"array","uniqueItems":true},{"additionalProperties":false,"properties":{"mark":{"enum":["overvote","other"]}},"required":["mark"],"type":"object"}]},"type":"array"}},"required":["ranking"],"type":"object","x-ballot-kind":"ranking"}"#]].assert_eq(&contest.ballot_schema().to_string());
}

proptest! {
    /// Native and Wasm agree on what is a ballot, and each has one form.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(0u8..12, 0..6)) {
        let contest = shared();
        let accepted = contest.validate(&bytes).unwrap() == Verdict::Accept;
        let decoded = contest.decode_ballot(&bytes);
        prop_assert_eq!(accepted, decoded.is_ok());
        if let Ok(json) = decoded {
            prop_assert_eq!(contest.encode_ballot(&json).unwrap(), bytes);
        }
    }
}

fn shared() -> &'static Contest {
    static CONTEST: std::sync::OnceLock<Contest> = std::sync::OnceLock::new();
    CONTEST.get_or_init(|| contest("instant-runoff", &["a", "b", "c", "d", "e"], json!({})))
}
