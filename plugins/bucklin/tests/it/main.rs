//! Bucklin voting: published examples, shared ranks, ties, properties.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_rule_bucklin::Bucklin;
use tabella_rule_testing::{Ties, count, order, properties, refusal};

fn check(options: &str, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Bucklin>(options, json!({}), ballots, ties));
}

/// Where to put Tennessee's capital, as in Wikipedia: no majority of first choices; in the second
/// round Nashville has 68 and Chattanooga 58.
#[test]
fn tennessee() {
    check(
        "memphis nashville chattanooga knoxville",
        "42: memphis > nashville > chattanooga > knoxville
         26: nashville > chattanooga > knoxville > memphis
         15: chattanooga > knoxville > nashville > memphis
         17: knoxville > chattanooga > nashville > memphis",
        Ties::Report,
        expect![[r#"
            winners: nashville
            votes: memphis 42, nashville 68, chattanooga 58, knoxville 32
            round 1: memphis 42, nashville 26, chattanooga 15, knoxville 17; exhausted 0
            round 2: memphis 42, nashville 68, chattanooga 58, knoxville 32; elected nashville; exhausted 0
            With ranks 1 to 2 counted, and not before, nashville is on 68 of 100 ballots, a majority and the most, and wins.
        "#]],
    );
}

/// The first ranks of Burlington's mayoral election of 3 March 2009 are published; with the second
/// ranks Montroll, who beats every other candidate head to head, has the most.
#[test]
fn burlington_2009() {
    let csv = include_str!("../../../../examples/elections/burlington-2009/ballots.csv");
    let ballots = csv
        .lines()
        .skip(1)
        .map(|line| line.replacen(',', ": ", 1) + "\n");
    check(
        "wright kiss montroll smith simpson write-in",
        &ballots.collect::<String>(),
        Ties::Report,
        expect![[r#"
            winners: montroll
            votes: wright 3949, kiss 3990, montroll 4702, smith 3414, simpson 342, write-in 86
            round 1: wright 2954, kiss 2586, montroll 2063, smith 1306, simpson 35, write-in 40; exhausted 0
            round 2: wright 3949, kiss 3990, montroll 4702, smith 3414, simpson 342, write-in 86; elected montroll; exhausted 0
            With ranks 1 to 2 counted, and not before, montroll is on 4702 of 8980 ballots, a majority and the most, and wins.
        "#]],
    );
}

#[test]
fn half_is_no_majority() {
    check(
        "a b c",
        "2: a > c\n1: b > c\n1: c > b",
        Ties::Report,
        expect![[r#"
            winners: c
            votes: a 2, b 2, c 4
            round 1: a 2, b 1, c 1; exhausted 0
            round 2: a 2, b 2, c 4; elected c; exhausted 0
            With ranks 1 to 2 counted, and not before, c is on 4 of 4 ballots, a majority and the most, and wins.
        "#]],
    );
}

#[test]
fn without_a_majority_the_most_votes_win() {
    check(
        "a b c",
        "4: a\n3: b\n3: c",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 4, b 3, c 3
        round 1: a 4, b 3, c 3; elected a; exhausted 0
        Nobody has a majority; with first ranks counted, a is on 4 of 10 ballots, the most, and wins.
    "#]],
    );
    check(
        "a b c",
        "1: a\n1: b\n1: c > b",
        Ties::Report,
        expect![[r#"
        winners: b
        votes: a 1, b 2, c 1
        round 1: a 1, b 1, c 1; exhausted 0
        round 2: a 1, b 2, c 1; elected b; exhausted 0
        With ranks 1 to 2 counted, and not before, b is on 2 of 3 ballots, a majority and the most, and wins.
    "#]],
    );
}

#[test]
fn shared_ranks_count_together() {
    let ballots = "a = b > c
                   c > a = b";
    check(
        "a b c",
        ballots,
        order("b a c"),
        expect![[r#"
            winners: b
            tie: a, b, c: the most votes in round 2 (by order)
            votes: a 2, b 2, c 2
            round 1: a 1, b 1, c 1; exhausted 0
            round 2: a 2, b 2, c 2; elected b; exhausted 0
            With ranks 1 to 2 counted, and not before, a, b and c are each on 2 of 2 ballots, a majority and the most, and b wins, decided by the declared order.
        "#]],
    );
    check(
        "a b c",
        ballots,
        Ties::Report,
        expect![[r#"
            winners: a, b, c
            tie: a, b, c: the most votes in round 2 (by report)
            votes: a 2, b 2, c 2
            round 1: a 1, b 1, c 1; exhausted 0
            round 2: a 2, b 2, c 2; elected a, b, c; exhausted 0
            With ranks 1 to 2 counted, and not before, a, b and c are each on 2 of 2 ballots, a majority and the most, and the tie is not decided.
        "#]],
    );
}

#[test]
fn nothing_to_count() {
    check(
        "a b",
        "",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a b",
        "9:",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a",
        "2: a",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2
        round 1: a 2; elected a; exhausted 0
        With first ranks counted, a is on 2 of 2 ballots, a majority and the most, and wins.
    "#]],
    );
}

#[test]
fn too_many_options_are_refused() {
    let ids: Vec<_> = (0..257).map(|option| format!("o{option}")).collect();
    expect!["every rank of every option is shown: expected at most 256 options, found 257"]
        .assert_eq(&refusal::<Bucklin>(&ids.join(" "), json!({})));
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Bucklin>(&json!({}), 6, 1..=6);
}
