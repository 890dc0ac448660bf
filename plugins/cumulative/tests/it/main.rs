//! Cumulative and quadratic voting: verdicts, counts, ties, properties.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_rule_cumulative::{Cumulative, Quadratic};
use tabella_rule_testing::{Ties, count, order, properties, verdict};

fn check(ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Cumulative>(
        "a b c",
        json!({"credits": 10}),
        ballots,
        ties,
    ));
}

#[test]
fn votes_cost_one_credit_each() {
    let verdict = |ballot| verdict::<Cumulative>("a b", json!({"credits": 10}), ballot);
    expect!["accept"].assert_eq(&verdict("a=7 b=3"));
    expect!["accept"].assert_eq(&verdict("a=1"));
    expect!["2: your votes cost 11 credits, at most 10 allowed"].assert_eq(&verdict("a=7 b=4"));
    expect!["2: your votes cost 36893488147419103230 credits, at most 10 allowed"]
        .assert_eq(&verdict("a=18446744073709551615 b=18446744073709551615"));
}

#[test]
fn votes_cost_their_square() {
    let verdict = |ballot| verdict::<Quadratic>("a b", json!({"credits": 100}), ballot);
    expect!["accept"].assert_eq(&verdict("a=8 b=6"));
    expect!["accept"].assert_eq(&verdict("b=10"));
    expect!["2: your votes cost 113 credits, at most 100 allowed"].assert_eq(&verdict("a=8 b=7"));
    expect!["2: your votes cost too many credits, at most 100 allowed"]
        .assert_eq(&verdict("a=18446744073709551615 b=18446744073709551615"));
}

/// A minority that plumps for one option outvotes a majority that spreads its votes.
#[test]
fn plumping() {
    let ballots = "3: a=4 b=4 c=2
                   2: c=10";
    check(
        ballots,
        Ties::Report,
        expect![[r#"
        winners: c
        votes: a 12, b 12, c 26
        c has the most votes, 26 from 5 ballots, and wins.
    "#]],
    );
}

#[test]
fn votes_beyond_64_bits_are_exact() {
    let ballots = "6000000000000000000: a=30000";
    let credits = json!({"credits": 1_000_000_000});
    let shown = count::<Cumulative>("a b", credits, ballots, Ties::Report);
    assert!(shown.contains("a 180000000000000000000000, b 0"), "{shown}");
}

/// The same intensity of preference buys less: 10 votes would cost 100 credits.
#[test]
fn quadratic_votes() {
    let ballots = "3: a=2 b=2 c=1
                   2: c=3";
    let shown = count::<Quadratic>("a b c", json!({"credits": 9}), ballots, Ties::Report);
    expect![[r#"
        winners: c
        votes: a 6, b 6, c 9
        c has the most votes, 9 from 5 ballots, and wins.
    "#]]
    .assert_eq(&shown);
}

#[test]
fn ties() {
    check(
        "a=5 b=5",
        order("b c a"),
        expect![[r#"
            winners: b
            tie: a, b: the most votes (by order)
            votes: a 5, b 5, c 0
            a and b tie with 5 votes; b wins, decided by the declared order.
        "#]],
    );
    check(
        "a=5 b=5",
        Ties::Report,
        expect![[r#"
        winners: a, b
        tie: a, b: the most votes (by report)
        votes: a 5, b 5, c 0
        a and b tie with 5 votes; the tie is not decided.
    "#]],
    );
}

#[test]
fn nothing_to_count() {
    check(
        "",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0, c 0
        No option has a vote, so nobody wins.
    "#]],
    );
    check(
        "4:",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0, c 0
        No option has a vote, so nobody wins.
    "#]],
    );
    check(
        "4: b=1",
        Ties::Report,
        expect![[r#"
        winners: b
        votes: a 0, b 4, c 0
        b has the most votes, 4 from 4 ballots, and wins.
    "#]],
    );
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Cumulative>(&json!({"credits": 12}), 6, 1..=6);
    properties::<Quadratic>(&json!({"credits": 60}), 6, 1..=6);
}
