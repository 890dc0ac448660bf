//! Referendums: the United Kingdom in 2016, majorities, quorums, abstentions, properties.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_rule_referendum::Referendum;
use tabella_rule_testing::{Ties, count, properties_but_numbering, refusal, verdict};

fn check(options: &str, params: Value, ballots: &str, expected: Expect) {
    expected.assert_eq(&count::<Referendum>(options, params, ballots, Ties::Report));
}

/// The result published by the Electoral Commission. It would not have been adopted by two thirds;
/// more than half of the roll took part.
#[test]
fn united_kingdom_2016() {
    let ballots = "17410742: leave
                   16141241: remain";
    check(
        "leave remain",
        json!({}),
        ballots,
        expect![[r#"
        winners: leave
        votes: leave 17410742, remain 16141241
        17410742 for leave, 16141241 for remain, 0 abstained. To be adopted, leave needs more than 1/2 of 33551983: it is adopted.
    "#]],
    );
    check(
        "leave remain",
        json!({"majority": "2/3"}),
        ballots,
        expect![[r#"
            winners: remain
            votes: leave 17410742, remain 16141241
            17410742 for leave, 16141241 for remain, 0 abstained. To be adopted, leave needs at least 2/3 of 33551983: it is not adopted.
        "#]],
    );
    let quorum = json!({"quorum": "1/2", "roll": 46_500_001});
    check(
        "leave remain",
        quorum,
        ballots,
        expect![[r#"
        winners: leave
        votes: leave 17410742, remain 16141241
        17410742 for leave, 16141241 for remain, 0 abstained. 33551983 of the 46500001 on the roll took part, at least 1/2 are needed. To be adopted, leave needs more than 1/2 of 33551983: it is adopted.
    "#]],
    );
}

#[test]
fn half_is_not_enough_and_two_thirds_are() {
    check(
        "yes no",
        json!({}),
        "2: yes\n2: no",
        expect![[r#"
        winners: no
        votes: yes 2, no 2
        2 for yes, 2 for no, 0 abstained. To be adopted, yes needs more than 1/2 of 4: it is not adopted.
    "#]],
    );
    check(
        "yes no",
        json!({"majority": "2/3"}),
        "2: yes\n1: no",
        expect![[r#"
            winners: yes
            votes: yes 2, no 1
            2 for yes, 1 for no, 0 abstained. To be adopted, yes needs at least 2/3 of 3: it is adopted.
        "#]],
    );
    check(
        "yes no",
        json!({"majority": "2/3"}),
        "199: yes\n100: no",
        expect![[r#"
            winners: no
            votes: yes 199, no 100
            199 for yes, 100 for no, 0 abstained. To be adopted, yes needs at least 2/3 of 299: it is not adopted.
        "#]],
    );
}

#[test]
fn abstentions_are_counted_or_not() {
    let ballots = "3: yes\n2: no\n1: abstain\n1:";
    check(
        "yes no abstain",
        json!({}),
        ballots,
        expect![[r#"
        winners: yes
        votes: yes 3, no 2, abstain 1
        3 for yes, 2 for no, 2 abstained. To be adopted, yes needs more than 1/2 of 5: it is adopted.
    "#]],
    );
    check(
        "yes no abstain",
        json!({"abstentions": "counted"}),
        ballots,
        expect![[r#"
            winners: no
            votes: yes 3, no 2, abstain 1
            3 for yes, 2 for no, 2 abstained. To be adopted, yes needs more than 1/2 of 7: it is not adopted.
        "#]],
    );
}

#[test]
fn a_missed_quorum_decides_nothing() {
    let params = |roll: u64| json!({"quorum": "1/2", "roll": roll});
    check(
        "yes no",
        params(10),
        "4: yes\n1:",
        expect![[r#"
        winners: yes
        votes: yes 4, no 0
        4 for yes, 0 for no, 1 abstained. 5 of the 10 on the roll took part, at least 1/2 are needed. To be adopted, yes needs more than 1/2 of 4: it is adopted.
    "#]],
    );
    check(
        "yes no",
        params(11),
        "4: yes\n1:",
        expect![[r#"
        winners: none
        votes: yes 4, no 0
        4 for yes, 0 for no, 1 abstained. 5 of the 11 on the roll took part, at least 1/2 are needed. The quorum is missed, so nothing is decided.
    "#]],
    );
}

#[test]
fn ballots_are_judged() {
    let verdict = |ballot| verdict::<Referendum>("yes no", json!({}), ballot);
    expect!["accept"].assert_eq(&verdict("no"));
    expect!["accept"].assert_eq(&verdict(""));
    expect!["2: mark one option only, not 2"].assert_eq(&verdict("yes no"));
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    expect![
        "expected two options, to adopt and to reject, and perhaps a third to abstain; found 4"
    ]
    .assert_eq(&refusal::<Referendum>("a b c d", json!({})));
    expect!["majority: expected at most the whole, found 3/2"]
        .assert_eq(&refusal::<Referendum>("a b", json!({"majority": "3/2"})));
    expect!["quorum is a share of the roll: say in roll how many voters it has"]
        .assert_eq(&refusal::<Referendum>("a b", json!({"quorum": "1/2"})));
}

#[test]
fn nothing_to_count() {
    check(
        "yes no",
        json!({}),
        "",
        expect![[r#"
        winners: none
        votes: yes 0, no 0
        Nobody took part, so nothing is decided.
    "#]],
    );
    check(
        "yes no",
        json!({}),
        "3:",
        expect![[r#"
        winners: no
        votes: yes 0, no 0
        0 for yes, 0 for no, 3 abstained. To be adopted, yes needs more than 1/2 of 0: it is not adopted.
    "#]],
    );
    check(
        "yes no",
        json!({"majority": "1/1"}),
        "3:",
        expect![[r#"
        winners: no
        votes: yes 0, no 0
        0 for yes, 0 for no, 3 abstained. To be adopted, yes needs at least 1/1 of 0: it is not adopted.
    "#]],
    );
}

/// The first option is the proposal, so the numbering of the options matters.
#[test]
fn what_holds_for_every_rule_but_numbering() {
    properties_but_numbering::<Referendum>(&json!({}), 1, 2..=3);
    let params = json!({"majority": "2/3", "quorum": "1/2", "roll": 20, "abstentions": "counted"});
    properties_but_numbering::<Referendum>(&params, 1, 2..=3);
}
