//! JSON lines and arrays.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_election_files::Spoiled;

use crate::summary;

fn check(file: &str, text: &str, spoiled: Spoiled, expected: Expect) {
    let election = json!({ "options": ["a", "b"] });
    expected.assert_eq(&summary("plurality", &election, file, text, spoiled));
}

#[test]
fn one_ballot_a_line_with_weights() {
    check(
        "x.jsonl",
        "{\"choice\": \"a\"}\n\n{\"choice\": \"b\", \"weight\": 3}\n{\"choices\": []}\n",
        Spoiled::Refuse,
        expect![[r#"
            "a" 1, "b" 3; winners ["b"]; 5 counted, 0 spoiled
        "#]],
    );
}

#[test]
fn an_array_or_an_object_with_one() {
    for text in [
        "[{\"choice\": \"a\"},\n {\"choice\": \"a\"}]",
        "{\"ballots\": [{\"choice\": \"a\", \"weight\": 2}]}",
    ] {
        check(
            "x.json",
            text,
            Spoiled::Refuse,
            expect![[r#"
                "a" 2, "b" 0; winners ["a"]; 2 counted, 0 spoiled
            "#]],
        );
    }
}

#[test]
fn spoiled_ballots_are_named_by_line() {
    let text = "{\"choice\": \"a\"}\n{\"choice\": \"c\"}\n{\"choice\": \n[]\n\
                {\"choices\": [\"a\", \"b\"], \"weight\": 2}\n{\"choice\": \"a\", \"weight\": -1}\n\
                {\"choice\": \"a\", \"choice\": \"b\"}\n{\"choice\" \"a\"}\n";
    check(
        "x.jsonl",
        text,
        Spoiled::Count,
        expect![[r#"
            "a" 1, "b" 0; winners ["a"]; 1 counted, 8 spoiled
            x.jsonl:2: /choice: "c" is not an option of this contest
            x.jsonl:3: the JSON is cut off: "{\"choice\": "
            x.jsonl:4: expected a JSON object, found "[]"
            x.jsonl:5: the rule refuses it: mark at most 1 option, not 2
            x.jsonl:6: expected a whole number below 2^64 as weight, found "-1"
            x.jsonl:7: the member "choice" stands twice in one object at column 24
            x.jsonl:8: not JSON: expected `:` at column 11
        "#]],
    );
    check(
        "x.jsonl",
        "{\"choice\": \"a\"}\n{\"choice\": \"c\"}\n",
        Spoiled::Refuse,
        expect![[r#"
            refused: 1 spoiled
            x.jsonl:2: /choice: "c" is not an option of this contest
        "#]],
    );
    check(
        "x.json",
        "[{\"choice\": \"a\"},\n\n {\"choice\": 1}]",
        Spoiled::Refuse,
        expect![[r#"
            refused: 1 spoiled
            x.json:3: /choice: expected an option id, found 1
        "#]],
    );
}

#[test]
fn a_broken_array_is_no_ballots() {
    check(
        "x.json",
        "[{\"choice\": \"a\"},\n",
        Spoiled::Count,
        expect![[r#"
            x.json:2: EOF while parsing a value at line 2 column 0
        "#]],
    );
    check(
        "x.json",
        "{\"ballots\": [\n{\"choice\": \"a\"}\n{\"choice\": \"b\"}]}",
        Spoiled::Count,
        expect![[r#"
            x.json:3: expected `,` or `]` at line 3 column 1
        "#]],
    );
}

#[test]
fn more_votes_than_a_tally_holds() {
    let heavy = format!("{{\"choice\": \"a\", \"weight\": {}}}\n", u64::MAX);
    check(
        "x.jsonl",
        &heavy.repeat(2),
        Spoiled::Count,
        expect![[r#"
            the ballots weigh 36893488147419103230 in all, more than 2^64 - 1
        "#]],
    );
}
