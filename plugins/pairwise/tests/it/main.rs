//! Rules that compare every two options: published examples, ties, properties.

mod burlington;
mod examples;
mod ties;

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_rule_pairwise::{Copeland, Minimax, RankedPairs, Schulze};
use tabella_rule_testing::{Ties, count, order, properties, refusal};

/// The outcomes of all four rules; what they share, the pairwise counts, once.
fn check(options: &str, strength: &str, ballots: &str, ties: Ties, expected: Expect) {
    let params = || json!({ "strength": strength });
    let outcomes = [
        (
            "schulze",
            count::<Schulze>(options, params(), ballots, ties.clone()),
        ),
        (
            "ranked-pairs",
            count::<RankedPairs>(options, params(), ballots, ties.clone()),
        ),
        (
            "minimax",
            count::<Minimax>(options, params(), ballots, ties.clone()),
        ),
        (
            "copeland",
            count::<Copeland>(options, json!({}), ballots, ties),
        ),
    ];
    let is_pair = |line: &&str| line.contains(" over: ");
    let mut text: String = outcomes[0]
        .1
        .lines()
        .filter(is_pair)
        .map(|l| l.to_owned() + "\n")
        .collect();
    for (rule, outcome) in &outcomes {
        text += &format!("{rule}\n");
        for line in outcome.lines().filter(|line| !is_pair(line)) {
            text += &format!("  {line}\n");
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn nothing_to_count() {
    check(
        "a b",
        "winning",
        "",
        Ties::Report,
        expect![[r#"
        a over: 0 0
        b over: 0 0
        schulze
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        ranked-pairs
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        minimax
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        copeland
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a b",
        "margins",
        "3:",
        order("b a"),
        expect![[r#"
        a over: 0 0
        b over: 0 0
        schulze
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        ranked-pairs
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        minimax
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
        copeland
          winners: none
          votes: a 0, b 0
          No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a",
        "winning",
        "3: a",
        order("a"),
        expect![[r#"
        a over: 0
        schulze
          winners: a
          votes: a 0
          a is the only option, and wins.
        ranked-pairs
          winners: a
          votes: a 0
          a is the only option, and wins.
        minimax
          winners: a
          votes: a 0
          a is the only option, and wins.
        copeland
          winners: a
          votes: a 0
          a is the only option, and wins.
    "#]],
    );
}

#[test]
fn all_equal() {
    check(
        "a b c",
        "winning",
        "a = b = c",
        Ties::Report,
        expect![[r#"
        a over: 0 0 0
        b over: 0 0 0
        c over: 0 0 0
        schulze
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 0, b 0, c 0
          Their paths of majorities to each other are equally strong. a, b and c tie; the tie is not decided.
        ranked-pairs
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 0, b 0, c 0
          Each of them wins for some order of equal majorities. a, b and c tie; the tie is not decided.
        minimax
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 0, b 0, c 0
          Options that no majority is against win. a, b and c tie; the tie is not decided.
        copeland
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 1, b 1, c 1
          The most points from comparisons are 1 of 2: a, b and c. a, b and c tie; the tie is not decided.
    "#]],
    );
    check(
        "a b c",
        "margins",
        "a = b = c",
        order("b c a"),
        expect![[r#"
            a over: 0 0 0
            b over: 0 0 0
            c over: 0 0 0
            schulze
              winners: b
              tie: a, b, c: winning (by order)
              votes: a 0, b 0, c 0
              Their paths of majorities to each other are equally strong. a, b and c tie; b wins, decided by the declared order.
            ranked-pairs
              winners: b
              tie: a, b, c: winning (by order)
              votes: a 0, b 0, c 0
              Each of them wins for some order of equal majorities. a, b and c tie; b wins, decided by the declared order.
            minimax
              winners: b
              tie: a, b, c: winning (by order)
              votes: a 0, b 0, c 0
              Options that no majority is against win. a, b and c tie; b wins, decided by the declared order.
            copeland
              winners: b
              tie: a, b, c: winning (by order)
              votes: a 1, b 1, c 1
              The most points from comparisons are 1 of 2: a, b and c. a, b and c tie; b wins, decided by the declared order.
        "#]],
    );
}

#[test]
fn too_many_options_are_refused() {
    let ids: Vec<_> = (0..65).map(|option| format!("o{option}")).collect();
    expect!["every two options are compared: expected at most 64 options, found 65"]
        .assert_eq(&refusal::<Copeland>(&ids.join(" "), json!({})));
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Copeland>(&json!({}), 4, 1..=6);
    for strength in ["winning", "margins"] {
        let params = json!({ "strength": strength });
        properties::<Schulze>(&params, 6, 1..=6);
        properties::<RankedPairs>(&params, 6, 1..=6);
        properties::<Minimax>(&params, 6, 1..=6);
    }
}
