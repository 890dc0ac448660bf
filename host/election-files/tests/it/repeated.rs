//! Ballots and voters that stand twice, in one file or in several: each counts once, or nothing is counted.

use std::path::Path;

use serde_json::Value;
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, CountError, Election, Spoiled, count_all, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::refused::{counts, is_refused, people};

/// Several files as one election's.
fn together(rule: &str, files: &[(&str, &str)]) -> Result<Value, CountError> {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, rule).unwrap();
    let election = Election::from_text(&people().to_string(), "e.json", None).unwrap();
    let file = |(name, text): &(&str, &str)| {
        BallotFile::from_bytes(Path::new(name), text.as_bytes().to_vec(), None).unwrap()
    };
    let files: Vec<BallotFile> = files.iter().map(file).collect();
    let counted = count_all(&rule, &election, &files, &TieBreak::Report, Spoiled::Count)?;
    Ok(counted.to_json())
}

#[test]
fn two_lines_of_one_person() {
    for head in ["Email Address", "Username", "E-mail"] {
        let text = format!(
            "Timestamp,{head},Vote\n1,ann@x.org,Ann Lee\n2,bo@x.org,Bo Ek\n3,Ann@x.org ,Ann Lee\n"
        );
        is_refused(
            "plurality",
            "x.csv",
            &text,
            "stands on line 2 too, and a voter counts once",
        );
    }
    counts(
        "plurality",
        "x.csv",
        "Email,Vote\n,Ann Lee\n,Bo Ek\na@x.org,Bo Ek\n",
        "\"a\" 1, \"b\" 2",
    );
}

#[test]
fn a_ballot_that_stands_in_two_files() {
    let refused = |files: &[(&str, &str)]| together("plurality", files).unwrap_err().to_string();
    let one = "ballot id,choice\nu1,Ann Lee\nu2,Bo Ek\n";
    let why = "a ballot counts once";
    assert!(refused(&[("x.csv", one), ("y.csv", "ballot id,choice\nu2,Bo Ek\n")]).contains(why));
    let xs = "{\"CVR\": [{\"UniqueId\": \"u2\", \"CVRSnapshot\": [{\"CVRContest\": [{\"ContestId\": \"m\", \
        \"CVRContestSelection\": [{\"ContestSelectionId\": \"b\", \"SelectionPosition\": [{\"HasIndication\": \"yes\"}]}]}]}]}]}";
    assert!(
        refused(&[("x.csv", one), ("y.json", xs)]).contains(why),
        "in another format"
    );
    assert!(
        refused(&[("x.csv", one), ("y.csv", &one.replace("u1,Ann Lee\n", ""))]).contains("y.csv")
    );
    // Files that number their ballots each from 1 have other marks under the same numbers.
    let answer = together(
        "plurality",
        &[
            ("x.csv", one),
            ("y.csv", "ballot id,choice\nu1,Bo Ek\nu2,Bo Ek\n"),
        ],
    );
    assert_eq!(answer.unwrap()["ballots"]["counted"], 4);
}

#[test]
fn ids_that_stand_twice() {
    let why = "stands twice, and a ballot counts once";
    for head in ["id", "Ballot #", "ballot number", "Respondent ID"] {
        let text = format!("{head},choice\n1,Ann Lee\n1,Bo Ek\n");
        is_refused("plurality", "x.csv", &text, why);
    }
    // A batch, or a machine, is not a ballot.
    counts(
        "plurality",
        "x.csv",
        "batch,choice\n1,Ann Lee\n1,Bo Ek\n",
        "\"a\" 1, \"b\" 1",
    );
    let file = |columns: &str| {
        let bytes = b"7,Ann Lee\n7,Bo Ek\n".to_vec();
        let file = BallotFile::from_bytes(Path::new("x.csv"), bytes, None).unwrap();
        file.with_columns(columns.parse().unwrap()).unwrap()
    };
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, "plurality").unwrap();
    let election = Election::from_text(&people().to_string(), "e.json", None).unwrap();
    let counted = |columns: &str| {
        let files = [file(columns)];
        count_all(&rule, &election, &files, &TieBreak::Report, Spoiled::Refuse)
    };
    assert!(counted("id,rank1").unwrap_err().to_string().contains(why));
    assert_eq!(counted("-,rank1").unwrap().counted, 2);
    assert_eq!(counted("count,rank1").unwrap().counted, 14);
}
