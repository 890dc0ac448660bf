//! Dominion's exports: sessions, their current readings, and what the machine says of their marks.

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, count_all, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::formats::{shown, zip};

const CONTESTS: &str = r#"{"List": [{"Id": 7, "Description": "Mayor", "VoteFor": 1, "NumOfRanks": 3},
 {"Id": 8, "Description": "Measure B", "VoteFor": 1, "NumOfRanks": 0}]}"#;
const CANDIDATES: &str = r#"{"List": [
 {"Id": 1, "Description": "ANN  LEE", "ContestId": 7, "Type": "Regular"},
 {"Id": 2, "Description": "Bo Ek", "ContestId": 7, "Type": "Regular"},
 {"Id": 3, "Description": "Write-in", "ContestId": 7, "Type": "WriteIn"},
 {"Id": 4, "Description": "Yes", "ContestId": 8, "Type": "Regular"},
 {"Id": 5, "Description": "No", "ContestId": 8, "Type": "Regular"}]}"#;

fn mark(candidate: u64, rank: u64) -> Value {
    json!({"CandidateId": candidate, "Rank": rank, "IsAmbiguous": false, "IsVote": true})
}

fn reading(is_current: bool, contests: &[(u64, Vec<Value>)]) -> Value {
    let contest =
        |(id, marks): &(u64, Vec<Value>)| json!({"Id": id, "Overvotes": 0, "Marks": marks});
    let contests: Vec<Value> = contests.iter().map(contest).collect();
    json!({"IsCurrent": is_current, "PrecinctPortionId": 1, "Cards": [{"Id": 1, "Contests": contests}]})
}

fn session(record: u64, original: Value) -> Value {
    json!({"TabulatorId": 3, "BatchId": 1, "RecordId": record, "Original": original})
}

fn export(sessions: &[Value]) -> String {
    json!({"Version": "5.10", "ElectionId": "x", "Sessions": sessions}).to_string()
}

#[test]
fn dominions_exports() {
    let mut ambiguous = mark(2, 1);
    ambiguous["IsAmbiguous"] = true.into();
    let mut adjudicated = session(3, reading(false, &[(7, vec![mark(2, 1)])]));
    adjudicated["Modified"] = reading(true, &[(7, vec![mark(1, 1)])]);
    let one = export(&[
        session(
            1,
            reading(
                true,
                &[(7, vec![mark(1, 1), mark(2, 2)]), (8, vec![mark(5, 1)])],
            ),
        ),
        session(2, reading(true, &[(7, vec![ambiguous, mark(3, 2)])])),
        adjudicated,
    ]);
    let two = export(&[
        session(4, reading(true, &[(8, vec![mark(4, 1)])])),
        // Ranks 1 and 2 are skipped: that ends the ballot.
        session(5, reading(true, &[(7, vec![mark(2, 3)])])),
        session(6, reading(true, &[(7, vec![])])),
    ]);
    let archive = zip(&[
        ("export/ContestManifest.json", CONTESTS),
        ("export/CandidateManifest.json", CANDIDATES),
        ("export/CvrExport_1.json", &one),
        ("export/CvrExport_2.json", &two),
        ("__MACOSX/._CvrExport_1.json", "x"),
    ]);
    // Ids of options that are the numbers of other candidates mean two things.
    let mayor = json!({"id": "Mayor", "options": [
        {"id": "2", "title": "Ann Lee"}, {"id": "1", "title": "Bo Ek"}], "params": {"law": "maine"}});
    let found = shown("instant-runoff", &mayor, vec![("x.zip", archive.clone())]);
    assert!(
        found.contains("the candidate 1 is the option \"2\" by its name and \"1\" by its id"),
        "{found}"
    );
    let mayor = json!({"id": "Mayor", "options": [
        {"id": "ann", "title": "Ann Lee"}, {"id": "bo", "title": "Bo Ek"}], "params": {"law": "maine"}});
    let found = shown("instant-runoff", &mayor, vec![("x.zip", archive.clone())]);
    assert_eq!(found, "ann 2, bo 0; 5 counted, 0 spoiled");
    let measure = json!({"id": "8", "options": ["yes", "no"]});
    let found = shown("referendum", &measure, vec![("x.zip", archive.clone())]);
    assert_eq!(found, "yes 1, no 1; 2 counted, 0 spoiled");
    let found = shown(
        "plurality",
        &json!({"options": ["yes", "no"]}),
        vec![("x.zip", archive)],
    );
    assert!(
        found.contains("expected --contest to name one of the file's: 7 (Mayor), 8 (Measure B)")
    );
}

#[test]
fn exports_of_dominion_that_are_refused() {
    let measure = json!({"id": "8", "options": ["yes", "no"]});
    let vote = |record| session(record, reading(true, &[(8, vec![mark(4, 1)])]));
    let refused =
        |files: &[(&str, &str)]| shown("plurality", &measure, vec![("x.zip", zip(files))]);
    let twice = export(&[vote(1), vote(1)]);
    let manifests = [
        ("ContestManifest.json", CONTESTS),
        ("CandidateManifest.json", CANDIDATES),
    ];
    let with = |text: &str| refused(&[manifests[0], manifests[1], ("CvrExport.json", text)]);
    assert!(with(&twice).contains("x.zip/CvrExport.json:1: the session 3-1-1 stands twice"));
    let undecided = session(1, reading(false, &[(8, vec![])]));
    let found = with(&export(&[undecided, vote(2)]));
    assert_eq!(
        found,
        "ballots that somebody has to decide about before anything is counted: 1"
    );
    let alone = refused(&[("CvrExport.json", &export(&[vote(1)])), manifests[1]]);
    assert!(
        alone.contains("expected ContestManifest.json beside CvrExport.json"),
        "{alone}"
    );
    let unknown = session(1, reading(true, &[(8, vec![mark(9, 1)])]));
    let found = with(&export(&[unknown]));
    assert!(
        found.contains("the manifest has no candidate 9 in this contest"),
        "{found}"
    );
    let other = refused(&[("a.txt", "a"), ("b.txt", "b")]);
    assert!(
        other.contains("are neither CvrExport.json with manifests"),
        "{other}"
    );
}

/// An overvoted choice is the rule's to judge; a mark that its maker does not take for a vote is none.
#[test]
fn what_dominion_says_of_marks() {
    let mut no_vote = mark(5, 1);
    no_vote["IsVote"] = false.into();
    let mut over = reading(true, &[(8, vec![no_vote.clone(), mark(4, 1)])]);
    over["Cards"][0]["Contests"][0]["Overvotes"] = 1.into();
    let text = export(&[
        session(1, over),
        session(2, reading(true, &[(8, vec![no_vote, mark(4, 1)])])),
    ]);
    let files = [
        ("ContestManifest.json", CONTESTS),
        ("CandidateManifest.json", CANDIDATES),
        ("CvrExport.json", &text),
    ];
    let measure = json!({"id": "Measure B", "options": ["yes", "no"]});
    let found = shown("plurality", &measure, vec![("x.zip", zip(&files))]);
    assert!(
        found.starts_with("yes 1, no 0; 1 counted, 1 spoiled"),
        "{found}"
    );
}

#[test]
fn a_folder_and_an_export_beside_its_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let vote = session(1, reading(true, &[(8, vec![mark(4, 1)])]));
    for (name, text) in [
        ("ContestManifest.json", CONTESTS),
        ("CandidateManifest.json", CANDIDATES),
        ("CvrExport_1.json", &export(&[vote])),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let election = json!({"id": "8", "options": ["yes", "no"]}).to_string();
    let election = Election::from_text(&election, "e.json", None).unwrap();
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, "plurality").unwrap();
    for path in [
        folder.path().to_owned(),
        folder.path().join("CvrExport_1.json"),
    ] {
        let file = BallotFile::read(&path, None).unwrap();
        let counted = count_all(
            &rule,
            &election,
            &[file],
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        assert_eq!(counted.unwrap().counted, 1, "{path:?}");
    }
}

/// A contest that the machine calls invalid does not count, whatever is marked in it.
#[test]
fn invalid_contests() {
    let with = |condition: u64, manifest: Option<&str>| {
        let mut invalid = reading(true, &[(8, vec![mark(4, 1)])]);
        invalid["Cards"][0]["Contests"][0]["OutstackConditionIds"] = json!([condition]);
        let text = export(&[
            session(1, invalid),
            session(2, reading(true, &[(8, vec![mark(5, 1)])])),
        ]);
        let mut files = vec![
            ("ContestManifest.json", CONTESTS),
            ("CandidateManifest.json", CANDIDATES),
            ("CvrExport.json", &*text),
        ];
        files.extend(manifest.map(|text| ("OutstackConditionManifest.json", text)));
        let measure = json!({"id": "8", "options": ["yes", "no"]});
        shown("plurality", &measure, vec![("x.zip", zip(&files))])
    };
    let invalid = "yes 0, no 1; 1 counted, 1 spoiled\nx.zip/CvrExport.json:1: the contest is an \
                   InvalidContest: by its maker it does not count (record 1, ballot 3-1-1)";
    let counts = "yes 1, no 1; 2 counted, 0 spoiled";
    assert_eq!(with(7, None), invalid);
    assert_eq!(with(4, None), counts, "an undervote");
    let listed = r#"{"List": [{"Id": 4, "Description": "Undervote"}, {"Id": 3, "Description": "InvalidContest"}]}"#;
    assert_eq!(with(3, Some(listed)), invalid);
    assert_eq!(
        with(7, Some(listed)),
        counts,
        "the manifest says which number it is"
    );
    let other = r#"{"List": [{"Id": 7, "Description": "Writein"}]}"#;
    assert_eq!(with(7, Some(other)), counts);
    let unlisted = r#"{"List": [{"Id": 0, "Description": "Ambiguous"}]}"#;
    assert_eq!(with(7, Some(unlisted)), invalid);
}

/// An alias of an option may be a candidate's number; `(undeclared)` stands for nobody on the paper.
#[test]
fn candidates_by_their_numbers() {
    let candidates = CANDIDATES
        .replace("\"Yes\"", "\"JA\"")
        .replace("\"No\"", "\"(undeclared)\"");
    let text = export(&[
        session(1, reading(true, &[(8, vec![mark(4, 1)])])),
        session(2, reading(true, &[(8, vec![mark(5, 1)])])),
    ]);
    let files = [
        ("ContestManifest.json", CONTESTS),
        ("CandidateManifest.json", &*candidates),
        ("CvrExport.json", &*text),
    ];
    let count = |options: Value| {
        let measure = json!({"id": "8", "options": options});
        shown("plurality", &measure, vec![("x.zip", zip(&files))])
    };
    let named =
        json!([{"id": "yes", "title": "Yes", "aliases": ["4"]}, {"id": "no", "title": "No"}]);
    assert_eq!(count(named), "yes 1, no 0; 2 counted, 0 spoiled");
    let wrong =
        json!([{"id": "yes", "title": "Yes", "aliases": ["4"]}, {"id": "no", "title": "ja"}]);
    let found = count(wrong);
    assert!(
        found.contains("the candidate 4 is the option \"no\" by its name and \"yes\" by its id"),
        "{found}"
    );
    let unknown = json!([{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}]);
    assert!(count(unknown).contains("\"JA\" is not an option of this contest"));
}
