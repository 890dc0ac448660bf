//! Whole counts.

use std::io::{Cursor, Read};
use std::path::Path;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, ContestName, Election, Format, Spoiled, convert, count, load_rule,
};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::counted;

#[test]
fn burlington_from_its_published_files() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/elections/burlington-2009");
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, "instant-runoff").unwrap();
    let election = Election::read(&folder.join("election.toml"), None).unwrap();
    let ballots = BallotFile::read(&folder.join("ballots.csv"), None).unwrap();
    let counted = count(
        &rule,
        &election,
        &ballots,
        &TieBreak::Report,
        Spoiled::Refuse,
    )
    .unwrap();
    let answer = counted.to_json();
    let published = std::fs::read_to_string(folder.join("published.json")).unwrap();
    let published: Value = serde_json::from_str(&published).unwrap();
    let rounds = answer["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), published["rounds"].as_array().unwrap().len());
    for (round, published) in rounds.iter().zip(published["rounds"].as_array().unwrap()) {
        for (id, votes) in published["totals"].as_object().unwrap() {
            assert_eq!(round["totals"][id], votes.to_string(), "{id}");
        }
        assert_eq!(round["exhausted"], published["exhausted"].to_string());
    }
    assert_eq!(answer["winners"], json!(["kiss"]));
    assert_eq!(answer["ballots"]["counted"], 8_980);
    assert_eq!(answer["ballots"]["spoiled"], 0);
}

/// A module that was built before rules could take marks, and published on a chain that is kept for tests: the
/// block's bytes from this one on.
fn rule_of_before() -> &'static [u8] {
    const CHAIN: &[u8] = include_bytes!("../../../ledger/tests/it/recorded/rolls_of_before.blocks");
    const LENGTH: usize = 283;
    let (length, rest) = CHAIN[LENGTH..].split_first_chunk::<4>().unwrap();
    &rest[..u32::from_le_bytes(*length) as usize]
}

/// The outcome's bytes and the fuel, as the programs of before had them.
#[test]
fn a_rule_of_before_counts_to_the_same_bytes() {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = runtime.load(rule_of_before()).unwrap();
    let election = json!({"options": ["a", "b", "c"]}).to_string();
    let election = Election::from_text(&election, "e.json", None).unwrap();
    let files = [
        ("x.csv", "choice\na\nb\na\n\nc\na\n"),
        ("x.csv", "rank1,rank2\na,b\nb,\na,\n,\nc,\na,c\n"),
        (
            "x.jsonl",
            "{\"choice\": \"a\"}\n{\"choices\": [\"b\"]}\n{\"choice\": \"a\"}\n{\"choices\": []}\n{\"choice\": \"c\"}\n{\"choice\": \"a\"}\n",
        ),
    ];
    for (file, text) in files {
        let ballots = BallotFile::from_bytes(Path::new(file), text.into(), None).unwrap();
        let counted = count(
            &rule,
            &election,
            &ballots,
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        let answer = counted.unwrap().to_json();
        assert_eq!(
            answer["outcome_sha256"],
            "ea2e59aa1da4f85e79c021723d8fd2a9a9b123dc20d52ebaf30fa6d391716e57",
            "{text}"
        );
        assert_eq!(answer["fuel"], 7_531, "{text}");
    }
}

/// The module of `instant-runoff` as it was built from the last commit before rules could take marks.
fn ranking_rule_of_before() -> Vec<u8> {
    const ARCHIVE: &[u8] = include_bytes!("../data/modules/instant-runoff-before-marks.wasm.zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(ARCHIVE)).unwrap();
    let mut module = Vec::new();
    let mut file = archive.by_index(0).unwrap();
    file.read_to_end(&mut module).unwrap();
    module
}

/// The digests are of the outcomes of that commit's own rule, run natively by its own tests' harness. A rank with
/// several marks is the rule's to judge, as it was; skipped ranks and repeats are passed over before it sees them.
#[test]
fn a_ranking_rule_of_before_counts_to_the_same_bytes() {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = runtime.load(&ranking_rule_of_before()).unwrap();
    assert!(!rule.manifest().marks);
    for (params, digest, ballots) in [
        (
            json!({}),
            "6aaa21e3c28a1afe3de56ca4d60c0b24896fb636326228c4031b170e10895353",
            "3,a > b\n2,b > - > c > a > c\n2,c > b > c\n1,\n",
        ),
        (
            json!({"overvote": "skip", "until": "two"}),
            "e8f294f0c48b4783d699b5472e05f26ee81fe7ff0c3498de483cd2834cbb6e62",
            "6,a\n3,b > c = d > a\n5,- > c\n1,d > d\n4,d > b = c > a\n",
        ),
        (
            json!({"batch_elimination": true}),
            "30c868c672841e530941f6914ca4952fc65ca0d8de66d45855f0edaf4e8da4e9",
            "7,a > b\n6,b > a\n1,c\n1,d > b\n2,b = c > d\n",
        ),
    ] {
        let election = json!({"options": ["a", "b", "c", "d"], "params": params}).to_string();
        let election = Election::from_text(&election, "e.json", None).unwrap();
        let text = format!("count,ballot\n{ballots}");
        let table = BallotFile::from_bytes(Path::new("x.csv"), text.into(), None).unwrap();
        let mut files = vec![table.clone()];
        for format in [Format::JsonLines, Format::Blt] {
            let table = std::slice::from_ref(&table);
            let (text, _) = convert(&rule, &election, table, format, Spoiled::Refuse).unwrap();
            let file = BallotFile::from_bytes(Path::new("x"), text.into(), Some(format));
            files.push(file.unwrap());
        }
        for file in files {
            let counted = count(&rule, &election, &file, &TieBreak::Report, Spoiled::Refuse);
            let answer = counted.unwrap().to_json();
            assert_eq!(
                answer["outcome_sha256"],
                digest,
                "{params} {:?}",
                file.format()
            );
        }
    }
}

#[test]
fn the_answer_has_every_member() {
    let election = json!({ "options": [{"id": "a", "title": "Ann"}, "b"] });
    let counted = counted(
        "plurality",
        &election,
        "x.jsonl",
        "{\"choice\": \"a\"}\n{}\n",
        Spoiled::Count,
    );
    let mut answer = counted.unwrap().to_json();
    assert!(answer["fuel"].as_u64().unwrap() > 0);
    for of_the_module in ["fuel", "outcome_sha256"] {
        answer.as_object_mut().unwrap().remove(of_the_module);
    }
    expect![[r#"{"ballots":{"counted":1,"problems":[{"file":"x.jsonl","line":2,"reason":"expected a ballot such as {\"choice\": \"…\"}","record":2,"weight":1}],"read":{"ballots":2,"blank":0,"overvotes":0,"repeated":0,"skipped_ranks":0,"spoiled":{"expected a ballot such as {\"choice\": \"…\"}":1},"undervotes":1,"write_ins":0},"records":1,"spoiled":1},"explanation":"Ann has the most votes, 1 of 1, and wins.","options":[{"elected":true,"id":"a","seats":1,"title":"Ann","votes":1},{"elected":false,"id":"b","seats":0,"title":"b","votes":0}],"quota":null,"rounds":[],"ties":[],"winners":["a"]}"#]]
        .assert_eq(&answer.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// No bytes, in whatever format, do more than fail with a message.
    #[test]
    fn any_bytes_as_a_file(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[0-9 =\\-\n\"a,>{}\\[\\]:()#]{0,200}".prop_map(String::into_bytes),
        ],
        format in 0..Format::ALL.len(),
    ) {
        let format = Format::ALL[format].1;
        thread_local! {
            static RULE: tabella_runtime::Plugin = {
                let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
                load_rule(&runtime, "instant-runoff").unwrap()
            };
        }
        let options = ["a", "b", "1"].map(|id| tabella_contest::ContestOption { id: id.into(), title: String::new() });
        let election = Election { contest: ContestName::Unknown, options: options.to_vec(), params: serde_json::Map::new() };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for bytes in [bytes, text.into_bytes()] {
            if let Ok(file) = BallotFile::from_bytes(Path::new("x"), bytes, Some(format)) {
                let result = RULE.with(|rule| count(rule, &election, &file, &TieBreak::Report, Spoiled::Count));
                if let Err(error) = result {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}
