//! CSV files in their layouts.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_election_files::Spoiled;

use crate::summary;

fn check(rule: &str, text: &str, expected: Expect) {
    let election = json!({ "options": [{"id": "a", "title": "Ann"}, "b", "c"] });
    let shown = summary(rule, &election, "x.csv", text, Spoiled::Count);
    expected.assert_eq(&shown);
}

#[test]
fn every_layout_of_rankings_gives_the_same_count() {
    for text in [
        "count,ranking\n2,a > b\n1,b = c > a\n1,c\n",
        "ranking\na > b\na>b\nb = c > a\nc\n",
        "a > b\na > b\nb = c > a\nc\n",
        "a,b\nAnn,b\nb=c,a\nc\n",
        "2,a,b\n1,b=c,a\n1,c\n",
        "weight;rank1;rank2;rank3\n2;a;;b\n1;b=c;a;b\n1;skipped;c;c\n",
        "1st choice\t2nd choice\na\tb\na\tb\nb=c\ta\nc\t\n",
        "a,b,c\n1,2,\n1,2,\n2,1,1\n,,1\n",
        "weight,c,b,a\n2,,2,1\n1,1,1,2\n1,1,,\n",
    ] {
        let expected = expect![[r#"
            "a" 2, "b" 0, "c" 1; winners ["a"]; 4 counted, 0 spoiled
        "#]];
        check("instant-runoff", text, expected);
    }
}

#[test]
fn choices() {
    for text in [
        "choice\na\nb\nb\n",
        "count,choice\n1,Ann\n2,b\n",
        "a,b,c\n1,0,0\n,x,\n0,yes,no\n",
    ] {
        let expected = expect![[r#"
            "a" 1, "b" 2, "c" 0; winners ["b"]; 3 counted, 0 spoiled
        "#]];
        check("plurality", text, expected);
    }
}

#[test]
fn spoiled_ballots_are_named_by_line() {
    check(
        "instant-runoff",
        "count,ranking\n1,a > a\nx,b\n1,d\n1,a,b\n\"1\",\"c\"\n",
        expect![[r#"
            "a" 1, "b" 0, "c" 1; winners ["a","c"]; 2 counted, 3 spoiled
            x.csv:3: expected a number of ballots, found "x"
            x.csv:4: "d" is not an option of this contest
            x.csv:5: expected 2 cells, found 3
        "#]],
    );
    check(
        "plurality",
        "a,b,c\n1,1,0\n1,2,0\n",
        expect![[r#"
            "a" 0, "b" 0, "c" 0; winners []; 0 counted, 2 spoiled
            x.csv:2: the rule refuses it: mark at most 1 option, not 2
            x.csv:3: expected 1 or 0 for b, found "2"
        "#]],
    );
}

#[test]
fn heads_that_make_no_sense() {
    check(
        "instant-runoff",
        "count,colour\n1,red\n",
        expect![[r#"
            x.csv:1: expected a head such as `count,ranking`, `rank1,rank2` or the ids of the options, found "colour"; a column of ballots is named by --contest, or by its place with --columns, such as --columns head,count,ballot
        "#]],
    );
    check(
        "instant-runoff",
        "count,a,Ann\n1,1,2\n",
        expect![[r#"
            x.csv:1: the head names an option twice
        "#]],
    );
}

#[test]
fn lines_are_those_of_the_file() {
    for text in [
        "count,choice\r\n1,a\r\n# a remark\r\n1,zz\r\n",
        "choice\na\n# a remark\nzz\n",
        "choice\n\"a\n\"\nzz\n",
    ] {
        let expected = expect![[r#"
            "a" 1, "b" 0, "c" 0; winners ["a"]; 1 counted, 1 spoiled
            x.csv:4: "zz" is not an option of this contest
        "#]];
        check("plurality", text, expected);
    }
}

#[test]
fn a_first_ballot_of_all_options_is_no_head() {
    for text in ["a,b,c\nc,b,a\nc\n", "Ann,b,c\nc\nc,a\n"] {
        let expected = expect![[r#"
            "a" 1, "b" 0, "c" 2; winners ["c"]; 3 counted, 0 spoiled
        "#]];
        check("instant-runoff", text, expected);
    }
}

#[test]
fn numbers_as_options_need_a_head() {
    let election = json!({ "options": ["1", "2", "3"] });
    let shown = |text| summary("instant-runoff", &election, "x.csv", text, Spoiled::Count);
    expect![[r#"
        x.csv:1: "1,2,3" may be a number of ballots and a ballot, or a ballot whose first choice is an option; say which with --columns count,... or --columns ..., or write a head such as `count,rank1,rank2` or `rank1,rank2` above
    "#]]
    .assert_eq(&shown("1,2,3\n2,1,3\n"));
    expect![[r#"
        "1" 2, "2" 1, "3" 0; winners ["1","2"]; 2 counted, 0 spoiled
    "#]]
    .assert_eq(&shown("rank1,rank2,rank3\n1,2,3\n2,1,3\n"));
}

#[test]
fn a_quotation_mark_that_is_never_closed() {
    check(
        "instant-runoff",
        "count,ranking\n1,c\n3,\"a > b\n2,b\n",
        expect![[r#"
            x.csv:3: a quotation mark is opened here and never closed
        "#]],
    );
}

#[test]
fn a_first_line_that_says_the_separator() {
    let election = json!({ "options": ["a", "b"] });
    let counted = |text: &str| summary("instant-runoff", &election, "x.csv", text, Spoiled::Count);
    assert!(counted("sep=;\nrank1;rank2\na;b\nb;\n").starts_with("\"a\" 1, \"b\" 1"));
    assert!(counted("sep=|\r\nrank1|rank2\r\na|b\r\n").starts_with("\"a\" 1, \"b\" 0"));
    assert!(counted("sep=;\nrank1;rank2\nx;b\n").contains("x.csv:3: "));
    assert!(counted("sep=;;\na;b\n").contains("not an option"));
}
