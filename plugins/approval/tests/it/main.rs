//! Approval voting: verdicts, counts, properties, and St. Louis 2021.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_approval::Approval;
use tabella_rule_testing::{Ties, count, order, properties, refusal, verdict};

fn check(options: &str, params: Value, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Approval>(options, params, ballots, ties));
}

#[test]
fn ballots_are_judged() {
    let params = json!({"min_choices": 2, "max_choices": 3});
    let verdict = |ballot| verdict::<Approval>("a b c d", params.clone(), ballot);
    expect!["accept"].assert_eq(&verdict("a d"));
    expect!["3: approve of at least 2 options, not 1"].assert_eq(&verdict("a"));
    expect!["3: approve of at least 2 options, not 0"].assert_eq(&verdict(""));
    expect!["2: approve of at most 3 options, not 4"].assert_eq(&verdict("a b c d"));
}

#[test]
fn contradictory_parameters_are_refused() {
    let refusal = |params| refusal::<Approval>("a b", params);
    expect!["min_choices is 3, but there are only 2 options to approve of"]
        .assert_eq(&refusal(json!({"min_choices": 3})));
    expect!["max_choices is 1, expected at least min_choices, which is 2"]
        .assert_eq(&refusal(json!({"min_choices": 2, "max_choices": 1})));
}

/// The published totals, 69,661 approvals on 44,571 ballots; how they were spread over the ballots
/// is not published, nor does it matter.
#[test]
fn st_louis_2021() {
    check(
        "t-jones spencer reed a-jones",
        json!({}),
        "17484: t-jones
         7904: t-jones spencer
         12755: spencer reed
         4431: reed a-jones
         1997: a-jones",
        Ties::Report,
        expect![[r#"
            winners: t-jones
            votes: t-jones 25388, spencer 20659, reed 17186, a-jones 6428
            t-jones has the most approvals, on 25388 of 44571 ballots, and wins.
        "#]],
    );
}

#[test]
fn ties() {
    let ballots = "a b
                   b c
                   c a";
    check(
        "a b c",
        json!({}),
        ballots,
        order("c b a"),
        expect![[r#"
            winners: c
            tie: a, b, c: the most approvals (by order)
            votes: a 2, b 2, c 2
            a, b and c tie with approvals on 2 of 3 ballots; c wins, decided by the declared order.
        "#]],
    );
    check(
        "a b c",
        json!({}),
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a, b, c
        tie: a, b, c: the most approvals (by report)
        votes: a 2, b 2, c 2
        a, b and c tie with approvals on 2 of 3 ballots; the tie is not decided.
    "#]],
    );
}

#[test]
fn nothing_to_count() {
    check(
        "a b",
        json!({}),
        "",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        No option is approved of, so nobody wins.
    "#]],
    );
    check(
        "a b",
        json!({}),
        "9:",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        No option is approved of, so nobody wins.
    "#]],
    );
    check(
        "a",
        json!({}),
        "2: a",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2
        a has the most approvals, on 2 of 2 ballots, and wins.
    "#]],
    );
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Approval>(&json!({}), 1, 1..=6);
    properties::<Approval>(&json!({"min_choices": 1, "max_choices": 2}), 1, 1..=6);
}
