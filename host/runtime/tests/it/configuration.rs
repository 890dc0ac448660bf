//! Configurations from JSON, and what is wrong with them.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_contest::ContestConfig;

use crate::{builtin, config};

fn check(rule: &str, config: ContestConfig, expected: Expect) {
    let text = match builtin(rule).contest(&config) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

fn check_params(params: Value, expected: Expect) {
    check("instant-runoff", config(&["a", "b"], params), expected);
}

#[test]
fn parameters_are_checked_against_the_manifest() {
    check_params(json!({}), expect!["accepted"]);
    check_params(json!(null), expect!["accepted"]);
    check_params(
        json!({"overvote": "skip", "batch_elimination": true}),
        expect!["accepted"],
    );
    check_params(json!([]), expect!["/params: expected an object"]);
    check_params(
        json!({"overvotes": "skip"}),
        expect![
            "/params/overvotes: instant-runoff has no such parameter; it has: overvote, batch_elimination, until, law, skipped_ranks, repeated, ranks_max, undeclared, minimum_votes, seats, several_seats, ties"
        ],
    );
    check_params(
        json!({"overvote": "ignore"}),
        expect![[
            r#"/params/overvote: expected one of exhaust-if-multiple-continuing, exhaust, skip, found "ignore""#
        ]],
    );
    check_params(
        json!({"batch_elimination": "yes"}),
        expect![[r#"/params/batch_elimination: expected true or false, found "yes""#]],
    );
    check(
        "plurality",
        config(&["a"], json!({"max_choices": 0})),
        expect!["/params/max_choices: expected an integer from 1 to 4096, found 0"],
    );
    check(
        "plurality",
        config(&["a"], json!({"max_choices": 1.5})),
        expect!["/params/max_choices: expected an integer from 1 to 4096, found 1.5"],
    );
}

#[test]
fn options_are_checked() {
    check(
        "plurality",
        config(&[], json!({})),
        expect!["/options: expected 1 to 4096 options, found 0"],
    );
    check(
        "plurality",
        config(&["a", "b", "a"], json!({})),
        expect![[r#"/options/2/id: "a" is the id of an earlier option"#]],
    );
    check(
        "plurality",
        config(&["a", ""], json!({})),
        expect!["/options/1/id: an id is at least one character and has no control characters"],
    );
    check(
        "plurality",
        config(&["a", "b\n"], json!({})),
        expect!["/options/1/id: an id is at least one character and has no control characters"],
    );
    let many: Vec<String> = (0..4_097).map(|option| option.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(
        "plurality",
        config(&many, json!({})),
        expect!["/options: expected 1 to 4096 options, found 4097"],
    );
    check(
        "plurality",
        config(&many[1..], json!({})),
        expect!["accepted"],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line for each configuration")]
fn the_schema_says_what_is_accepted() {
    expect![[r#"
        {
          "ballot": "ranking",
          "definition": "Burlington, Vermont, city charter §5 (2009); Robert's Rules of Order 45:62",
          "licence": "Apache-2.0",
          "marks": true,
          "merges": true,
          "name": "instant-runoff",
          "options_schema": {
            "items": {
              "additionalProperties": false,
              "properties": {
                "id": {
                  "type": "string"
                },
                "title": {
                  "type": "string"
                }
              },
              "required": [
                "id"
              ],
              "type": "object"
            },
            "minItems": 1,
            "type": "array"
          },
          "params_schema": {
            "additionalProperties": false,
            "properties": {
              "batch_elimination": {
                "description": "Eliminate at once all last options that cannot overtake the next even together; left out: as `law` says, else false.",
                "type": "boolean"
              },
              "law": {
                "description": "Whose statute sets the other parameters, where they are left out: 21-A M.R.S. 723-A; Alaska Statutes 15.15.350; New York City Charter 1057-g; Minneapolis Code 167.60; San Francisco Charter 13.102.",
                "enum": [
                  "maine",
                  "alaska",
                  "new-york-city",
                  "minneapolis",
                  "san-francisco"
                ]
              },
              "minimum_votes": {
                "default": 0,
                "description": "Options with fewer votes in round 1 leave after it, unless all have fewer.",
                "maximum": 9223372036854775807,
                "minimum": 0,
                "type": "integer"
              },
              "overvote": {
                "description": "What becomes of a ballot at a rank with several marks; left out: as `law` says, else exhaust-if-multiple-continuing.",
                "enum": [
                  "exhaust-if-multiple-continuing",
                  "exhaust",
                  "skip"
                ]
              },
              "ranks_max": {
                "description": "How many ranks are read, the best first; left out: as `law` says, else all.",
                "maximum": 16384,
                "minimum": 1,
                "type": "integer"
              },
              "repeated": {
                "description": "What becomes of a ballot at an option that stood at a better rank; left out: skip.",
                "enum": [
                  "skip",
                  "exhaust"
                ]
              },
              "seats": {
                "default": 1,
                "description": "How many options are elected.",
                "maximum": 256,
                "minimum": 1,
                "type": "integer"
              },
              "several_seats": {
                "default": "block",
                "description": "How several seats are filled: one after another, each by a count without those who are elected; or by one count, until as many are left.",
                "enum": [
                  "block",
                  "bottoms-up"
                ]
              },
              "skipped_ranks": {
                "description": "Skipped ranks in a row that are passed over; one more ends the ballot. Left out: as `law` says, else 1.",
                "maximum": 16384,
                "minimum": 0,
                "type": "integer"
              },
              "ties": {
                "default": "tie-break",
                "description": "Who leaves of those with equally few votes: as the tie-break says at once, or who had fewer in the rounds before, the last one first.",
                "enum": [
                  "tie-break",
                  "earlier-rounds"
                ]
              },
              "undeclared": {
                "description": "Ids of options that stand for write-ins who did not declare: they leave first and cannot win.",
                "items": {
                  "type": "string"
                },
                "type": "array"
              },
              "until": {
                "description": "Stop at a majority of the votes that still count; when two options are left; at a majority in round 1, else at two; at a majority of the votes of round 1, else at two. Left out: as `law` says, else majority.",
                "enum": [
                  "majority",
                  "two",
                  "first-majority-or-two",
                  "fixed-majority-or-two"
                ]
              }
            },
            "required": [],
            "type": "object"
          },
          "summary": "The option with the fewest votes is eliminated and its ballots pass on, round by round.",
          "tallies": [
            "ballots"
          ],
          "version": "0.1.0"
        }"#]].assert_eq(&format!(
        "{:#}",
        builtin("instant-runoff").manifest().to_json()
    ));
}
