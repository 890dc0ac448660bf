//! BLT files.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_election_files::Spoiled;

use crate::summary;

fn election() -> Value {
    json!({ "options": [{"id": "a", "title": "Ann"}, {"id": "b", "title": "Bea"}, {"id": "c", "title": "Cyd"}] })
}

fn check(rule: &str, text: &str, expected: Expect) {
    let shown = summary(rule, &election(), "x.blt", text, Spoiled::Count);
    expected.assert_eq(&shown);
}

const NAMES: &str = "\"Cyd\"\n\"Ann\"\n\"Bea\"\n\"A title\"\n";

#[test]
fn candidates_are_options_by_name() {
    let text = format!("3 1\n4 1 2 0\n3 2 - 3 0 # a comment\n(x 1) 2 3=2 1 0\n0\n{NAMES}");
    check(
        "instant-runoff",
        &text,
        expect![[r#"
            "a" 3, "b" 0, "c" 4; winners ["c"]; 9 counted, 0 spoiled
        "#]],
    );
    check(
        "plurality",
        &text,
        expect![[r#"
            "a" 3, "b" 0, "c" 4; winners ["c"]; 7 counted, 2 spoiled
            x.blt:4: the rule refuses it: mark at most 1 option, not 2
        "#]],
    );
}

#[test]
fn candidates_without_names_are_options_by_place() {
    check(
        "instant-runoff",
        "3 1\n4 1 2 0\n3 3 0\n1 0\n0\n",
        expect![[r#"
            "a" 4, "b" 0, "c" 3; winners ["a"]; 8 counted, 0 spoiled
        "#]],
    );
}

#[test]
fn withdrawn_candidates_are_passed_over() {
    check(
        "instant-runoff",
        &format!("3 1\n-1\n4 1 2 0\n3 3 0\n2 1 0\n0\n{NAMES}"),
        expect![[r#"
            "a" 4, "b" 3, "c" 0; winners ["a"]; 9 counted, 0 spoiled
        "#]],
    );
}

#[test]
fn unreadable_ballots() {
    check(
        "instant-runoff",
        &format!(
            "3 1\n1 1 4 0\n2 1 2\n3 1 1 0\nx 1 0\n1 1=x 0\n1 1 0 2\n(b 1 0\n1 1,2 0\n1 3 0\n0\n{NAMES}"
        ),
        expect![[r#"
            "a" 0, "b" 1, "c" 3; winners ["c"]; 4 counted, 8 spoiled
            x.blt:2: expected a candidate from 1 to 3, found "4"
            x.blt:3: expected `0` at the end of the ballot
            x.blt:5: expected a number of ballots, found "x"
            x.blt:6: expected a candidate from 1 to 3, found "x"
            x.blt:7: expected the line to end, found "2"
            x.blt:8: the ballot's id has no closing parenthesis
            x.blt:9: expected a candidate from 1 to 3, found "1,2"
        "#]],
    );
}

#[test]
fn unreadable_files() {
    for (text, expected) in [
        (
            "",
            expect!["x.blt:1: expected the numbers of candidates and seats, found nothing\n"],
        ),
        (
            "3\n",
            expect![[r#"
            x.blt:1: expected the numbers of candidates and seats, such as `4 2`, found "3"
        "#]],
        ),
        (
            "3 1\n1 1 0\n",
            expect![[r#"
            x.blt:2: the file ends before the line with only `0` that ends the ballots
        "#]],
        ),
        (
            "3 1\n1 1 0\n\"Ann\"\n",
            expect![[r#"
            x.blt:3: expected a line with only `0` after the last ballot, found "\"Ann\""
        "#]],
        ),
        (
            "3 1\n0\n\"Ann\"\n",
            expect![[r#"
            x.blt:3: expected 3 names of candidates, found 1
        "#]],
        ),
        (
            "3 1\n1 1 0\n0\n\"Ann\"\n\"Bea\"\n\"Cyd\"\n\"T\"\n1 2 0\n",
            expect![[r#"
            x.blt:8: expected the end of the file after its title, found "1 2 0"
        "#]],
        ),
        (
            "3 1\n0\n\"Ann\"\n\"Bob\"\n\"Cyd\"\n",
            expect![[r#"
            x.blt:4: the candidate "Bob" is neither id nor title of an option
        "#]],
        ),
        (
            "3 1\n0\n\"Ann\"\n\"a\"\n\"Cyd\"\n",
            expect![[r#"
            x.blt:4: a second candidate is the option "a": "a"
        "#]],
        ),
        (
            "2 1\n0\n",
            expect![[r#"
            x.blt:1: the file has 2 candidates, the election 3 options, and no name is common to both
        "#]],
        ),
        (
            "3 1\n-9\n0\n",
            expect![[r#"
            x.blt:2: expected withdrawn candidates such as `-2`, found "-9"
        "#]],
        ),
    ] {
        check("instant-runoff", text, expected);
    }
}
