//! One paper, and the papers of an election.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_contest::{Paper, PluginLimits, encode_choice};

use crate::{config, manifest, paper};

/// A ballot's bytes, what they are read as, and that these are the same ballot.
fn check(paper: &Paper, ballot: Value, expected: Expect) {
    let text = match paper.encode(&ballot) {
        Err(error) => error.to_string(),
        Ok(bytes) => {
            let shown = paper.decode(&bytes).unwrap();
            assert_eq!(paper.encode(&shown).unwrap(), bytes);
            format!("{bytes:?} {shown}")
        }
    };
    expected.assert_eq(&text);
}

#[test]
fn a_ballot_of_each_kind() {
    let kinds = [
        (
            "choice",
            json!({"choice": "b"}),
            expect![[r#"[1] {"choice":"b"}"#]],
        ),
        (
            "approval",
            json!({"approve": ["c", "a"]}),
            expect![[r#"[0, 2] {"approve":["a","c"]}"#]],
        ),
        (
            "ranking",
            json!({"ranking": ["c", ["b", "a"]]}),
            expect![[r#"[4, 0, 3] {"ranking":["c",["a","b"]]}"#]],
        ),
        (
            "scores",
            json!({"scores": {"b": 300}}),
            expect![[r#"[1, 172, 2] {"scores":{"b":300}}"#]],
        ),
        (
            "votes",
            json!({"votes": {"a": 1}}),
            expect![[r#"[0, 1] {"votes":{"a":1}}"#]],
        ),
        (
            "raw",
            json!({"raw": "AAE="}),
            expect![[r#"[0, 1] {"raw":"AAE="}"#]],
        ),
    ];
    for (kind, ballot, expected) in kinds {
        check(&paper(&manifest(kind, json!([]))), ballot, expected);
    }
    let grades = json!([{"name": "grades", "kind": "texts", "default": ["poor", "good"]}]);
    let graded = paper(&manifest("grades", grades));
    check(
        &graded,
        json!({"grades": {"c": "good"}}),
        expect![[r#"[2, 1] {"grades":{"c":"good"}}"#]],
    );
    check(
        &graded,
        json!({"grades": {"c": "fine"}}),
        expect![[r#"/grades/c: expected one of poor, good, found "fine""#]],
    );
}

#[test]
fn marks_are_taken_where_the_rule_takes_them() {
    let mut rule = manifest("ranking", json!([]));
    let marked = json!({"ranking": ["a", [], {"mark": "other"}]});
    check(
        &paper(&rule),
        marked.clone(),
        expect!["/ranking/1: a rank names at least one option"],
    );
    rule.marks = true;
    check(
        &paper(&rule),
        marked,
        expect![[r#"[1, 3, 0, 0, 2] {"ranking":["a",[],{"mark":"other"}]}"#]],
    );
}

#[test]
fn foreign_bytes_are_refused() {
    let paper = paper(&manifest("choice", json!([])));
    for bytes in [&[3][..], &[1, 1], &[0x80]] {
        assert!(paper.decode(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn several_contests_are_named() {
    let (choice, ranking) = (
        manifest("choice", json!([])),
        manifest("ranking", json!([])),
    );
    let (mayor, council) = (paper(&choice), paper(&ranking));
    let check = |ballot: Value, expected: Expect| {
        let contests = [("mayor", &mayor), ("council", &council)];
        let text = match encode_choice(contests, &ballot) {
            Ok(bytes) => format!("{bytes:?}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    };
    let own = json!({"choice": "a"});
    assert_eq!(
        encode_choice([("mayor", &mayor)], &own).unwrap(),
        [mayor.encode(&own).unwrap()]
    );
    check(
        json!({"council": {"ranking": ["b"]}, "mayor": own}),
        expect!["[[0], [2]]"],
    );
    check(
        own,
        expect!["expected an object with one ballot for each contest: mayor, council"],
    );
    check(
        json!({"mayor": {"choice": "a"}, "council": {"ranking": ["d"]}}),
        expect![[r#"contest 2: /ranking/0: "d" is not an option of this contest"#]],
    );
}

#[test]
fn a_configuration_has_one_form_and_says_what_is_wrong() {
    let rule = manifest(
        "choice",
        json!([
            {"name": "seats", "kind": "integer", "min": 1, "max": 9, "default": 1},
            {"name": "floor", "kind": "decimal", "places": 2, "optional": true},
        ]),
    );
    let limits = PluginLimits::default();
    let check = |params: Value, expected: Expect| {
        expected.assert_eq(&match config(params).encode(&rule, &limits) {
            Ok(bytes) => format!("{bytes:?}"),
            Err(error) => error.to_string(),
        });
    };
    check(
        json!({}),
        expect!["[3, 1, 97, 1, 97, 1, 98, 1, 98, 1, 99, 1, 99, 2, 1, 2, 0]"],
    );
    check(
        json!({"seats": 1}),
        expect!["[3, 1, 97, 1, 97, 1, 98, 1, 98, 1, 99, 1, 99, 2, 1, 2, 0]"],
    );
    check(
        json!({"seats": 2, "floor": "2.5"}),
        expect!["[3, 1, 97, 1, 97, 1, 98, 1, 98, 1, 99, 1, 99, 2, 1, 4, 5, 244, 3]"],
    );
    check(
        json!({"seats": 0}),
        expect!["/params/seats: expected an integer from 1 to 9, found 0"],
    );
    check(
        json!({"seat": 1}),
        expect!["/params/seat: rule has no such parameter; it has: seats, floor"],
    );
}
