//! Score voting and STAR: verdicts, counts, ties, properties.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_rule_scoring::{Score, Star};
use tabella_rule_testing::{Ties, count, order, properties, verdict};

/// Where to put Tennessee's capital; scores of 0 to 10 by distance, as in the example of score
/// voting in Wikipedia.
const TENNESSEE: &str = "42: memphis=10 nashville=4 chattanooga=2
                         26: nashville=10 chattanooga=4 knoxville=2
                         15: nashville=4 chattanooga=10 knoxville=6
                         17: nashville=4 chattanooga=6 knoxville=10";

fn score(options: &str, max: u64, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Score>(options, json!({"max": max}), ballots, ties));
}

fn star(options: &str, max: u64, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Star>(options, json!({"max": max}), ballots, ties));
}

#[test]
fn ballots_are_judged() {
    let judge = |ballot| verdict::<Score>("a b", json!({"max": 9}), ballot);
    expect!["accept"].assert_eq(&judge("a=9"));
    expect!["accept"].assert_eq(&judge(""));
    expect!["2: give each option at most 9; option b has 10"].assert_eq(&judge("a=1 b=10"));
    let judge = |ballot| verdict::<Star>("a b", json!({}), ballot);
    expect!["accept"].assert_eq(&judge("a=5"));
    expect!["2: give each option at most 5; option a has 6"].assert_eq(&judge("a=6"));
}

#[test]
fn points_beyond_64_bits_are_exact() {
    let ballots = "100000000000000: a=1000000 b=1";
    score(
        "a b",
        1_000_000,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 100000000000000000000, b 100000000000000
        a has the highest score, 100000000000000000000 points from 100000000000000 ballots, and wins.
    "#]],
    );
    let shown = count::<Star>("a b", json!({"max": 1_000_000}), ballots, Ties::Report);
    assert!(
        shown.contains("a (100000000000000000000 points)"),
        "{shown}"
    );
}

#[test]
fn tennessee() {
    let options = "memphis nashville chattanooga knoxville";
    score(
        options,
        10,
        TENNESSEE,
        Ties::Report,
        expect![[r#"
        winners: nashville
        votes: memphis 420, nashville 556, chattanooga 440, knoxville 312
        nashville has the highest score, 556 points from 100 ballots, and wins.
    "#]],
    );
    star(
        options,
        10,
        TENNESSEE,
        Ties::Report,
        expect![[r#"
        winners: nashville
        votes: memphis 420, nashville 556, chattanooga 440, knoxville 312
        round 1: memphis 420, nashville 556, chattanooga 440, knoxville 312; exhausted 0
        round 2: nashville 68, chattanooga 32; elected nashville; exhausted 0
        nashville (556 points) and chattanooga (440 points) run off: 68 ballots prefer nashville and 32 prefer chattanooga, 0 neither; nashville wins.
    "#]],
    );
}

#[test]
fn the_runoff_can_overturn_the_scores() {
    let ballots = "3: a=5 b=4
                   2: b=5";
    score(
        "a b c",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: b
        votes: a 15, b 22, c 0
        b has the highest score, 22 points from 5 ballots, and wins.
    "#]],
    );
    star(
        "a b c",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 15, b 22, c 0
        round 1: a 15, b 22, c 0; exhausted 0
        round 2: b 2, a 3; elected a; exhausted 0
        b (22 points) and a (15 points) run off: 2 ballots prefer b and 3 prefer a, 0 neither; a wins.
    "#]],
    );
}

#[test]
fn ties_of_scores() {
    let ballots = "a=3 b=2
                   b=1 c=1";
    score(
        "a b c",
        5,
        ballots,
        order("b a c"),
        expect![[r#"
            winners: b
            tie: a, b: the highest score (by order)
            votes: a 3, b 3, c 1
            a and b tie with 3 points; b wins, decided by the declared order.
        "#]],
    );
    score(
        "a b c",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a, b
        tie: a, b: the highest score (by report)
        votes: a 3, b 3, c 1
        a and b tie with 3 points; the tie is not decided.
    "#]],
    );
}

/// Amy has more points than either; of the two tied for second, more ballots prefer Chuck.
#[test]
fn a_tie_for_the_runoff_is_decided_head_to_head() {
    let ballots = "2: amy=5 chuck=2
                   1: amy=5 brian=5 chuck=1";
    star(
        "amy brian chuck",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
            winners: amy
            tie: brian, chuck: a place in the runoff (by head-to-head)
            votes: amy 15, brian 5, chuck 5
            round 1: amy 15, brian 5, chuck 5; exhausted 0
            round 2: amy 3, chuck 0; elected amy; exhausted 0
            brian and chuck tied (a place in the runoff), decided by head-to-head. amy (15 points) and chuck (5 points) run off: 3 ballots prefer amy and 0 prefer chuck, 0 neither; amy wins.
        "#]],
    );
}

#[test]
fn a_tie_in_the_runoff_goes_to_the_higher_score() {
    let ballots = "a=5
                   b=3";
    star(
        "a b",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        tie: a, b: the runoff (by score)
        votes: a 5, b 3
        round 1: a 5, b 3; exhausted 0
        round 2: a 1, b 1; elected a; exhausted 0
        a (5 points) and b (3 points) run off: 1 ballots prefer a and 1 prefer b, 0 neither; a wins by the higher score.
    "#]],
    );
}

/// Brian and Chuck are equal in points and head to head; Brian has five stars from one voter.
#[test]
fn a_tie_that_is_left_is_decided_by_five_stars() {
    star(
        "amy brian chuck",
        5,
        "amy=5 brian=5
         amy=5 brian=1
         2: amy=5 chuck=3",
        Ties::Report,
        expect![[r#"
            winners: amy
            tie: brian, chuck: a place in the runoff (by top scores)
            votes: amy 20, brian 6, chuck 6
            round 1: amy 20, brian 6, chuck 6; exhausted 0
            round 2: amy 3, brian 0; elected amy; exhausted 1
            brian and chuck tied (a place in the runoff), decided by top scores. amy (20 points) and brian (6 points) run off: 3 ballots prefer amy and 0 prefer brian, 1 neither; amy wins.
        "#]],
    );
    star(
        "brian chuck",
        5,
        "brian=5
         brian=1
         2: chuck=3",
        Ties::Report,
        expect![[r#"
            winners: brian
            tie: brian, chuck: the runoff (by top scores)
            votes: brian 6, chuck 6
            round 1: brian 6, chuck 6; exhausted 0
            round 2: brian 2, chuck 2; elected brian; exhausted 0
            brian (6 points) and chuck (6 points) run off: 2 ballots prefer brian and 2 prefer chuck, 0 neither; brian wins by more scores of 5.
        "#]],
    );
}

/// Each of three beats another head to head; the two with the most five stars run off.
#[test]
fn five_stars_decide_about_both_places() {
    star(
        "amy brian chuck",
        5,
        "amy=5 brian=1
         brian=5 chuck=3
         chuck=3 amy=1",
        Ties::Report,
        expect![[r#"
            winners: amy
            tie: amy, brian, chuck: a place in the runoff (by top scores)
            votes: amy 6, brian 6, chuck 6
            round 1: amy 6, brian 6, chuck 6; exhausted 0
            round 2: amy 2, brian 1; elected amy; exhausted 0
            amy, brian and chuck tied (a place in the runoff), decided by top scores. amy (6 points) and brian (6 points) run off: 2 ballots prefer amy and 1 prefer brian, 0 neither; amy wins.
        "#]],
    );
}

#[test]
fn ties_that_the_ballots_do_not_decide() {
    let ballots = "a=5 b=1
                   b=1 c=2
                   a=5 c=0 b=0";
    star(
        "a b c",
        5,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        tie: b, c: a place in the runoff (by report)
        votes: a 10, b 2, c 2
        round 1: a 10, b 2, c 2; exhausted 0
        round 2: a 2, b 1; elected a; exhausted 0
        round 3: a 2, c 1; elected a; exhausted 0
        a (10 points) and b (2 points) run off: 2 ballots prefer a and 1 prefer b, 0 neither; a wins. a (10 points) and c (2 points) run off: 2 ballots prefer a and 1 prefer c, 0 neither; a wins.
    "#]],
    );
    let cycle = "a=2 b=1
                 b=2 c=1
                 c=2 a=1";
    star(
        "a b c",
        5,
        cycle,
        order("c a b"),
        expect![[r#"
            winners: c
            tie: a, b, c: a place in the runoff (by order)
            votes: a 3, b 3, c 3
            round 1: a 3, b 3, c 3; exhausted 0
            round 2: c 2, a 1; elected c; exhausted 0
            a, b and c tied (a place in the runoff), decided by the declared order. c (3 points) and a (3 points) run off: 2 ballots prefer c and 1 prefer a, 0 neither; c wins.
        "#]],
    );
    star(
        "a b c",
        5,
        cycle,
        Ties::Report,
        expect![[r#"
        winners: a, b, c
        tie: a, b, c: a place in the runoff (by report)
        votes: a 3, b 3, c 3
        round 1: a 3, b 3, c 3; exhausted 0
        round 2: a 2, b 1; elected a; exhausted 0
        round 3: a 1, c 2; elected c; exhausted 0
        round 4: b 2, c 1; elected b; exhausted 0
        a (3 points) and b (3 points) run off: 2 ballots prefer a and 1 prefer b, 0 neither; a wins. a (3 points) and c (3 points) run off: 1 ballots prefer a and 2 prefer c, 0 neither; c wins. b (3 points) and c (3 points) run off: 2 ballots prefer b and 1 prefer c, 0 neither; b wins.
    "#]],
    );
}

#[test]
fn nothing_to_count() {
    score(
        "a b",
        5,
        "",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        No option has a point, so nobody wins.
    "#]],
    );
    score(
        "a",
        5,
        "2: a=1",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2
        a has the highest score, 2 points from 2 ballots, and wins.
    "#]],
    );
    star(
        "a b",
        5,
        "7:",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        round 1: a 0, b 0; exhausted 0
        No option has a point, so nobody wins.
    "#]],
    );
    star(
        "a",
        5,
        "2: a=1",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2
        round 1: a 2; exhausted 0
        round 2: a 2; elected a; exhausted 0
        a is the only option, and wins.
    "#]],
    );
}

#[test]
fn what_holds_for_every_rule() {
    properties::<Score>(&json!({}), 5, 1..=6);
    properties::<Star>(&json!({}), 5, 1..=6);
    properties::<Star>(&json!({"max": 1}), 1, 1..=6);
}
