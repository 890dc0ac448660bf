//! NIST Cast Vote Records.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, count, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

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
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, "plurality").unwrap();
    let winners = |text: &str, id: &str, asked: Option<&str>| {
        // Where the file does not describe its selections, options have their ids.
        let options = match text.contains("CandidateIds") {
            true => r#"[{"id": "a", "title": "Ann"}, "b"]"#,
            false => r#"["s1", "s2"]"#,
        };
        let statement = format!(r#"{{{id} "options": {options}}}"#);
        let election = Election::from_text(&statement, "e.json", asked).unwrap();
        let text = text.as_bytes().to_vec();
        let ballots = BallotFile::from_bytes(Path::new("x.json"), text, None).unwrap();
        let (ties, spoiled) = (TieBreak::Report, Spoiled::Refuse);
        match count(&rule, &election, &ballots, &ties, spoiled) {
            Ok(counted) => counted.to_json()["winners"].to_string(),
            Err(error) => error.to_string(),
        }
    };
    let described = report(&[record(&[("s1", 1, "yes")])]);
    let bare = json!({"CVR": [record(&[("s1", 1, "yes")])]}).to_string();
    for (text, winner) in [(&described, r#"["a"]"#), (&bare, r#"["s1"]"#)] {
        assert_eq!(winners(text, "", None), winner);
        assert_eq!(winners(text, r#""id": "council-2026","#, None), winner);
        assert_eq!(winners(text, "", Some("mayor")), winner);
    }
    assert_eq!(
        winners(&described, "", Some("sheriff")),
        "x.json:1: expected a contest named \"sheriff\"; the file has mayor (Mayor), and --contest chooses one"
    );
    assert_eq!(
        winners(&bare, "", Some("sheriff")),
        "x.json:1: no record holds the contest \"sheriff\""
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

/// A file that is not held as a whole: what stands where in it makes no difference, and lines are told.
#[test]
fn large_files_are_read_record_by_record() {
    use std::path::Path;

    use serde_json::json;
    use tabella_contest::TieBreak;
    use tabella_election_files::{BallotFile, Election, Spoiled, count_telling, load_rule};
    use tabella_runtime::{Runtime, RuntimeConfig};

    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, "plurality").unwrap();
    let election = json!({"id": "m", "options": [{"id": "x", "title": "Ann"}, "b"]}).to_string();
    let election = Election::from_text(&election, "e.json", None).unwrap();
    let record = |number: u64, selection: &str| {
        json!({"UniqueId": number.to_string(), "CurrentSnapshotId": "s", "CVRSnapshot": [{"@id": "s", "CVRContest": [
            {"ContestId": "m", "CVRContestSelection": [{"ContestSelectionId": selection, "SelectionPosition": [
                {"HasIndication": "yes"}]}]}]}]})
        .to_string()
    };
    let described = json!([{"@id": "e", "Candidate": [{"@id": "k", "Name": "Ann"}, {"@id": "b", "Name": "b"}],
        "Contest": [{"@id": "m", "Name": "Mayor", "ContestSelection": [
            {"@id": "sa", "CandidateIds": ["k"]}, {"@id": "sb", "CandidateIds": ["b"]}]}]}]);
    let notes = "x".repeat(65 << 20);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.json");
    let counted = |records: &str, tell: &mut dyn FnMut(u64)| {
        let text = format!(
            "\u{feff}{{\"@type\": \"CVR.CastVoteRecordReport\", \"Notes\": \"{notes}\",\n\"CVR\": [{records}],\n\
             \"Election\": {described}}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let file = BallotFile::read(Path::new(&path), None).unwrap();
        count_telling(
            &rule,
            &election,
            &[file],
            &TieBreak::Report,
            Spoiled::Count,
            tell,
        )
    };
    let spoiled = record(3, "nobody");
    let records = [record(1, "sa"), record(2, "sb"), spoiled, record(4, "sb")].join(",\n");
    let found = counted(&records, &mut |_| ()).unwrap();
    assert_eq!(found.counted, 3);
    assert_eq!(found.to_json()["options"][1]["votes"], 2);
    let lines: Vec<u64> = found.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4]);
    let twice = [record(1, "sa"), record(1, "sa")].join(",");
    let error = counted(&twice, &mut |_| ()).unwrap_err().to_string();
    assert!(
        error.contains("2 records hold the contest for the ballot"),
        "{error}"
    );
    let error = counted("{\"UniqueId\": }", &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("large.json:2: expected value at line 2"),
        "{error}"
    );
    let mut told = Vec::new();
    let many: Vec<String> = (0..200_001)
        .map(|_| "{\"CVRSnapshot\":[]}".to_owned())
        .collect();
    let error = counted(&many.join(","), &mut |records| told.push(records));
    assert!(
        error.unwrap().doubt().is_some(),
        "no record holds its current snapshot"
    );
    assert_eq!(told, [100_000, 200_000]);
}

/// A status of the whole record holds for the contest in it, and for no voter who was not asked.
#[test]
fn statuses_of_records() {
    use serde_json::json;

    let record = |contest: &str, status: serde_json::Value| {
        json!({"CVRSnapshot": [{"Status": status, "CVRContest": [{"ContestId": contest, "CVRContestSelection": [
            {"ContestSelectionId": "a", "SelectionPosition": [{"HasIndication": "yes"}]}]}]}]})
    };
    let counted = |status: serde_json::Value, contest: &str| {
        let records = [record(contest, status), record("m", json!([]))];
        let text = json!({ "CVR": records }).to_string();
        let election = json!({"id": "m", "options": ["a", "b"]});
        let spoiled = tabella_election_files::Spoiled::Count;
        crate::summary("plurality", &election, "x.json", &text, spoiled)
    };
    let undecided = "ballots that somebody has to decide about before anything is counted: 1\n";
    assert_eq!(counted(json!(["needs-adjudication"]), "m"), undecided);
    assert_eq!(counted(json!("other"), "m"), undecided);
    let found = counted(json!(["invalidated-rules"]), "m");
    assert!(
        found.contains("the record's status is invalidated-rules"),
        "{found}"
    );
    assert!(
        found.starts_with("\"a\" 1, \"b\" 0; winners [\"a\"]; 1 counted, 1 spoiled"),
        "{found}"
    );
    assert!(counted(json!([]), "m").contains("2 counted, 0 spoiled"));
}
