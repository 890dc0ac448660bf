//! Ballots in another format count the same, or are refused.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, ConvertError, Converted, Election, Format, Spoiled, convert, count, load_rule,
};
use tabella_runtime::{Plugin, Runtime, RuntimeConfig};

const WRITTEN: [&str; 9] = [
    "json",
    "jsonl",
    "csv",
    "blt",
    "cvr",
    "preflib",
    "scot-elex",
    "pabulib",
    "abif",
];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Runtime::new(RuntimeConfig::default()).unwrap());

fn rule(name: &str) -> Plugin {
    load_rule(&RUNTIME, name).unwrap()
}

fn election(params: Value) -> Election {
    let options = json!([{"id": "a", "title": "Ann, of \"X\""}, {"id": "b", "title": "Bo"}, "c"]);
    let text = json!({"id": "mayor", "options": options, "params": params}).to_string();
    Election::from_text(&text, "e.json", None).unwrap()
}

fn file(name: &str, text: &str, format: Option<Format>) -> BallotFile {
    BallotFile::from_bytes(Path::new(name), text.as_bytes().to_vec(), format).unwrap()
}

fn converted(
    rule: &Plugin,
    election: &Election,
    ballots: &BallotFile,
    to: &str,
) -> Result<(String, Converted), ConvertError> {
    let to = Format::from_name(to).unwrap();
    convert(
        rule,
        election,
        std::slice::from_ref(ballots),
        to,
        Spoiled::Refuse,
    )
}

/// Counts ballots, then their conversion to each format that takes them: those are returned.
fn check(
    rule: &Plugin,
    election: &Election,
    lines: &str,
) -> Result<Vec<&'static str>, TestCaseError> {
    let ballots = file("x.jsonl", lines, None);
    let outcome = |ballots: &BallotFile| {
        let counted = count(rule, election, ballots, &TieBreak::Report, Spoiled::Refuse);
        counted.map(|counted| (counted.tally.outcome, counted.counted, counted.report))
    };
    let expected = outcome(&ballots).unwrap();
    let mut taken = Vec::new();
    let mut written_files = Vec::new();
    for to in WRITTEN {
        match converted(rule, election, &ballots, to) {
            Err(ConvertError::Lossy { .. }) => {}
            Err(error) => return Err(TestCaseError::fail(format!("{to}: {error}"))),
            Ok((text, written)) => {
                let again = file("converted", &text, Format::from_name(to));
                let found = outcome(&again).unwrap();
                prop_assert_eq!(&found.0, &expected.0, "{}: {}", to, text);
                prop_assert_eq!(found.1, expected.1, "{}", to);
                prop_assert_eq!(written.ballots, expected.1, "{}", to);
                prop_assert_eq!(found.2.ballots, expected.2.ballots, "{}", to);
                prop_assert_eq!(found.2.blank, expected.2.blank, "{}", to);
                taken.push(to);
                written_files.push(again);
            }
        }
    }
    // From each of them to each other.
    for (from, file) in taken.iter().zip(&written_files) {
        for to in &taken {
            let (text, _) = match converted(rule, election, file, to) {
                Ok(converted) => converted,
                Err(error) => return Err(TestCaseError::fail(format!("{from} to {to}: {error}"))),
            };
            let again = self::file("converted", &text, Format::from_name(to));
            let found = outcome(&again).unwrap();
            prop_assert_eq!(&found.0, &expected.0, "{} to {}: {}", from, to, text);
            prop_assert_eq!(found.1, expected.1, "{} to {}", from, to);
        }
    }
    Ok(taken)
}

fn run(rule_name: &str, params: Value, ballot: impl Strategy<Value = Value>, always: &[&str]) {
    let (rule, election) = (rule(rule_name), election(params));
    let ballots = prop::collection::vec((ballot, 1u64..4), 1..8);
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let done = TestRunner::new(config).run(&ballots, |ballots| {
        let line = |(mut ballot, weight): (Value, u64)| {
            ballot["weight"] = weight.into();
            format!("{ballot}\n")
        };
        let lines: String = ballots.into_iter().map(line).collect();
        let taken = check(&rule, &election, &lines)?;
        for format in always {
            prop_assert!(taken.contains(format), "{} is not taken: {}", format, lines);
        }
        Ok(())
    });
    done.unwrap();
}

fn ids() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b", "c"], 0..=3).prop_shuffle()
}

#[test]
fn marked_rankings() {
    let id = || prop::sample::select(vec!["a", "b", "c"]);
    let rank = prop_oneof![
        4 => id().prop_map(|id| json!(id)),
        1 => Just(json!([])),
        1 => Just(json!({"mark": "overvote"})),
        1 => Just(json!({"mark": "other"})),
        1 => Just(json!(["a", "c"])),
    ];
    let ballot = prop::collection::vec(rank, 0..5).prop_map(|ranks| json!({"ranking": ranks}));
    let holds = ["json", "jsonl", "csv"];
    for law in ["maine", "minneapolis"] {
        run(
            "instant-runoff",
            json!({"law": law}),
            ballot.clone(),
            &holds,
        );
    }
    run("stv", json!({"seats": 2}), ballot, &holds);
    // Skipped ranks and repetitions alone have a place in more formats.
    let rank = prop_oneof![3 => id().prop_map(|id| json!(id)), 1 => Just(json!([]))];
    let ballot = prop::collection::vec(rank, 0..5).prop_map(|ranks| json!({"ranking": ranks}));
    let holds = ["json", "jsonl", "csv", "blt", "cvr"];
    run("instant-runoff", json!({"law": "maine"}), ballot, &holds);
}

#[test]
fn plain_ballots() {
    let ranking = ids().prop_map(|ids| json!({"ranking": ids}));
    run("borda", json!({}), ranking, &WRITTEN);
    let shared = ids()
        .prop_map(|ids| json!({"ranking": if ids.is_empty() { json!([]) } else { json!([ids]) }}));
    let holds = ["json", "jsonl", "csv", "blt", "cvr", "preflib", "abif"];
    run("schulze", json!({}), shared, &holds);
    let sets = ["json", "jsonl", "csv", "cvr", "pabulib", "abif"];
    let approval = ids().prop_map(|ids| json!({"approve": ids}));
    run("approval", json!({}), approval, &sets);
    let choices = ids().prop_map(|ids| json!({"choices": ids}));
    run("plurality", json!({"max_choices": 3}), choices, &sets);
    let points = |member: &'static str| {
        ids().prop_map(move |ids| {
            let points = (1u64..)
                .zip(&ids)
                .map(|(points, id)| ((*id).to_owned(), json!(points)));
            let points: serde_json::Map<String, Value> = points.collect();
            json!({ member: points })
        })
    };
    run(
        "score",
        json!({"max": 9}),
        points("scores"),
        &["json", "jsonl", "csv", "pabulib", "abif"],
    );
    let holds = ["json", "jsonl", "csv", "cvr", "pabulib"];
    run("cumulative", json!({"credits": 9}), points("votes"), &holds);
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let (rule, election) = (rule("instant-runoff"), election(json!({})));
    let refused = |lines: &str, to: &str| {
        let error = converted(&rule, &election, &file("x.jsonl", lines, None), to);
        error.map(|(text, _)| text).unwrap_err().to_string()
    };
    let skipped = "{\"ranking\": [\"a\"]}\n{\"ranking\": [\"a\", [], \"b\"]}\n";
    for to in ["preflib", "scot-elex", "abif", "pabulib"] {
        let found = refused(skipped, to);
        assert!(
            found.starts_with("x.jsonl:2: this cannot be written"),
            "{to}: {found}"
        );
    }
    let found = refused("{\"ranking\": [{\"mark\": \"overvote\"}]}\n", "cvr");
    assert!(
        found.contains("no place for marks that nobody recorded"),
        "{found}"
    );
    assert!(refused("{\"ranking\": [\"x\"]}\n", "csv").contains("cannot be counted: 1"));
    let found = refused("{\"ranking\": []}\n", "xlsx");
    assert!(
        found.contains("expected one of the formats that are written (json, jsonl, csv"),
        "{found}"
    );
}

/// Withdrawn options stay withdrawn, or the file is refused; so do seats.
#[test]
fn withdrawn_options() {
    let (rule, election) = (rule("stv"), election(json!({})));
    let blt = "3 2\n-2\n3 1 2 3 0\n2 2 - 3 0\n0\n\"a\"\n\"b\"\n\"c\"\n\"T\"\n";
    let ballots = file("x.blt", blt, None);
    let (written, _) = converted(&rule, &election, &ballots, "blt").unwrap();
    assert!(
        written.starts_with("3 2\n-2\n3 1 3 0\n2 - 3 0\n0\n"),
        "{written}"
    );
    let found = converted(&rule, &election, &ballots, "csv")
        .unwrap_err()
        .to_string();
    assert!(found.contains("no place for withdrawn options"), "{found}");
}

/// Formats that are read and not written: three ballots in each, in all others.
#[test]
fn formats_that_are_not_written() {
    let options = json!([{"id": "a", "title": "Ann"}, {"id": "b", "title": "Bo"}, "c"]);
    let text = json!({"id": "m", "options": options}).to_string();
    let election = Election::from_text(&text, "e.json", None).unwrap();
    let rule = rule("instant-runoff");
    let outcome = |ballots: &BallotFile| {
        let counted = count(
            &rule,
            &election,
            ballots,
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        let counted = counted.unwrap();
        (counted.tally.outcome, counted.counted)
    };
    let expected = outcome(&file("x.csv", "rank1,rank2\na,b\nb,\na,c\n", None));
    let mut xml = String::from(
        "<CastVoteRecordReport><Election><Candidate ObjectId=\"ka\"><Name>Ann</Name></Candidate>\
         <Candidate ObjectId=\"kb\"><Name>Bo</Name></Candidate><Candidate ObjectId=\"kc\"><Name>c</Name></Candidate>\
         <Contest ObjectId=\"m\">",
    );
    for id in ["a", "b", "c"] {
        xml += &format!(
            "<ContestSelection ObjectId=\"s{id}\"><CandidateIds>k{id}</CandidateIds></ContestSelection>"
        );
    }
    xml += "</Contest></Election>";
    for (number, ballot) in ["ab", "b", "ac"].into_iter().enumerate() {
        xml += &format!(
            "<CVR><UniqueId>{number}</UniqueId><CVRSnapshot><CVRContest><ContestId>m</ContestId>"
        );
        for (rank, id) in (1..).zip(ballot.chars()) {
            xml += &format!(
                "<CVRContestSelection><ContestSelectionId>s{id}</ContestSelectionId><SelectionPosition>\
                 <HasIndication>yes</HasIndication><Rank>{rank}</Rank></SelectionPosition></CVRContestSelection>"
            );
        }
        xml += "</CVRContest></CVRSnapshot></CVR>";
    }
    xml += "</CastVoteRecordReport>";
    let column = |rank: u64, name: &str| format!("Choice_1_{rank}:m:{rank}:Vote For 1:{name}:X");
    let columns = (1..=2).flat_map(|rank| ["Ann", "Bo", "c"].map(|name| column(rank, name)));
    let columns: Vec<String> = columns.collect();
    let clear = format!(
        "RowNumber,BoxID,BallotID,Status,Remade,{}\n1,B,B+1,0,0,1,0,0,0,1,0\n2,B,B+2,0,0,0,1,0,0,0,0\n\
         3,B,B+3,0,0,1,0,0,0,0,1\n",
        columns.join(",")
    );
    for (name, text) in [("x.xml", xml), ("x.csv", clear)] {
        let ballots = file(name, &text, None);
        assert_eq!(outcome(&ballots), expected, "{name}");
        for to in WRITTEN {
            let (text, _) = converted(&rule, &election, &ballots, to).unwrap();
            let again = file("converted", &text, Format::from_name(to));
            assert_eq!(outcome(&again), expected, "{name} to {to}");
        }
    }
}
