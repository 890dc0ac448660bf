//! Further kinds of files that were once counted wrong without a word, found by trying variants of those in
//! `field.rs`.

use serde_json::{Value, json};
use tabella_election_files::Spoiled;

use crate::summary;

fn people() -> Value {
    json!({"id": "m", "options": [
        {"id": "a", "title": "Ann"}, {"id": "b", "title": "Bo"}, {"id": "c", "title": "Cy"}]})
}

fn found(rule: &str, file: &str, text: &str) -> String {
    summary(rule, &people(), file, text, Spoiled::Count)
}

fn says(rule: &str, file: &str, text: &str, expected: &str) {
    let found = found(rule, file, text);
    assert!(found.contains(expected), "{rule} {text}: {found}");
}

#[test]
fn numbers_that_are_no_ranks() {
    // A number behind a sign is no rank.
    let text = "id,Ann,Bo,Cy\n1,1,-1,2\n2,1,2,3\n3,1,,\n";
    let why = "3 counted";
    assert!(!found("schulze", "x.csv", text).contains(why));
    says(
        "schulze",
        "x.csv",
        text,
        "expected a whole number for b, found \"-1\"",
    );
    says("instant-runoff", "x.csv", text, "2 counted, 1 spoiled");
    says("borda", "x.csv", "id,rank1,-1\n1,Ann,Bo\n", "found \"-1\"");
    // Codes and scores are none.
    let why = "which is more than there are options";
    for text in [
        "id,Ann,Bo,Cy\n1,99,1,99\n2,1,99,99\n",
        "Ann,Bo,Cy\n10,20,30\n30,10,20\n",
        "Time,Rank [Ann],Rank [Bo]\n1,11th,1st\n",
    ] {
        says("instant-runoff", "x.csv", text, why);
        says("borda", "x.csv", text, why);
    }
    // A paper may have more ranks than options.
    says(
        "instant-runoff",
        "x.csv",
        "Ann,Bo,Cy\n1,5,\n2,1,\n1,,\n",
        "3 counted, 0 spoiled",
    );
}

#[test]
fn numbers_in_front_that_may_be_precincts() {
    let why = "of which precinct or year it is";
    for text in [
        "101,Ann,Bo\n101,Bo,Ann\n102,Ann,Bo\n101,ann,BO\n",
        "2026;Ann\n2026;Bo\n2026;ann \n",
        "7\tAnn > Bo\n7\tAnn > Bo\n3\tCy\n",
    ] {
        says("instant-runoff", "x.csv", text, why);
        says("plurality", "x.csv", &text.replace(" > Bo", ""), why);
    }
    // Counts of two precincts, and lines of which every number is 1.
    let text = "42,Ann\n26,Bo\n15,Cy\n17,Bo\n";
    says("plurality", "x.csv", text, "\"a\" 42, \"b\" 43, \"c\" 15");
    says(
        "plurality",
        "x.csv",
        "7,Ann\n7,Bo\n3,Cy\n",
        "\"a\" 7, \"b\" 7, \"c\" 3",
    );
    says(
        "plurality",
        "x.csv",
        "1,Ann\n1,Bo\n1,Ann\n",
        "\"a\" 2, \"b\" 1, \"c\" 0",
    );
    says(
        "plurality",
        "x.csv",
        "count,choice\n7,Ann\n7,Ann\n",
        "\"a\" 14",
    );
}

#[test]
fn a_last_line_that_may_be_the_sum() {
    let why = "the last line may be the sum of all lines above it";
    for text in [
        "choice,count\nAnn,10\nBo,2\n,12\n",
        "count,rank1,rank2\n10,Ann,Bo\n2,Bo,\n12,,\n",
        "precinct,count,Ann,Bo,Cy\nP1,10,1,,\nP2,2,,1,\nTotal,12,,,\n",
    ] {
        let rule = if text.contains("rank") {
            "borda"
        } else {
            "plurality"
        };
        says(rule, "x.csv", text, why);
    }
    // Blank ballots are as many as they are.
    says(
        "plurality",
        "x.csv",
        "choice,count\nAnn,10\nBo,2\n,3\n",
        "15 counted",
    );
    says(
        "plurality",
        "x.csv",
        "choice,count\nAnn,10\nBo,2\nblank,12\n",
        "24 counted",
    );
    says(
        "plurality",
        "x.csv",
        "choice,count\nAnn,10\n,10\n",
        "20 counted",
    );
}

/// A report with one selection of Ann, and one of Bo beside it.
fn report(selection: &Value, beside: &Value) -> String {
    let record = |selection: &Value| {
        let contest = json!({"ContestId": "m", "CVRContestSelection": [selection]});
        let mut record = json!({"CVRSnapshot": [{"CVRContest": [contest]}]});
        for (member, value) in beside.as_object().unwrap() {
            record[member] = value.clone();
        }
        record
    };
    let bo = json!({"ContestSelectionId": "sb", "SelectionPosition": [{"HasIndication": "yes"}]});
    json!({
        "Election": [{
            "Candidate": [{"@id": "ka", "Name": "Ann"}, {"@id": "kb", "Name": "Bo"}],
            "Contest": [{"@id": "m", "Name": "Mayor", "ContestSelection": [
                {"@id": "sa", "CandidateIds": ["ka"]}, {"@id": "sb", "CandidateIds": ["kb"]}]}],
        }],
        "CVR": [record(selection), record(&bo)],
    })
    .to_string()
}

#[test]
fn marks_of_which_the_file_says_something_unknown() {
    let with = |mark: Value| {
        let selection = json!({"ContestSelectionId": "sa", "SelectionPosition": [mark]});
        found("plurality", "x.json", &report(&selection, &json!({})))
    };
    let decide = "ballots that somebody has to decide about before anything is counted: 1";
    for mark in [
        json!({"HasIndication": "No"}),
        json!({"HasIndication": "maybe"}),
        json!({"HasIndication": "yes", "IsAllocable": "No"}),
    ] {
        let found = with(mark.clone());
        assert!(found.contains(decide), "{mark}: {found}");
    }
    let found = with(json!({"NumberVotes": 1}));
    assert!(found.contains("a mark has no HasIndication"), "{found}");
    assert!(with(json!({"HasIndication": "no"})).contains("\"a\" 0, \"b\" 1"));
    assert!(with(json!({"IsAllocable": "yes"})).contains("\"a\" 1, \"b\" 1"));
    let selection = json!({"ContestSelectionId": "sa", "TotalNumberVotes": 0,
        "SelectionPosition": [{"HasIndication": "yes"}]});
    says(
        "plurality",
        "x.json",
        &report(&selection, &json!({})),
        "TotalNumberVotes is 0",
    );
}

#[test]
fn two_records_at_one_place_of_a_batch() {
    let selection =
        json!({"ContestSelectionId": "sa", "SelectionPosition": [{"HasIndication": "yes"}]});
    let place = json!({"CreatingDeviceId": "d", "BatchId": "3", "BatchSequenceId": 5});
    let text = report(&selection, &place);
    says(
        "plurality",
        "x.json",
        &text,
        "2 records hold the contest for the ballot",
    );
    // Without a place in it a batch says nothing of a ballot.
    let text = report(&selection, &json!({"BatchId": "3"}));
    says("plurality", "x.json", &text, "\"a\" 1, \"b\" 1");
}

#[test]
fn the_file_of_another_contest() {
    let ballots = "3 1\n5 1 0\n2 2 0\n0\n";
    let others = format!("{ballots}\"Xu\"\n\"Yi\"\n\"Zo\"\n\"Ward 2\"\n");
    for rule in ["plurality", "instant-runoff", "stv"] {
        says(rule, "x.blt", &others, "no name is common to both");
    }
    says("plurality", "x.blt", ballots, "\"a\" 5, \"b\" 2");
    // Options that are called by the candidates' numbers are these candidates.
    let numbered = json!({"options": ["1", "2", "3"]});
    let found = summary("plurality", &numbered, "x.blt", &others, Spoiled::Count);
    assert!(found.starts_with("\"1\" 5, \"2\" 2"), "{found}");
}

#[test]
fn more_projects_than_a_voter_could_name() {
    let text = |meta: &str| {
        format!(
            "META\nkey;value\n{meta}\nPROJECTS\nproject_id;cost;name\n1;1;Ann\n2;1;Bo\n3;1;Cy\n\
             VOTES\nvoter_id;vote\n1;1,2\n2;3\n3;3\n"
        )
    };
    for meta in ["vote_type;choose-1", "vote_type;approval\nmax_length;1"] {
        let why = "by the file's META at most 1 projects, found 2";
        says("approval", "x.pb", &text(meta), why);
    }
    let meta = "vote_type;approval\nmax_length;2";
    says("approval", "x.pb", &text(meta), "\"a\" 1, \"b\" 1, \"c\" 2");
}

/// A candidate whom a voter ranked twice, in each format that can say so.
#[test]
fn repeated_options_in_other_formats() {
    let mark = |id: &str, rank: u64| {
        json!({"ContestSelectionId": id,
            "SelectionPosition": [{"HasIndication": "yes", "Rank": rank}]})
    };
    let record = |marks: Value| json!({"CVRSnapshot": [{"CVRContest": [{"ContestId": "m", "CVRContestSelection": marks}]}]});
    let twice = record(json!([mark("c", 1), mark("c", 2), mark("b", 3)]));
    let mut records = vec![record(json!([mark("a", 1)])); 4];
    records.extend(vec![record(json!([mark("b", 1)])); 3]);
    records.extend([twice.clone(), twice]);
    let files = [
        ("x.csv", "count,ballot\n4,a\n3,b\n2,c > c > b\n".to_owned()),
        (
            "x.csv",
            "count,rank1,rank2,rank3,rank4\n4,a,,,\n3,b,,,\n2,c,Cy,c,b\n".to_owned(),
        ),
        (
            "x.blt",
            "3 1\n4 1 0\n3 2 0\n2 3 3 2 0\n0\n\"Ann\"\n\"Bo\"\n\"Cy\"\n\"T\"\n".to_owned(),
        ),
        (
            "x.jsonl",
            "{\"ranking\": [\"a\"], \"weight\": 4}\n{\"ranking\": [\"b\"], \"weight\": 3}\n\
             {\"ranking\": [\"c\", \"c\", \"b\"], \"weight\": 2}\n"
                .to_owned(),
        ),
        ("x.json", json!({ "CVR": records }).to_string()),
        (
            "x.toi",
            "# FILE NAME: x.toi\n# ALTERNATIVE NAME 1: Ann\n# ALTERNATIVE NAME 2: Bo\n\
             # ALTERNATIVE NAME 3: Cy\n4: 1\n3: 2\n2: 3,3,2\n"
                .to_owned(),
        ),
    ];
    for (repeated, votes) in [("skip", "\"b\" 5"), ("exhaust", "\"b\" 3")] {
        let mut election = people();
        election["params"] = json!({"repeated": repeated, "until": "two"});
        for (file, text) in &files {
            let found = summary("instant-runoff", &election, file, text, Spoiled::Count);
            assert!(found.contains(votes), "{repeated} {file}: {found}");
        }
    }
}

const PREFLIB: &str =
    "# ALTERNATIVE NAME 1: Ann\n# ALTERNATIVE NAME 2: Bo\n# ALTERNATIVE NAME 3: Cy\n3: 1,2,3\n";

#[test]
fn orders_that_are_not_of_the_files_kind() {
    let kind = |kind: &str, order: &str| format!("# FILE NAME: x.{kind}\n{PREFLIB}{order}\n");
    let strict = "by its kind the file has strict orders";
    for file in ["soc", "soi"] {
        says(
            "borda",
            &format!("x.{file}"),
            &kind(file, "2: {1,2},3"),
            strict,
        );
    }
    let text = format!("# DATA TYPE: soi\n{PREFLIB}2: 3,{{1,2}}\n");
    says("instant-runoff", "x.soi", &text, strict);
    for file in ["soc", "toc"] {
        let why = "1 of 3 alternatives stand in this order";
        says("borda", &format!("x.{file}"), &kind(file, "2: 2"), why);
    }
    says(
        "borda",
        "x.toi",
        &kind("toi", "2: {1,2}"),
        "5 counted, 0 spoiled",
    );
    says(
        "borda",
        "x.soi",
        &kind("soi", "2: 1"),
        "5 counted, 0 spoiled",
    );
}

#[test]
fn two_lines_at_one_place_of_a_box() {
    let head = "RowNumber,BoxID,BoxPosition,BallotID,Status,Remade,Choice_1_1:M:Vote For 1:Ann:X,\
                Choice_2_1:M:Vote For 1:Bo:X\n";
    let text = format!("{head}1,b,1,,0,0,1,0\n2,b,1,,0,0,1,0\n");
    says(
        "plurality",
        "x.csv",
        &text,
        "the ballot 1 of box b stands twice",
    );
    let text = format!("{head}1,b,1,,0,0,1,0\n2,b,2,,0,0,1,0\n3,c,1,,0,0,0,1\n");
    says("plurality", "x.csv", &text, "\"a\" 2, \"b\" 1");
}

#[test]
fn seats_of_which_election_and_file_say_different_things() {
    let mut election = people();
    election["params"] = json!({"seats": 1});
    let text = "3 2\n3 1 2 0\n2 3 0\n0\n\"Ann\"\n\"Bo\"\n\"Cy\"\n\"T\"\n";
    let counted = crate::counted("stv", &election, "x.blt", text, Spoiled::Refuse).unwrap();
    let notes = counted.report.notes;
    assert_eq!(notes, ["the election has 1 seats, and its ballots say 2"]);
    election["params"] = json!({"seats": 2});
    let counted = crate::counted("stv", &election, "x.blt", text, Spoiled::Refuse).unwrap();
    assert!(counted.report.notes.is_empty());
}
