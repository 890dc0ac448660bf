//! Plurality: verdicts, a published count, ties, properties.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_plurality::Plurality;
use tabella_rule_testing::{Ties, count, order, properties, verdict};

fn check(options: &str, params: Value, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Plurality>(options, params, ballots, ties));
}

#[test]
fn ballots_are_judged() {
    let judge = |ballot| verdict::<Plurality>("a b c", json!({}), ballot);
    expect!["accept"].assert_eq(&judge("a"));
    expect!["accept"].assert_eq(&judge(""));
    expect!["2: mark at most 1 option, not 2"].assert_eq(&judge("a c"));
    let judge = |ballot| verdict::<Plurality>("a b c", json!({"max_choices": 2}), ballot);
    expect!["accept"].assert_eq(&judge("a c"));
    expect!["2: mark at most 2 options, not 3"].assert_eq(&judge("a b c"));
}

/// Fermanagh and South Tyrone, general election of 6 May 2010: the votes as declared; a majority
/// of four.
#[test]
fn fermanagh_and_south_tyrone_2010() {
    check(
        "connor gildernew kamble mckinney stevenson",
        json!({}),
        "21300: connor
         21304: gildernew
         437: kamble
         3574: mckinney
         188: stevenson",
        Ties::Report,
        expect![[r#"
            winners: gildernew
            votes: connor 21300, gildernew 21304, kamble 437, mckinney 3574, stevenson 188
            gildernew has the most votes, 21304 of 46803, and wins.
        "#]],
    );
}

#[test]
fn several_marks_are_a_vote_each() {
    check(
        "a b c",
        json!({"max_choices": 2}),
        "3: a b
         2: c
         1: b c
         4:",
        Ties::Report,
        expect![[r#"
            winners: b
            votes: a 3, b 4, c 3
            b has the most votes, 4 of 10, and wins. 4 ballots were blank.
        "#]],
    );
}

#[test]
fn ties() {
    let ballots = "2: a
                   2: c";
    check(
        "a b c",
        json!({}),
        ballots,
        order("b c a"),
        expect![[r#"
            winners: c
            tie: a, c: the most votes (by order)
            votes: a 2, b 0, c 2
            a and c tie with 2 of 4 votes; c wins, decided by the declared order.
        "#]],
    );
    check(
        "a b c",
        json!({}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: a, c
            tie: a, c: the most votes (by report)
            votes: a 2, b 0, c 2
            a and c tie with 2 of 4 votes; the tie is not decided.
        "#]],
    );
}

#[test]
fn nothing_to_count_and_one_option() {
    for nothing in ["", "9:"] {
        check(
            "a b",
            json!({}),
            nothing,
            Ties::Report,
            expect![[r#"
                winners: none
                votes: a 0, b 0
                No option has a vote, so nobody wins.
            "#]],
        );
    }
    check(
        "a",
        json!({}),
        "2: a",
        Ties::Report,
        expect![[r#"
            winners: a
            votes: a 2
            a has the most votes, 2 of 2, and wins.
        "#]],
    );
}

#[test]
fn the_most_options() {
    let ids: Vec<_> = (0..4_096).map(|option| format!("o{option}")).collect();
    let ids = ids.join(" ");
    let outcome = count::<Plurality>(&ids, json!({"max_choices": 4_096}), &ids, Ties::Report);
    let winners = format!("winners: {}\n", ids.replace(' ', ", "));
    assert!(outcome.starts_with(&winners));
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Plurality>(&json!({}), 1, 1..=6);
    properties::<Plurality>(&json!({"max_choices": 3}), 1, 1..=6);
}
