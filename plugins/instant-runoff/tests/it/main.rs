//! Instant runoff: counts, ranks with several marks, batches, ties, properties. Burlington's count of
//! 2009 is reproduced from its ballots in `host/runtime/tests/it/burlington.rs`.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_instant_runoff::InstantRunoff;
use tabella_rule_testing::{Ties, count, order, properties_of_rounds, refusal};

fn check(options: &str, params: Value, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<InstantRunoff>(options, params, ballots, ties));
}

/// Where to put Tennessee's capital, as in Wikipedia, "Instant-runoff voting".
#[test]
fn tennessee() {
    check(
        "memphis nashville chattanooga knoxville",
        json!({}),
        "42: memphis > nashville > chattanooga > knoxville
         26: nashville > chattanooga > knoxville > memphis
         15: chattanooga > knoxville > nashville > memphis
         17: knoxville > chattanooga > nashville > memphis",
        Ties::Report,
        expect![[r#"
            winners: knoxville
            votes: memphis 42, nashville 26, chattanooga 15, knoxville 58
            round 1: memphis 42, nashville 26, chattanooga 15, knoxville 17; out chattanooga; exhausted 0
            round 2: memphis 42, nashville 26, knoxville 32; out nashville; exhausted 0
            round 3: memphis 42, knoxville 58; elected knoxville; exhausted 0
            After round 1 chattanooga had the fewest votes and left. After round 2 nashville had the fewest votes and left. In round 3 knoxville has 58 of the 100 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
}

/// The second ballot has two marks at its second rank, which is reached when b leaves.
#[test]
fn ranks_with_several_marks() {
    let last_round = |overvote: &str, ballots: &str| {
        let params = json!({"overvote": overvote, "until": "two"});
        let outcome = count::<InstantRunoff>("a b c d e", params, ballots, Ties::Report);
        let mut lines = outcome.lines().rev();
        lines
            .find(|line| line.starts_with("round"))
            .unwrap()
            .to_owned()
    };
    // One of the two has left before.
    let ballots = "6: a
                   3: b > c = d > e
                   5: c
                   1: d
                   4: e";
    expect!["round 4: a 6, c 8; elected c; exhausted 5"]
        .assert_eq(&last_round("exhaust-if-multiple-continuing", ballots));
    expect!["round 4: a 6, c 5; elected a; exhausted 8"].assert_eq(&last_round("exhaust", ballots));
    expect!["round 4: a 6, e 7; elected e; exhausted 6"].assert_eq(&last_round("skip", ballots));
    // Both continue.
    let ballots = "7: a
                   2: b > c = d > e
                   5: c
                   3: d
                   4: e";
    expect!["round 4: a 7, c 5; elected a; exhausted 9"]
        .assert_eq(&last_round("exhaust-if-multiple-continuing", ballots));
    expect!["round 4: a 7, c 5; elected a; exhausted 9"].assert_eq(&last_round("exhaust", ballots));
    expect!["round 4: a 7, e 6; elected a; exhausted 8"].assert_eq(&last_round("skip", ballots));
}

/// What a law makes of one ballot while a, b and c leave in turn: whom it counts for, round by round.
fn reads(law: &str, ballot: &str) -> String {
    let params = json!({"law": law, "until": "two", "batch_elimination": false});
    let ballots = format!("{ballot}\n20: a\n30: b\n40: c\n50: d\n60: e");
    let outcome = count::<InstantRunoff>("a b c d e", params, &ballots, Ties::Report);
    let rounds = outcome.lines().filter(|line| line.starts_with("round"));
    let holder = |round: &str| {
        let (_, totals) = round.split_once(": ").unwrap();
        let (totals, exhausted) = totals.split_once("; exhausted ").unwrap();
        let totals = totals.split(';').next().unwrap();
        let one_more = totals.split(", ").find(|total| total.ends_with('1'));
        match one_more {
            Some(total) => total.split(' ').next().unwrap().to_owned(),
            None => format!("-{}", if exhausted.ends_with('1') { "" } else { "?" }),
        }
    };
    rounds.map(holder).collect::<Vec<_>>().join(" ")
}

/// Each ballot by each statute: 21-A M.R.S. 723-A; Alaska Statutes 15.15.350; New York City Charter
/// 1057-g; Minneapolis Code 167.60; San Francisco Charter 13.102.
#[test]
fn laws_and_what_they_make_of_marks() {
    let laws = [
        "maine",
        "alaska",
        "new-york-city",
        "minneapolis",
        "san-francisco",
    ];
    for (ballot, expected) in [
        ("a > - > e", ["a e e e"; 5]),
        (
            "a > - > - > e",
            ["a - - -", "a - - -", "a e e e", "a - - -", "a e e e"],
        ),
        (
            "- > - > e",
            ["- - - -", "- - - -", "e e e e", "e e e e", "e e e e"],
        ),
        (
            "a > b = c > e",
            ["a - - -", "a - - -", "a - - -", "a e e e", "a - - -"],
        ),
        (
            "a > ? > e",
            ["a - - -", "a - - -", "a - - -", "a e e e", "a - - -"],
        ),
        ("a > a > e", ["a e e e"; 5]),
        ("a > * > e", ["a e e e"; 5]),
        (
            "a > b > c > e",
            ["a b c e", "a b c e", "a b c e", "a b c -", "a b c e"],
        ),
    ] {
        for (law, expected) in laws.iter().zip(expected) {
            assert_eq!(reads(law, ballot), expected, "{law} {ballot}");
        }
    }
}

/// Nobody has a majority in round 1, b has one of all votes in round 2.
#[test]
fn when_a_count_is_over() {
    let ballots = "45: a
                   40: b
                   10: c > b
                   5: d > b";
    let rounds = |params: Value| {
        let outcome = count::<InstantRunoff>("a b c d", params, ballots, Ties::Report);
        outcome
            .lines()
            .filter(|line| line.starts_with("round"))
            .count()
    };
    assert_eq!(
        rounds(json!({"law": "san-francisco", "batch_elimination": false})),
        3
    );
    assert_eq!(rounds(json!({"law": "maine"})), 3);
    assert_eq!(rounds(json!({"law": "alaska"})), 3);
    let first = "60: a\n30: b\n10: c\n";
    for (law, expected) in [
        ("maine", 1),
        ("alaska", 1),
        ("new-york-city", 1),
        ("minneapolis", 1),
    ] {
        let outcome = count::<InstantRunoff>("a b c", json!({"law": law}), first, Ties::Report);
        let rounds = outcome
            .lines()
            .filter(|line| line.starts_with("round"))
            .count();
        assert_eq!(rounds, expected, "{law}");
    }
}

#[test]
fn who_has_too_few_first_votes_leaves() {
    let ballots = "9: a\n8: b\n3: c > d\n2: d > b";
    check(
        "a b c d",
        json!({"minimum_votes": 4}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: b
            votes: a 9, b 10, c 3, d 2
            round 1: a 9, b 8, c 3, d 2; out d, c; exhausted 0
            round 2: a 9, b 10; elected b; exhausted 3
            After round 1 d and c left, with fewer first votes than asked for. In round 2 b has 10 of the 19 votes that still count, and wins; 3 are exhausted.
        "#]],
    );
    let all = count::<InstantRunoff>(
        "a b",
        json!({"minimum_votes": 9}),
        "2: a\n1: b",
        Ties::Report,
    );
    assert!(
        all.starts_with("winners: a"),
        "where all have fewer, nobody leaves: {all}"
    );
}

#[test]
fn write_ins_who_did_not_declare_leave_first() {
    check(
        "a b write-in",
        json!({"undeclared": ["write-in"]}),
        "9: write-in > b
         6: a
         2: b",
        Ties::Report,
        expect![[r#"
            winners: b
            votes: a 6, b 11, write-in 9
            round 1: a 6, b 2, write-in 9; out write-in; exhausted 0
            round 2: a 6, b 11; elected b; exhausted 0
            After round 1 write-in left, for write-ins who did not declare cannot win. In round 2 b has 11 of the 17 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
    expect![[r#"undeclared: expected the id of an option, found "x""#]].assert_eq(&refusal::<
        InstantRunoff,
    >(
        "a b",
        json!({"undeclared": ["x"]}),
    ));
}

#[test]
fn last_options_leave_together() {
    let ballots = "8: a
                   6: b
                   3: c > b
                   1: d > c
                   1: e > c";
    check(
        "a b c d e",
        json!({"batch_elimination": true}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: b
            votes: a 8, b 9, c 3, d 1, e 1
            round 1: a 8, b 6, c 3, d 1, e 1; out d, e, c; exhausted 0
            round 2: a 8, b 9; elected b; exhausted 2
            After round 1 d, e and c had the fewest votes and left. In round 2 b has 9 of the 17 votes that still count, and wins; 2 are exhausted.
        "#]],
    );
}

#[test]
fn ties() {
    let ballots = "3: a
                   2: b > c
                   2: c > b";
    check(
        "a b c",
        json!({}),
        ballots,
        order("a c b"),
        expect![[r#"
            winners: c
            tie: b, c: elimination in round 1 (by order)
            votes: a 3, b 2, c 4
            round 1: a 3, b 2, c 2; out b; exhausted 0
            round 2: a 3, c 4; elected c; exhausted 0
            After round 1 b and c tied for the fewest votes; b left, decided by the declared order. In round 2 c has 4 of the 7 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
    check(
        "a b c",
        json!({}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: b, c
            tie: b, c: elimination in round 1 (by report)
            votes: a 3, b 4, c 2
            round 1: a 3, b 2, c 2; out c; exhausted 0
            round 2: a 3, b 4; elected b; exhausted 0
            After round 1 b and c tied for the fewest votes; c left, which nobody decided. Ties were left undecided; depending on them b and c can win. The rounds show one way to decide them.
        "#]],
    );
}

#[test]
fn all_equal() {
    check(
        "a b c",
        json!({}),
        "a
         b
         c",
        Ties::Report,
        expect![[r#"
            winners: a, b, c
            tie: a, b, c: elimination in round 1 (by report)
            tie: a, b: elimination in round 2 (by report)
            votes: a 1, b 1, c 1
            round 1: a 1, b 1, c 1; out c; exhausted 0
            round 2: a 1, b 1; out b; exhausted 1
            round 3: a 1; elected a; exhausted 2
            After round 1 a, b and c tied for the fewest votes; c left, which nobody decided. After round 2 a and b tied for the fewest votes; b left, which nobody decided. Ties were left undecided; depending on them a, b and c can win. The rounds show one way to decide them.
        "#]],
    );
}

#[test]
fn nothing_to_count_and_one_option() {
    check(
        "a b",
        json!({}),
        "7:",
        Ties::Report,
        expect![[r#"
            winners: none
            votes: a 0, b 0
            round 1: a 0, b 0; exhausted 7
            No ballot counts for any option, so nobody wins.
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
            round 1: a 2; elected a; exhausted 0
            In round 1 a has 2 of the 2 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
}

/// Every option ties with every other until the last.
#[test]
fn the_most_options() {
    let ids = |options: usize| {
        let ids = (0..options).map(|option| format!("o{option}"));
        ids.collect::<Vec<_>>().join(" ")
    };
    let ballots = ids(256).replace(' ', "\n");
    let outcome = count::<InstantRunoff>(&ids(256), json!({}), &ballots, order(&ids(256)));
    assert!(outcome.starts_with("winners: o0\n"), "{outcome}");
    assert!(outcome.contains("round 256: o0 1; elected o0; exhausted 255"));
    expect!["every round is listed: expected at most 256 options, found 257"]
        .assert_eq(&refusal::<InstantRunoff>(&ids(257), json!({})));
}

#[test]
fn what_holds_for_every_rule() {
    for overvote in ["exhaust-if-multiple-continuing", "exhaust", "skip"] {
        for until in ["majority", "two"] {
            for batch in [false, true] {
                let params =
                    json!({"overvote": overvote, "until": until, "batch_elimination": batch});
                properties_of_rounds::<InstantRunoff>(&params, 5, 1..=6);
            }
        }
    }
}

/// Three of four seats' worth of voters agree on a, b and c; block fills every seat by the same majority.
const COUNCIL: &str = "40: a > b > c > d > e
                       35: d > e > a > b > c
                       25: c > b > a > e > d";

#[test]
fn several_seats_one_after_another() {
    check(
        "a b c d e",
        json!({"seats": 2}),
        COUNCIL,
        Ties::Report,
        expect![[r#"
            winners: a, b
            tie: b, e: elimination in round 1 (by report)
            votes: a 65, b 65, c 25, d 35, e 0
            round 1: a 40, b 0, c 25, d 35, e 0; out e; exhausted 0
            round 2: a 40, b 0, c 25, d 35; out b; exhausted 0
            round 3: a 40, c 25, d 35; out c; exhausted 0
            round 4: a 65, d 35; elected a; exhausted 0
            round 5: b 40, c 25, d 35, e 0; out e; exhausted 0
            round 6: b 40, c 25, d 35; out c; exhausted 0
            round 7: b 65, d 35; elected b; exhausted 0
            After round 1 b and e tied for the fewest votes; e left, which nobody decided. After round 2 b had the fewest votes and left. After round 3 c had the fewest votes and left. In round 4 a has 65 of the 100 votes that still count, and wins; 0 are exhausted. After round 5 e had the fewest votes and left. After round 6 c had the fewest votes and left. In round 7 b has 65 of the 100 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
    // More seats than options: each is elected, by its own count.
    check(
        "a b",
        json!({"seats": 3}),
        "2: a > b\n1: b",
        Ties::Report,
        expect![[r#"
            winners: a, b
            votes: a 2, b 3
            round 1: a 2, b 1; elected a; exhausted 0
            round 2: b 3; elected b; exhausted 0
            In round 1 a has 2 of the 3 votes that still count, and wins; 0 are exhausted. In round 2 b has 3 of the 3 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
}

#[test]
fn several_seats_from_the_bottom_up() {
    check(
        "a b c d e",
        json!({"seats": 2, "several_seats": "bottoms-up"}),
        COUNCIL,
        Ties::Report,
        expect![[r#"
            winners: a, d
            tie: b, e: elimination in round 1 (by report)
            votes: a 65, b 0, c 25, d 35, e 0
            round 1: a 40, b 0, c 25, d 35, e 0; out e; exhausted 0
            round 2: a 40, b 0, c 25, d 35; out b; exhausted 0
            round 3: a 40, c 25, d 35; out c; exhausted 0
            round 4: a 65, d 35; elected a, d; exhausted 0
            After round 1 b and e tied for the fewest votes; e left, which nobody decided. After round 2 b had the fewest votes and left. After round 3 c had the fewest votes and left. In round 4 a and d are left, with 100 votes that still count, and win; 0 are exhausted.
        "#]],
    );
    check(
        "a b c d e",
        json!({"seats": 3, "several_seats": "bottoms-up", "batch_elimination": true}),
        COUNCIL,
        Ties::Report,
        expect![[r#"
            winners: a, d, c
            votes: a 40, b 0, c 25, d 35, e 0
            round 1: a 40, b 0, c 25, d 35, e 0; out b, e; exhausted 0
            round 2: a 40, c 25, d 35; elected a, d, c; exhausted 0
            After round 1 b and e had the fewest votes and left. In round 2 a, d and c are left, with 100 votes that still count, and win; 0 are exhausted.
        "#]],
    );
    // Who ties for the last place may win.
    check(
        "a b c d",
        json!({"seats": 2, "several_seats": "bottoms-up"}),
        "5: a\n3: b\n3: c\n1: d",
        Ties::Report,
        expect![[r#"
            winners: a, b, c
            tie: b, c: elimination in round 2 (by report)
            votes: a 5, b 3, c 3, d 1
            round 1: a 5, b 3, c 3, d 1; out d; exhausted 0
            round 2: a 5, b 3, c 3; out c; exhausted 1
            round 3: a 5, b 3; elected a, b; exhausted 4
            After round 1 d had the fewest votes and left. After round 2 b and c tied for the fewest votes; c left, which nobody decided. Ties were left undecided; depending on them a, b and c can win. The rounds show one way to decide them.
        "#]],
    );
    check(
        "a b c d",
        json!({"seats": 2, "several_seats": "bottoms-up", "undeclared": ["b"]}),
        "5: a\n3: b\n2: c\n1: d",
        Ties::Report,
        expect![[r#"
            winners: a, c
            votes: a 5, b 3, c 2, d 1
            round 1: a 5, b 3, c 2, d 1; out b; exhausted 0
            round 2: a 5, c 2, d 1; out d; exhausted 3
            round 3: a 5, c 2; elected a, c; exhausted 4
            After round 1 b left, for write-ins who did not declare cannot win. After round 2 d had the fewest votes and left. In round 3 a and c are left, with 7 votes that still count, and win; 4 are exhausted.
        "#]],
    );
}

/// In round 2 b and c tie; in round 1 c had fewer.
#[test]
fn ties_by_earlier_rounds() {
    let ballots = "6: a
                   4: b
                   3: c
                   1: d > c";
    for ties in [Ties::Report, order("c b a d")] {
        let found = count::<InstantRunoff>(
            "a b c d",
            json!({"until": "two", "ties": "earlier-rounds"}),
            ballots,
            ties,
        );
        assert!(found.starts_with("winners: a\n"), "{found}");
        assert!(found.contains("b 4, c 4; out c"), "{found}");
        assert!(found.contains("After round 2 b and c tied for the fewest votes; c left, decided by an earlier round."), "{found}");
    }
    let first = count::<InstantRunoff>(
        "a b c d",
        json!({"until": "two"}),
        ballots,
        order("c b a d"),
    );
    assert!(first.contains("b 4, c 4; out b"), "{first}");
    // Equal in all rounds: then the tie-break.
    let equal = count::<InstantRunoff>(
        "a b c",
        json!({"until": "two", "ties": "earlier-rounds"}),
        "6: a\n4: b\n4: c",
        order("c b a"),
    );
    assert!(
        equal.contains("out b") && equal.contains("decided by the declared order"),
        "{equal}"
    );
}
