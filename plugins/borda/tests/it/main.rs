//! The Borda count: published examples, unranked options, ties, properties.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_borda::Borda;
use tabella_rule_testing::{Ties, count, order, properties, refusal};

fn check(options: &str, params: Value, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<Borda>(options, params, ballots, ties));
}

/// Where to put Tennessee's capital, as in Wikipedia: Nashville has 194 points, Chattanooga 173,
/// Memphis 126, Knoxville 107.
#[test]
fn tennessee() {
    let ballots = "42: memphis > nashville > chattanooga > knoxville
                   26: nashville > chattanooga > knoxville > memphis
                   15: chattanooga > knoxville > nashville > memphis
                   17: knoxville > chattanooga > nashville > memphis";
    let options = "memphis nashville chattanooga knoxville";
    check(
        options,
        json!({}),
        ballots,
        Ties::Report,
        expect![[r#"
        winners: nashville
        votes: memphis 126, nashville 194, chattanooga 173, knoxville 107
        nashville has the most points, 194 from 100 ballots, and wins.
    "#]],
    );
    check(
        options,
        json!({"dowdall": true}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: nashville
            votes: memphis 56.5, nashville 173/3, chattanooga 50.5, knoxville 131/3
            nashville has the most points, 173/3 from 100 ballots, and wins.
        "#]],
    );
}

#[test]
fn what_is_not_ranked() {
    let ballots = "2: a
                   1: b > c";
    let options = "a b c d";
    check(
        options,
        json!({}),
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 6.5, b 5, c 4, d 2.5
        a has the most points, 6.5 from 3 ballots, and wins.
    "#]],
    );
    check(
        options,
        json!({"unranked": "zero"}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: a
            votes: a 6, b 3, c 2, d 0
            a has the most points, 6 from 3 ballots, and wins.
        "#]],
    );
    let dowdall = json!({"dowdall": true});
    check(
        options,
        dowdall,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 55/24, b 31/18, c 11/9, d 73/72
        a has the most points, 55/24 from 3 ballots, and wins.
    "#]],
    );
    let dowdall = json!({"dowdall": true, "unranked": "zero"});
    check(
        options,
        dowdall,
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2, b 1, c 0.5, d 0
        a has the most points, 2 from 3 ballots, and wins.
    "#]],
    );
}

#[test]
fn shared_ranks() {
    let ballots = "a = b > c
                   c > a = b > d";
    check(
        "a b c d",
        json!({}),
        ballots,
        order("b a c d"),
        expect![[r#"
            winners: b
            tie: a, b, c: the most points (by order)
            votes: a 4, b 4, c 4, d 0
            a, b and c tie with 4 points; b wins, decided by the declared order.
        "#]],
    );
    check(
        "a b c d",
        json!({"dowdall": true}),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: c
            votes: a 7/6, b 7/6, c 4/3, d 0.5
            c has the most points, 4/3 from 2 ballots, and wins.
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
        No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a b",
        json!({}),
        "9:",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 4.5, b 4.5
        No ballot ranks an option, so nobody wins.
    "#]],
    );
    check(
        "a",
        json!({}),
        "2: a",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 0
        a has the most points, 0 from 2 ballots, and wins.
    "#]],
    );
}

#[test]
fn dowdall_is_exact_or_refused() {
    let options = |count: usize| {
        let ids = (0..count).map(|option| format!("o{option}"));
        ids.collect::<Vec<_>>().join(" ")
    };
    let dowdall = json!({"dowdall": true});
    expect!["dowdall is exact for at most 36 options, the contest has 37"].assert_eq(&refusal::<
        Borda,
    >(
        &options(37),
        dowdall.clone(),
    ));
    // The largest election of the largest contest.
    let ballots = "8000000000: o0 > o1 > o2 = o3";
    let shown = count::<Borda>(&options(36), dowdall, ballots, Ties::Report);
    assert!(
        shown.starts_with("winners: o0\nvotes: o0 8000000000, o1 4000000000, o2 "),
        "{shown}"
    );
}

#[test]
fn what_holds_for_every_rule() {
    for unranked in ["average", "zero"] {
        for dowdall in [false, true] {
            properties::<Borda>(&json!({"unranked": unranked, "dowdall": dowdall}), 6, 1..=6);
        }
    }
}
