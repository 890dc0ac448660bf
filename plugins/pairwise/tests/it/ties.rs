//! Comparisons that are equal.

use expect_test::expect;
use tabella_rule_testing::{Ties, order};

use crate::check;

/// A circle of equal majorities: any of the three can win.
#[test]
fn a_circle() {
    let ballots = "a > b > c
                   b > c > a
                   c > a > b";
    check(
        "a b c",
        "winning",
        ballots,
        Ties::Report,
        expect![[r#"
        a over: 0 2 1
        b over: 1 0 2
        c over: 2 1 0
        schulze
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 0, b 0, c 0
          Their paths of majorities to each other are equally strong. a, b and c tie; the tie is not decided.
        ranked-pairs
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 1, b 1, c 1
          Each of them wins for some order of equal majorities. a, b and c tie; the tie is not decided.
        minimax
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 2, b 2, c 2
          The weakest worst defeat has strength 2: that of a, b and c. a, b and c tie; the tie is not decided.
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
        ballots,
        order("c b a"),
        expect![[r#"
            a over: 0 2 1
            b over: 1 0 2
            c over: 2 1 0
            schulze
              winners: c
              tie: a, b, c: winning (by order)
              votes: a 0, b 0, c 0
              Their paths of majorities to each other are equally strong. a, b and c tie; c wins, decided by the declared order.
            ranked-pairs
              winners: c
              tie: a, b, c: winning (by order)
              votes: a 1, b 1, c 1
              Each of them wins for some order of equal majorities. a, b and c tie; c wins, decided by the declared order.
            minimax
              winners: c
              tie: a, b, c: winning (by order)
              votes: a 1, b 1, c 1
              The weakest worst defeat has strength 1: that of a, b and c. a, b and c tie; c wins, decided by the declared order.
            copeland
              winners: c
              tie: a, b, c: winning (by order)
              votes: a 1, b 1, c 1
              The most points from comparisons are 1 of 2: a, b and c. a, b and c tie; c wins, decided by the declared order.
        "#]],
    );
}

/// Two options that no majority tells apart, and one that both beat.
#[test]
fn two_at_the_top() {
    let ballots = "a > b > c
                   b > a > c";
    check(
        "a b c",
        "winning",
        ballots,
        Ties::Report,
        expect![[r#"
        a over: 0 1 2
        b over: 1 0 2
        c over: 0 0 0
        schulze
          winners: a, b
          tie: a, b: winning (by report)
          votes: a 1, b 1, c 0
          Their paths of majorities to each other are equally strong. a and b tie; the tie is not decided.
        ranked-pairs
          winners: a, b
          tie: a, b: winning (by report)
          votes: a 1, b 1, c 0
          Each of them wins for some order of equal majorities. a and b tie; the tie is not decided.
        minimax
          winners: a, b
          tie: a, b: winning (by report)
          votes: a 0, b 0, c 2
          Options that no majority is against win. a and b tie; the tie is not decided.
        copeland
          winners: a, b
          tie: a, b: winning (by report)
          votes: a 1.5, b 1.5, c 0
          The most points from comparisons are 1.5 of 2: a and b. a and b tie; the tie is not decided.
    "#]],
    );
    check(
        "a b c",
        "winning",
        ballots,
        order("b a c"),
        expect![[r#"
            a over: 0 1 2
            b over: 1 0 2
            c over: 0 0 0
            schulze
              winners: b
              tie: a, b: winning (by order)
              votes: a 1, b 1, c 0
              Their paths of majorities to each other are equally strong. a and b tie; b wins, decided by the declared order.
            ranked-pairs
              winners: b
              tie: a, b: winning (by order)
              votes: a 1, b 1, c 0
              Each of them wins for some order of equal majorities. a and b tie; b wins, decided by the declared order.
            minimax
              winners: b
              tie: a, b: winning (by order)
              votes: a 0, b 0, c 2
              Options that no majority is against win. a and b tie; b wins, decided by the declared order.
            copeland
              winners: b
              tie: a, b: winning (by order)
              votes: a 1.5, b 1.5, c 0
              The most points from comparisons are 1.5 of 2: a and b. a and b tie; b wins, decided by the declared order.
        "#]],
    );
}
