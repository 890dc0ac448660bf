//! NIST Cast Vote Records.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_election_files::{BallotFile, Election, Spoiled, count, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig, TieBreak};

use crate::summary;

/// A report with these records, each on a line of its own.
fn report(records: &[Value]) -> String {
    let head = json!([{
        "@id": "e", "@type": "CVR.Election",
        "Candidate": [
            {"@id": "cand-1", "@type": "CVR.Candidate", "Name": "Ann"},
            {"@id": "cand-2", "@type": "CVR.Candidate", "Name": "Bea"},
        ],
        "Contest": [{
            "@id": "mayor", "@type": "CVR.CandidateContest", "Name": "Mayor",
            "ContestSelection": [
                {"@id": "s1", "@type": "CVR.CandidateSelection", "CandidateIds": ["cand-1"]},
                {"@id": "s2", "@type": "CVR.CandidateSelection", "CandidateIds": ["cand-2"]},
                {"@id": "s3", "@type": "CVR.CandidateSelection", "IsWriteIn": true},
            ],
        }],
    }]);
    let records: Vec<String> = records.iter().map(Value::to_string).collect();
    format!(
        "{{\"@type\": \"CVR.CastVoteRecordReport\", \"Version\": \"1.0.0\",\n\"Election\": {head},\n\"CVR\": [\n{}]}}",
        records.join(",\n")
    )
}

/// A record with marks of selection, rank and whether the mark can count.
fn record(marks: &[(&str, u64, &str)]) -> Value {
    let selections = marks.iter().map(|(selection, rank, allocable)| {
        let position = json!({
            "@type": "CVR.SelectionPosition", "HasIndication": "yes", "IsAllocable": allocable,
            "NumberVotes": 1, "Rank": rank,
        });
        json!({
            "@type": "CVR.CVRContestSelection", "ContestSelectionId": selection,
            "SelectionPosition": [position],
        })
    });
    let contest = json!({
        "@type": "CVR.CVRContest", "ContestId": "mayor",
        "CVRContestSelection": selections.collect::<Value>(),
    });
    json!({
        "@type": "CVR.CVR", "CurrentSnapshotId": "now", "ElectionId": "e",
        "CVRSnapshot": [
            {"@id": "before", "@type": "CVR.CVRSnapshot", "Type": "original", "CVRContest": []},
            {"@id": "now", "@type": "CVR.CVRSnapshot", "Type": "interpreted", "CVRContest": [contest]},
        ],
    })
}

fn check(rule: &str, text: &str, expected: Expect) {
    let election = json!({ "options": [{"id": "a", "title": "Ann"}, {"id": "b", "title": "Bea"}, "write-in"] });
    let shown = summary(rule, &election, "x.json", text, Spoiled::Count);
    expected.assert_eq(&shown);
}

#[test]
fn ranked_marks() {
    let text = report(&[
        record(&[("s1", 1, "yes"), ("s2", 2, "yes"), ("s1", 3, "yes")]),
        record(&[("s3", 1, "unknown")]),
        record(&[("s2", 1, "no"), ("s1", 2, "yes")]),
        record(&[]),
        record(&[("s9", 1, "yes")]),
        json!({"CVRSnapshot": []}),
    ]);
    check(
        "instant-runoff",
        &text,
        expect![[r#"
            "a" 2, "b" 0, "write-in" 1; winners ["a"]; 4 counted, 2 spoiled
            x.json:8: the selection "s9" is not an option of this contest
            x.json:9: the record has no snapshot "none", its current one
        "#]],
    );
}

#[test]
fn overvotes_are_the_rules_to_judge() {
    let text = report(&[
        record(&[("s1", 1, "yes")]),
        record(&[("s1", 1, "yes"), ("s2", 1, "yes")]),
    ]);
    check(
        "plurality",
        &text,
        expect![[r#"
            "a" 1, "b" 0, "write-in" 0; winners ["a"]; 1 counted, 1 spoiled
            x.json:5: the rule refuses it: mark at most 1 option, not 2
        "#]],
    );
}

#[test]
fn a_contest_that_was_asked_for_is_the_one_that_counts() {
    let text = report(&[record(&[("s1", 1, "yes")])]);
    let ballots = BallotFile::from_bytes(Path::new("x.json"), text.into_bytes(), None).unwrap();
    let rule = load_rule(
        &Runtime::new(RuntimeConfig::default()).unwrap(),
        "plurality",
    )
    .unwrap();
    let count_of = |contest| {
        let statement =
            r#"{"options": [{"id": "a", "title": "Ann"}, {"id": "b", "title": "Bea"}]}"#;
        let election = Election::from_text(statement, "e.json", contest).unwrap();
        let counted = count(
            &rule,
            &election,
            &ballots,
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        counted.map(|counted| counted.to_json()["winners"].to_string())
    };
    for contest in [None, Some("mayor")] {
        assert_eq!(count_of(contest).unwrap(), "[\"a\"]");
    }
    assert_eq!(
        count_of(Some("sheriff")).unwrap_err().to_string(),
        "x.json:1: expected --contest to name one of the file's contests (mayor), found sheriff"
    );
}

#[test]
fn a_voter_who_was_not_asked_is_no_ballot() {
    let mut elsewhere = record(&[("s1", 1, "yes")]);
    elsewhere["CVRSnapshot"][1]["CVRContest"][0]["ContestId"] = json!("dogcatcher");
    check(
        "plurality",
        &report(&[elsewhere, record(&[("s2", 1, "yes")])]),
        expect![[r#"
            "a" 0, "b" 1, "write-in" 0; winners ["b"]; 1 counted, 0 spoiled
        "#]],
    );
}
