//! Bytes as the files that people bring: ballots in every format, elections.

use std::path::Path;
use std::sync::OnceLock;

use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, CountError, Election, Format, Spoiled, count, load_rule};
use tabella_runtime::{Compiler, Plugin, Runtime, RuntimeConfig, TallyError};

const ELECTION: &str = r#"{"options": ["a", "b", "c"], "params": {}}"#;

const FILES: [(&str, &str); 13] = [
    (
        "pabulib",
        "META\nkey;value\nvote_type;ordinal\nPROJECTS\nproject_id;cost\na;1\nb;2\nVOTES\nvoter_id;vote\n1;a,b\n",
    ),
    (
        "abif",
        "# x\n=A:[a]\n3: A > b = c\n2: a/5, b/1\n{\"title\": \"x\"}\n",
    ),
    (
        "cvr-xml",
        "<CastVoteRecordReport><CVR><CVRSnapshot ObjectId=\"s\"><CVRContest><ContestId>c</ContestId><CVRContestSelection><ContestSelectionId>a</ContestSelectionId><SelectionPosition><HasIndication>yes</HasIndication><Rank>1</Rank></SelectionPosition></CVRContestSelection></CVRContest></CVRSnapshot></CVR></CastVoteRecordReport>",
    ),
    (
        "hart",
        "<Cvr><CvrGuid>1</CvrGuid><Contests><Contest><Name>M</Name><Id>m</Id><Options><Option><Name>a</Name><Id>1</Id><Value>010</Value></Option></Options></Contest></Contests></Cvr>",
    ),
    (
        "dominion",
        r#"{"Sessions":[{"TabulatorId":1,"BatchId":1,"RecordId":1,"Original":{"IsCurrent":true,"Cards":[{"Contests":[{"Id":7,"Marks":[{"CandidateId":1,"Rank":1,"IsAmbiguous":false,"IsVote":true}]}]}]}}]}"#,
    ),
    (
        "preflib",
        "# FILE NAME: x.toi\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n3: 1,{2}\n",
    ),
    (
        "scot-elex",
        "2,1,\n3,1,2,\nCandidate 1,a,P,\nCandidate 2,b,P,\nA ward,,,\n",
    ),
    (
        "json",
        r#"{"ballots": [{"ranking": ["a", ["b", "c"]]}, {"ranking": ["b"], "weight": 3}]}"#,
    ),
    (
        "jsonl",
        "{\"ranking\": [\"a\", \"b\"]}\n{\"ranking\": [], \"weight\": 2}\n",
    ),
    ("csv", "rank1,rank2,rank3\na,b,c\nb,overvote,skipped\n,,\n"),
    ("csv", "ranking,weight\na > b = c,4\n\"b\",1\n"),
    (
        "blt",
        "3 1\n-2\n4 1 2 0\n2 2=3 1 0\n0\n\"a\"\n\"b\"\n\"c\"\n\"An election\"\n",
    ),
    (
        "cvr",
        r#"{"@type":"CVR.CastVoteRecordReport","Version":"1.0.0","Election":[{"@id":"e","Contest":[{"@id":"c1","@type":"CVR.CandidateContest","Name":"M","ContestSelection":[{"@id":"s1","@type":"CVR.CandidateSelection","CandidateIds":["a"]},{"@id":"s2","@type":"CVR.CandidateSelection","CandidateIds":["b"]}]}],"Candidate":[{"@id":"a","Name":"a"},{"@id":"b","Name":"b"}]}],"CVR":[{"CurrentSnapshotId":"x","CVRSnapshot":[{"@id":"x","Type":"original","CVRContest":[{"ContestId":"c1","CVRContestSelection":[{"ContestSelectionId":"s1","Rank":1,"SelectionPosition":[{"HasIndication":"yes","NumberVotes":1,"Rank":1}]}]}]}]}]}"#,
    ),
];

pub(crate) fn start() {
    rule();
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let number = |name: &str| Format::ALL.iter().position(|(known, _)| *known == name);
    let seed = |(name, text): &(&str, &str)| {
        let number = number(name).expect("a format by that name") as u8;
        [&[number], text.as_bytes()].concat()
    };
    FILES.iter().map(seed).collect()
}

fn rule() -> &'static Plugin {
    static RULE: OnceLock<Plugin> = OnceLock::new();
    RULE.get_or_init(|| {
        let runtime = Runtime::new(RuntimeConfig {
            compiler: Compiler::InProcess,
            ..RuntimeConfig::default()
        });
        let runtime = runtime.expect("the sandbox starts");
        load_rule(&runtime, "borda").expect("a built-in rule loads")
    })
}

/// The first byte chooses the format.
pub(crate) fn take(input: &[u8]) {
    let Some((format, bytes)) = input.split_first() else {
        return;
    };
    let (_, format) = Format::ALL[usize::from(*format) % Format::ALL.len()];
    let file = BallotFile::from_bytes(Path::new("ballots"), bytes.to_vec(), Some(format));
    let Ok(file) = file else {
        return;
    };
    let election = Election::from_text(ELECTION, "election.json", None).expect("an election");
    match count(rule(), &election, &file, &TieBreak::Report, Spoiled::Count) {
        Ok(counted) => drop(counted.to_json()),
        Err(CountError::Tally(TallyError::Host(fault))) => panic!("{fault}"),
        Err(error) => drop(error.to_string()),
    }
}

pub(crate) fn election_seeds() -> Vec<Vec<u8>> {
    let files = [
        ELECTION,
        r#"{"title": "T", "contests": [{"id": "x", "options": [{"id": "a", "title": "A"}], "rule": "borda", "params": {"dowdall": true}}]}"#,
        "id = \"x\"\noptions = [\"a\", { id = \"b\", title = \"B\" }]\n[params]\nseats = 2\n",
        "[[contests]]\nid = \"x\"\noptions = [\"a\"]\n[[contests]]\nid = \"y\"\noptions = []\n",
    ];
    files.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn take_election(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let contest = text.contains("\"y\"").then_some("y");
    // Whether it is one matters less than that it can be told.
    let _ = Election::from_text(text, "election", contest).map_err(|error| error.to_string());
}
