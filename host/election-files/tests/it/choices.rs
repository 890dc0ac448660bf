//! Ballots of choices and of grades from files that say them in other ways.

use serde_json::json;
use tabella_election_files::Spoiled;

use crate::summary;

#[test]
fn a_write_in_above_the_choice() {
    let counted = |most: u64, file: &str, text: &str| {
        let election = json!({"options": ["a", "b", "c"], "params": {"max_choices": most}});
        summary("plurality", &election, file, text, Spoiled::Count)
    };
    // Who chose somebody who is not on the paper did not choose the second instead.
    let text = "rank1,rank2\nwrite-in,b\na,b\nUWI,\n";
    let found = counted(1, "x.csv", text);
    assert!(
        found.starts_with("\"a\" 1, \"b\" 0, \"c\" 0; winners [\"a\"]; 3 counted, 0 spoiled"),
        "{found}"
    );
    // Where several may be marked, it is one of them.
    let text = "rank1,rank2,rank3\nwrite-in,b,c\na,b,c\n";
    let found = counted(2, "x.csv", text);
    assert!(found.starts_with("\"a\" 1, \"b\" 2, \"c\" 0"), "{found}");
    // A rank that nobody marked is passed over, and one with two marks, of which one is for somebody else,
    // is not a vote for the other.
    let found = counted(1, "x.csv", "rank1,rank2\n,b\n-,c\n,c\n");
    assert!(found.starts_with("\"a\" 0, \"b\" 1, \"c\" 2"), "{found}");
    let selection = |id: &str, rank: u64| {
        json!({"ContestSelectionId": id,
            "SelectionPosition": [{"HasIndication": "yes", "Rank": rank}]})
    };
    let record = |selections: serde_json::Value| {
        json!({"CVRSnapshot": [{"CVRContest": [
            {"ContestId": "m", "CVRContestSelection": selections}]}]})
    };
    let report = json!({
        "Election": [{
            "Candidate": [{"@id": "a", "Name": "a"}, {"@id": "b", "Name": "b"}],
            "Contest": [{"@id": "m", "ContestSelection": [{"@id": "sa", "CandidateIds": ["a"]},
                {"@id": "sb", "CandidateIds": ["b"]}, {"@id": "w", "IsWriteIn": true}]}],
        }],
        "CVR": [
            record(json!([selection("w", 1), selection("sb", 2)])),
            record(json!([selection("sa", 1), selection("w", 1), selection("sb", 2)])),
            record(json!([selection("sa", 1), selection("w", 2)])),
            record(json!([selection("sb", 1)])),
            record(json!([selection("sb", 1)])),
        ],
    });
    let found = counted(1, "x.json", &report.to_string());
    assert!(
        found.starts_with("\"a\" 1, \"b\" 2, \"c\" 0; winners [\"b\"]; 4 counted, 1 spoiled"),
        "{found}"
    );
}

#[test]
fn candidates_who_withdrew_and_are_no_options() {
    let election = json!({"options": ["a", "b"]});
    let text = "3 1\n-3\n2 3 1 0\n1 2 0\n0\n\"a\"\n\"b\"\n\"Gone\"\n\"T\"\n";
    for rule in ["plurality", "instant-runoff", "borda"] {
        let found = summary(rule, &election, "x.blt", text, Spoiled::Refuse);
        assert!(found.contains("winners [\"a\"]"), "{rule}: {found}");
    }
}

#[test]
fn grades_in_another_case() {
    let graded = |grades: &[&str], file: &str, text: &str| {
        let election = json!({"options": ["a", "b"], "params": {"grades": grades}});
        summary("majority-judgment", &election, file, text, Spoiled::Count)
    };
    let grades = ["Poor", "Good", "Very good"];
    for (file, text) in [
        ("x.csv", "a,b\ngood,POOR\nGood,very  GOOD\n\"very good\",\n"),
        (
            "x.jsonl",
            "{\"grades\": {\"a\": \"good\", \"b\": \"POOR\"}}\n\
             {\"grades\": {\"a\": \"Good\", \"b\": \"Very Good \"}}\n\
             {\"grades\": {\"a\": \"very good\"}}\n",
        ),
    ] {
        let found = graded(&grades, file, text);
        assert!(
            found.contains("winners [\"a\"]; 3 counted, 0 spoiled"),
            "{found}"
        );
    }
    // Two grades that differ in case only are two, and a third writing is neither.
    let found = graded(&["good", "Good"], "x.csv", "a,b\ngood,Good\nGOOD,Good\n");
    assert!(
        found.contains("1 counted, 1 spoiled\nx.csv:3: /grades/a: expected one of good, Good"),
        "{found}"
    );
}
