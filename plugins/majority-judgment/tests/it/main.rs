//! Majority judgment: verdicts, published examples, ties, properties.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_majority_judgment::MajorityJudgment;
use tabella_rule_testing::{Ties, count, order, properties, refusal, verdict};

fn check(options: &str, params: Value, ballots: &str, ties: Ties, expected: Expect) {
    expected.assert_eq(&count::<MajorityJudgment>(options, params, ballots, ties));
}

fn grades(ties: &str) -> Value {
    json!({"grades": ["poor", "fair", "good", "excellent"], "ties": ties})
}

/// Where to put Tennessee's capital, as in Wikipedia: all but Memphis have the median "fair", and of
/// them Nashville wins.
const TENNESSEE: &str = "42: memphis=excellent nashville=fair chattanooga=poor knoxville=poor
                         26: memphis=poor nashville=excellent chattanooga=fair knoxville=fair
                         15: memphis=poor nashville=fair chattanooga=excellent knoxville=good
                         17: memphis=poor nashville=fair chattanooga=good knoxville=excellent";

#[test]
fn blank_ballots_elect_nobody() {
    for ties in ["iterated", "gauge"] {
        check(
            "a b",
            grades(ties),
            "3:",
            Ties::Report,
            expect![[r#"
                winners: none
                votes: a 0, b 0
                All 3 ballots are blank: nobody was graded, and nobody wins.
            "#]],
        );
    }
}

#[test]
fn tennessee() {
    let options = "memphis nashville chattanooga knoxville";
    check(
        options,
        grades("iterated"),
        TENNESSEE,
        Ties::Report,
        expect![[r#"
            winners: nashville
            votes: memphis 0, nashville 1, chattanooga 1, knoxville 1
            The highest median of 100 grades is fair. nashville: 26 above it, 0 below. Taking medians away one at a time from the options that share it, nashville leads. nashville wins.
        "#]],
    );
    check(
        options,
        grades("gauge"),
        TENNESSEE,
        Ties::Report,
        expect![[r#"
            winners: nashville
            votes: memphis 0, nashville 1, chattanooga 1, knoxville 1
            The highest median of 100 grades is fair. nashville: 26 above it, 0 below. By the gauge of the options that share it, nashville leads. nashville wins.
        "#]],
    );
}

/// The experiment of Orsay at the French presidential election of 22 April 2007 (Balinski and Laraki
/// 2007, table 2), in thousandths of 1,733 ballots, for the three leading candidates; the order in
/// the paper is Bayrou, Royal, Sarkozy. A ballot for each grade of a candidate stands for its share:
/// how grades went together does not matter.
#[test]
fn orsay_2007() {
    let params = |ties: &str| {
        let grades = [
            "reject",
            "poor",
            "acceptable",
            "good",
            "very-good",
            "excellent",
        ];
        json!({"grades": grades, "ties": ties})
    };
    let ballots = ballots_of(&[
        ("bayrou", [74, 84, 148, 251, 307, 136]),
        ("royal", [126, 122, 168, 191, 227, 166]),
        ("sarkozy", [282, 71, 115, 143, 198, 191]),
    ]);
    for ties in ["iterated", "gauge"] {
        let shown =
            count::<MajorityJudgment>("bayrou royal sarkozy", params(ties), &ballots, Ties::Report);
        assert!(
            shown.contains("winners: bayrou\nvotes: bayrou 3, royal 3, sarkozy 3\n"),
            "{shown}"
        );
    }
    check(
        "bayrou royal sarkozy",
        params("gauge"),
        &ballots,
        Ties::Report,
        expect![[r#"
            winners: bayrou
            votes: bayrou 3, royal 3, sarkozy 3
            The highest median of 1000 grades is good. bayrou: 443 above it, 306 below. By the gauge of the options that share it, bayrou leads. bayrou wins.
        "#]],
    );
    let without_bayrou = ballots_of(&[
        ("royal", [126, 122, 168, 191, 227, 166]),
        ("sarkozy", [282, 71, 115, 143, 198, 191]),
    ]);
    check(
        "royal sarkozy",
        params("gauge"),
        &without_bayrou,
        Ties::Report,
        expect![[r#"
            winners: royal
            votes: royal 3, sarkozy 3
            The highest median of 1000 grades is good. royal: 393 above it, 416 below. By the gauge of the options that share it, royal leads. royal wins.
        "#]],
    );
}

/// A thousand ballots with so many of each grade, from the worst, for each option.
fn ballots_of(options: &[(&str, [usize; 6])]) -> String {
    let mut lines = vec![String::new(); 1_000];
    for (option, counts) in options {
        let grades = counts.iter().enumerate();
        let grades = grades.flat_map(|(grade, count)| std::iter::repeat_n(grade, *count));
        for (line, grade) in lines.iter_mut().zip(grades) {
            *line += &format!("{option}={grade} ");
        }
    }
    lines.join("\n")
}

#[test]
fn ballots_are_judged() {
    let verdict = |ballot| verdict::<MajorityJudgment>("a b", grades("gauge"), ballot);
    expect!["accept"].assert_eq(&verdict("a=excellent"));
    expect!["accept"].assert_eq(&verdict(""));
    expect!["2: grades go from 0 to 3; option 2 has 4"].assert_eq(&verdict("a=0 b=4"));
}

#[test]
fn grades_that_make_no_sense_are_refused() {
    let refusal = |grades: Value| refusal::<MajorityJudgment>("a", json!({ "grades": grades }));
    expect!["grades: expected 2 to 64 grades from the worst to the best, found 1"]
        .assert_eq(&refusal(json!(["only"])));
    expect!["grades: grade 3 is empty or was named before"]
        .assert_eq(&refusal(json!(["bad", "good", "bad"])));
    expect!["grades: grade 2 is empty or was named before"].assert_eq(&refusal(json!(["bad", ""])));
}

/// Both have the median "good" and two grades above it, which ties them by the gauge; a has one below.
#[test]
fn the_two_ways_to_compare_can_differ() {
    let ballots = "2: a=excellent b=excellent
                   2: a=good b=good
                   1: a=poor b=good";
    check(
        "a b",
        grades("iterated"),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: b
            votes: a 2, b 2
            The highest median of 5 grades is good. b: 2 above it, 0 below. Taking medians away one at a time from the options that share it, b leads. b wins.
        "#]],
    );
    check(
        "a b",
        grades("gauge"),
        ballots,
        Ties::Report,
        expect![[r#"
            winners: a, b
            tie: a, b: the best grades (by report)
            votes: a 2, b 2
            The highest median of 5 grades is good. a: 2 above it, 1 below. b: 2 above it, 0 below. a and b tie; the tie is not decided.
        "#]],
    );
}

#[test]
fn equal_grades() {
    let ballots = "a=good b=fair
                   b=good a=fair";
    check(
        "a b c",
        grades("iterated"),
        ballots,
        order("c b a"),
        expect![[r#"
            winners: b
            tie: a, b: the best grades (by order)
            votes: a 1, b 1, c 0
            The highest median of 2 grades is fair. a: 1 above it, 0 below. b: 1 above it, 0 below. a and b tie; b wins, decided by the declared order.
        "#]],
    );
    check(
        "a b c",
        grades("gauge"),
        ballots,
        Ties::Report,
        expect![[r#"
        winners: a, b
        tie: a, b: the best grades (by report)
        votes: a 1, b 1, c 0
        The highest median of 2 grades is fair. a: 1 above it, 0 below. b: 1 above it, 0 below. a and b tie; the tie is not decided.
    "#]],
    );
}

#[test]
fn nothing_to_count() {
    check(
        "a b",
        grades("iterated"),
        "",
        Ties::Report,
        expect![[r#"
        winners: none
        votes: a 0, b 0
        There are no ballots, so nobody wins.
    "#]],
    );
    check(
        "a b",
        grades("iterated"),
        "9:",
        Ties::Report,
        expect![[r#"
            winners: none
            votes: a 0, b 0
            All 9 ballots are blank: nobody was graded, and nobody wins.
        "#]],
    );
    check(
        "a",
        grades("gauge"),
        "2: a=good",
        Ties::Report,
        expect![[r#"
        winners: a
        votes: a 2
        The highest median of 2 grades is good. a: 0 above it, 0 below. a wins.
    "#]],
    );
}

#[test]
fn what_holds_for_every_rule() {
    properties::<MajorityJudgment>(&grades("iterated"), 4, 1..=6);
    properties::<MajorityJudgment>(&grades("gauge"), 4, 1..=6);
}
