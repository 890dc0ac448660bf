//! Files that were once counted without a word though they can mean two things, contradict themselves, or
//! are not whole: each is refused, and says what decides.

use std::path::Path;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, count_all, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::summary;

pub(crate) fn people() -> Value {
    json!({"options": [
        {"id": "a", "title": "Ann Lee"}, {"id": "b", "title": "Bo Ek"}, {"id": "c", "title": "Cy Fa"}
    ]})
}

fn found(rule: &str, file: &str, text: &str) -> String {
    summary(rule, &people(), file, text, Spoiled::Count)
}

#[track_caller]
pub(crate) fn is_refused(rule: &str, file: &str, text: &str, why: &str) {
    let found = summary(rule, &people(), file, text, Spoiled::Refuse);
    assert!(!found.contains("winners"), "{text}\ncounted: {found}");
    assert!(found.contains(why), "{text}\n{found}");
}

#[track_caller]
pub(crate) fn counts(rule: &str, file: &str, text: &str, votes: &str) {
    let found = found(rule, file, text);
    assert!(found.starts_with(votes), "{text}\n{found}");
}

#[test]
fn numbers_of_ballots_that_may_be_numbers_of_rows() {
    let why = "may be how many ballots a line stands for, or the ballot's own number";
    for text in [
        "1,Ann Lee,Bo Ek\n2,Bo Ek,Ann Lee\n3,Bo Ek,\n",
        "1001,Ann Lee\n1002,Bo Ek\n",
        "17,Ann Lee\n23,Bo Ek\n40,Bo Ek\n",
        "0;Ann Lee;Bo Ek\n1;Bo Ek;Ann Lee\n",
    ] {
        is_refused("instant-runoff", "x.csv", text, why);
    }
    // Numbers that are no counts of rankings: many lines, and none of them as often as another.
    let shuffled: String = (0..24)
        .map(|row| format!("{},Ann Lee\n", (row * 7 + 3) % 24 + 500))
        .collect();
    is_refused("instant-runoff", "x.csv", &shuffled, why);
    // Counts as people list them, the most first.
    counts(
        "instant-runoff",
        "x.csv",
        "42,Ann Lee\n26,Bo Ek\n15,Cy Fa\n17,Bo Ek\n",
        "\"a\" 42, \"b\" 43, \"c\" 15",
    );
    counts(
        "instant-runoff",
        "x.csv",
        "2,Ann Lee\n2,Bo Ek\n3,Cy Fa\n",
        "\"a\" 2, \"b\" 2, \"c\" 3",
    );
    counts(
        "instant-runoff",
        "x.csv",
        "count,rank1\n1,Ann Lee\n2,Bo Ek\n",
        "\"a\" 1, \"b\" 2",
    );
    counts(
        "instant-runoff",
        "x.csv",
        "id,rank1\n1,Ann Lee\n2,Bo Ek\n",
        "\"a\" 1, \"b\" 1",
    );
}

#[test]
fn lines_that_may_be_remarks() {
    let options = json!({"options": ["#1", "b"]});
    let counted = |text: &str| summary("plurality", &options, "x.csv", text, Spoiled::Count);
    for text in ["#1\nb\n", "choice\nb\n#1\n", "rank1,rank2\nb,\n#1,b\n"] {
        let found = counted(text);
        assert!(
            found.contains("may be a remark, or a ballot"),
            "{text}: {found}"
        );
    }
    assert!(counted("choice\nb\n\"#1\"\n# a remark\n").starts_with("\"#1\" 1, \"b\" 1"));
    // A ballot's own number may start with the sign.
    let why = "may be a remark, or a ballot";
    is_refused(
        "plurality",
        "x.csv",
        "id,choice\n7,Bo Ek\n#8,Ann Lee\n",
        why,
    );
    counts(
        "plurality",
        "x.csv",
        "id,choice\n# by hand, and checked\n7,Bo Ek\n",
        "\"a\" 0, \"b\" 1",
    );
    counts(
        "plurality",
        "x.csv",
        "# id,choice\nid,choice\n# by hand\n7,Bo Ek\n",
        "\"a\" 0, \"b\" 1",
    );
}

#[test]
fn an_overvote_above_the_choice_that_counts() {
    let text = "rank1,rank2\novervote,Bo Ek\nAnn Lee,overvote\n";
    let found = found("plurality", "x.csv", text);
    assert!(
        found.starts_with("\"a\" 1, \"b\" 0, \"c\" 0; winners [\"a\"]; 1 counted, 1 spoiled"),
        "{found}"
    );
    let election = json!({"options": ["a", "b", "c"], "params": {"max_choices": 2}});
    let counted = |text: &str| summary("plurality", &election, "x.csv", text, Spoiled::Count);
    assert!(
        counted("rank1,rank2,rank3\na,overvote,b\na,b,overvote\n")
            .contains("; 1 counted, 1 spoiled")
    );
}

#[test]
fn a_question_is_the_column_that_it_names() {
    let text = "Timestamp,Email,Who should be chair?,Any remarks?\n1,a@x.org,Ann Lee,none\n2,b@x.org,Bo Ek,\n";
    is_refused(
        "plurality",
        "x.csv",
        text,
        "--columns head,ignore,ignore,ballot,ignore",
    );
    let asked = |contest: &str| {
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let rule = load_rule(&runtime, "plurality").unwrap();
        let election = Election::from_text(&people().to_string(), "e.json", Some(contest)).unwrap();
        let file =
            BallotFile::from_bytes(Path::new("x.csv"), text.as_bytes().to_vec(), None).unwrap();
        let counted = count_all(
            &rule,
            &election,
            &[file],
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        counted.map(|counted| counted.to_json()["winners"].clone())
    };
    assert_eq!(asked("Who should be chair?").unwrap(), json!(["a", "b"]));
    assert_eq!(asked("who should be  chair").unwrap(), json!(["a", "b"]));
    assert!(asked("Any remarks?").is_err());
    assert!(asked("Who?").is_err());
}

const ALTERNATIVES: &str = "# FILE NAME: x.soi\n# NUMBER ALTERNATIVES: 3\n# NUMBER VOTERS: 5\n\
    # NUMBER UNIQUE ORDERS: 2\n# ALTERNATIVE NAME 1: Ann Lee\n# ALTERNATIVE NAME 2: Bo Ek\n\
    # ALTERNATIVE NAME 3: Cy Fa\n";

#[test]
fn files_that_hold_fewer_ballots_than_they_say() {
    let text = format!("{ALTERNATIVES}3: 1,2\n2: 2,1,3\n");
    counts("instant-runoff", "x.soi", &text, "\"a\" 3, \"b\" 2");
    is_refused(
        "instant-runoff",
        "x.soi",
        &text.replace("2: 2,1,3\n", ""),
        "NUMBER VOTERS says 5, found 3",
    );
    is_refused(
        "instant-runoff",
        "x.soi",
        &text.replace("3: 1,2\n", "1: 1,2\n"),
        "NUMBER VOTERS says 5, found 3",
    );
    is_refused(
        "instant-runoff",
        "x.soi",
        &text.replace("ORDERS: 2", "ORDERS: 3"),
        "NUMBER UNIQUE ORDERS says 3, found 2",
    );
    is_refused(
        "instant-runoff",
        "x.soi",
        &text.replace("ALTERNATIVES: 3", "ALTERNATIVES: 4"),
        "NUMBER ALTERNATIVES says 4, found 3",
    );
    let budget = "META\nkey;value\nnum_projects;2\nnum_votes;3\nvote_type;approval\nPROJECTS\n\
        project_id;cost;name\n1;60;Ann Lee\n2;50;Bo Ek\nVOTES\nvoter_id;vote\nv1;1,2\nv2;1\nv3;\n";
    counts("approval", "x.pb", budget, "\"a\" 2, \"b\" 1");
    is_refused(
        "approval",
        "x.pb",
        &budget.replace("v3;\n", ""),
        "num_votes says 3, found 2",
    );
    is_refused(
        "approval",
        "x.pb",
        &budget.replace("projects;2", "projects;7"),
        "num_projects says 7, found 2",
    );
}

#[test]
fn complete_orders_say_nothing_of_approval() {
    let text = format!("{ALTERNATIVES}3: 1,2,3\n2: 2,1,3\n");
    for file in ["x.soc", "x.toc"] {
        let text = text.replace("x.soi", file);
        is_refused(
            "approval",
            file,
            &text,
            "every alternative stands in every order",
        );
        counts("plurality", file, &text, "\"a\" 3, \"b\" 2");
    }
    counts(
        "approval",
        "x.soi",
        &format!("{ALTERNATIVES}3: 1,2\n2: 2,1,3\n"),
        "\"a\" 5, \"b\" 5, \"c\" 2",
    );
}

/// A report with one contest of two candidates, and these marks in one record.
fn report(selections: Value) -> Value {
    json!({
        "Election": [{"@id": "e",
            "Candidate": [{"@id": "k1", "Name": "Ann Lee"}, {"@id": "k2", "Name": "Bo Ek"}],
            "Contest": [{"@id": "m", "ContestSelection": [
                {"@id": "s1", "CandidateIds": ["k1"]}, {"@id": "s2", "CandidateIds": ["k2"]}]}]}],
        "CVR": [{"CurrentSnapshotId": "r", "CVRSnapshot": [
            {"@id": "r", "CVRContest": [{"ContestId": "m", "CVRContestSelection": selections}]}]}]
    })
}

#[test]
fn marks_that_are_more_or_less_than_one() {
    let mark = |mark: Value| {
        report(json!([{"ContestSelectionId": "s1", "SelectionPosition": [mark]}])).to_string()
    };
    counts(
        "plurality",
        "x.json",
        &mark(json!({"HasIndication": "yes", "NumberVotes": 1})),
        "\"a\" 1",
    );
    is_refused(
        "plurality",
        "x.json",
        &mark(json!({"HasIndication": "yes", "NumberVotes": 2})),
        "2 votes",
    );
    is_refused(
        "approval",
        "x.json",
        &mark(json!({"HasIndication": "yes", "NumberVotes": 3})),
        "3 votes",
    );
    is_refused(
        "plurality",
        "x.json",
        &mark(json!({"HasIndication": "yes", "FractionalVotes": "1/2"})),
        "FractionalVotes",
    );
    for selection in [
        json!([{"ContestSelectionId": "s1", "TotalNumberVotes": 1}]),
        json!([{"ContestSelectionId": "s1"}]),
        json!([{"ContestSelectionId": "s1", "SelectionPosition": []}]),
    ] {
        is_refused(
            "plurality",
            "x.json",
            &report(selection).to_string(),
            "no SelectionPosition",
        );
    }
}

#[test]
fn records_and_snapshots_that_are_one() {
    let mut text = report(
        json!([{"ContestSelectionId": "s1", "SelectionPosition": [{"HasIndication": "yes"}]}]),
    );
    let snapshot = text["CVR"][0]["CVRSnapshot"][0].clone();
    text["CVR"][0]["CVRSnapshot"]
        .as_array_mut()
        .unwrap()
        .push(snapshot.clone());
    is_refused("plurality", "x.json", &text.to_string(), "two snapshots");
    let record = json!({"CurrentSnapshotId": "r", "BallotAuditId": "7", "CVRSnapshot": [snapshot]});
    text["CVR"] = json!([record, record]);
    is_refused(
        "plurality",
        "x.json",
        &text.to_string(),
        "records hold the contest for the ballot",
    );
    text["CVR"][1]["BallotAuditId"] = json!("8");
    counts("plurality", "x.json", &text.to_string(), "\"a\" 2");
}

#[test]
fn namesakes_in_two_orders() {
    let election = json!({"options": [
        {"id": "s1", "title": "John Smith"}, {"id": "s2", "title": "John Smith"}, {"id": "k", "title": "Kay"}]});
    let mut text = report(
        json!([{"ContestSelectionId": "s2", "SelectionPosition": [{"HasIndication": "yes"}]}]),
    );
    text["Election"][0]["Candidate"] = json!([
        {"@id": "k1", "Name": "John Smith"}, {"@id": "k2", "Name": "John Smith"}]);
    text["Election"][0]["Contest"][0]["ContestSelection"] = json!([
        {"@id": "y1", "CandidateIds": ["k1"]}, {"@id": "y2", "CandidateIds": ["k2"]}]);
    text["CVR"][0]["CVRSnapshot"][0]["CVRContest"][0]["CVRContestSelection"][0]["ContestSelectionId"] =
        json!("y2");
    let counted = |text: &Value| {
        summary(
            "plurality",
            &election,
            "x.json",
            &text.to_string(),
            Spoiled::Count,
        )
    };
    assert!(
        counted(&text).starts_with("\"s1\" 0, \"s2\" 1"),
        "{}",
        counted(&text)
    );
    text["Election"][0]["Contest"][0]["ContestSelection"]
        .as_array_mut()
        .unwrap()
        .reverse();
    assert!(
        counted(&text).contains("stand in another order"),
        "{}",
        counted(&text)
    );
}

#[test]
fn exports_that_lack_a_file() {
    let contests = r#"{"List": [{"Id": 5, "Description": "Mayor"}]}"#;
    let candidates =
        r#"{"List": [{"Id": 1, "Description": "Ann Lee", "ContestId": 5, "Type": "Regular"}]}"#;
    let export = |record: u64| {
        json!({"Sessions": [{"TabulatorId": 1, "BatchId": 1, "RecordId": record, "Original": {
            "IsCurrent": true, "Cards": [{"Contests": [{"Id": 5, "Overvotes": 0, "Marks": [
                {"CandidateId": 1, "Rank": 1, "IsAmbiguous": false, "IsVote": true}]}]}]}}]})
        .to_string()
    };
    let found = |numbers: &[u64]| {
        let mut files = vec![
            ("ContestManifest.json".to_owned(), contests.to_owned()),
            ("CandidateManifest.json".to_owned(), candidates.to_owned()),
        ];
        let sessions = numbers
            .iter()
            .map(|number| (format!("CvrExport_{number}.json"), export(*number)));
        files.extend(sessions);
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        let bytes = crate::formats::zip(&files);
        let file = BallotFile::from_bytes(Path::new("x.zip"), bytes, None).unwrap();
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let rule = load_rule(&runtime, "plurality").unwrap();
        let election = Election::from_text(&people().to_string(), "e.json", None).unwrap();
        let counted = count_all(
            &rule,
            &election,
            &[file],
            &TieBreak::Report,
            Spoiled::Refuse,
        )
        .unwrap();
        (
            counted.counted,
            counted.report.notes.join("; "),
            counted.report.to_line(),
        )
    };
    for numbers in [&[1, 2, 3][..], &[0, 1], &[1730, 1731]] {
        assert_eq!(found(numbers).1, "");
    }
    let (counted, notes, line) = found(&[1, 3]);
    assert_eq!(counted, 2);
    assert_eq!(
        notes,
        "x.zip: the export may not be whole: there is no CvrExport_2.json"
    );
    assert!(line.ends_with(&notes), "{line}");
    assert!(found(&[1, 20]).1.ends_with("CvrExport_6.json and more"));
}

#[test]
fn names_of_abif_in_quotation_marks() {
    counts(
        "instant-runoff",
        "x.abif",
        "3: \"Bo Ek\" > [Ann Lee]\n2:\"Ann Lee\"\n",
        "\"a\" 2, \"b\" 3",
    );
    is_refused(
        "instant-runoff",
        "x.abif",
        "3: \"Bo Ek > a\n",
        "at the end of a name",
    );
}
