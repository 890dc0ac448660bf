//! Bytes as files of one format each: as a whole or, where a file is an archive, as what it holds.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::OnceLock;

use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, ConvertError, CountError, Election, Format, Spoiled, convert, count, load_rule,
};
use tabella_runtime::{Compiler, Plugin, Runtime, RuntimeConfig, TallyError};
use zip::write::SimpleFileOptions;

const ELECTION: &str = r#"{"id": "m", "options": [{"id": "a", "title": "Ann"}, "b", "c"]}"#;

/// Rules of which each takes other ballots; the first byte of an input chooses one.
const RULES: [&str; 4] = ["instant-runoff", "plurality", "cumulative", "borda"];

/// The format of each target, and files to start from.
const FILES: [(&str, &[&str]); 14] = [
    (
        "csv",
        &[
            "id,precinct,M Choice 1 of 2 (01),M Choice 2 of 2 (02)\n1,P,Ann,overvote\n2,P,a|b,undervote\n",
            "count,a,b,c\n2,1,,3\n1,x,,\n",
            "2,a > b = c\n1,-\n",
            "c;a;b\n1;2;3\n",
        ],
    ),
    (
        "xlsx",
        &[
            r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>rank1</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>a</t></is></c></row></sheetData></worksheet>"#,
        ],
    ),
    (
        "cvr-xml",
        &[
            "<CastVoteRecordReport><Election><Candidate ObjectId=\"a\"><Name>Ann</Name></Candidate><Contest ObjectId=\"m\"><ContestSelection ObjectId=\"s\"><CandidateIds>a</CandidateIds></ContestSelection></Contest></Election><CVR><UniqueId>1</UniqueId><CurrentSnapshotId>x</CurrentSnapshotId><CVRSnapshot ObjectId=\"x\"><CVRContest><ContestId>m</ContestId><CVRContestSelection><ContestSelectionId>s</ContestSelectionId><SelectionPosition><HasIndication>yes</HasIndication><Rank>1</Rank></SelectionPosition></CVRContestSelection></CVRContest></CVRSnapshot></CVR></CastVoteRecordReport>",
        ],
    ),
    (
        "dominion",
        &[
            r#"{"Sessions":[{"TabulatorId":1,"BatchId":1,"RecordId":1,"Original":{"IsCurrent":false,"Cards":[]},"Modified":{"IsCurrent":true,"Cards":[{"Contests":[{"Id":7,"OutstackConditionIds":[14],"Overvotes":0,"Marks":[{"CandidateId":1,"Rank":1,"IsAmbiguous":false,"IsVote":true}]}]}]}}]}"#,
        ],
    ),
    (
        "hart",
        &[
            "<Cvr><CvrGuid>1</CvrGuid><Contests><Contest><Name>m</Name><Id>m</Id><Options><Option><Name>a</Name><Id>1</Id><Value>010</Value></Option></Options></Contest></Contests></Cvr>",
        ],
    ),
    (
        "clear-ballot",
        &[
            "RowNumber,BoxID,BallotID,Status,Remade,Choice_1_1:m:1:Vote For 1:Ann:X,Choice_2_1:m:1:Vote For 1:b:X\n1,B,B+1,0,0,1,0\n",
        ],
    ),
    (
        "preflib",
        &[
            "# FILE NAME: x.toi\n# NUMBER VOTERS: 3\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n3: 1,{2}\n",
            "# FILE NAME: x.cat\n# NUMBER CATEGORIES: 2\n# CATEGORY NAME 1: 2\n# CATEGORY NAME 2: 0\n# ALTERNATIVE NAME 1: a\n# ALTERNATIVE NAME 2: b\n3: 1,{2}\n1: {},1\n",
        ],
    ),
    (
        "scot-elex",
        &["2,1,\n3,1,2,\nCandidate 1,Ann,P,\nCandidate 2,b,P,\nA ward,,,\n"],
    ),
    (
        "pabulib",
        &[
            "META\nkey;value\nvote_type;cumulative\nPROJECTS\nproject_id;cost\na;1\nb;2\nVOTES\nvoter_id;vote;points\n1;a,b;2,1\n",
        ],
    ),
    (
        "abif",
        &["# x\n=A:[Ann]\n3: A > b = c\n2: a/5, b/1\n{\"title\": \"x\"}\n"],
    ),
    (
        "blt",
        &["3 1\n-2\n4 1 - 3 0\n(b7) 2 1=3 2 0\n0\n\"Ann\"\n\"b\"\n\"c\"\n\"An election\"\n"],
    ),
    (
        "cvr",
        &[
            r#"{"Election":[{"Candidate":[{"@id":"k","Name":"Ann"}],"Contest":[{"@id":"m","ContestSelection":[{"@id":"s","CandidateIds":["k"]},{"@id":"w","IsWriteIn":true}]}]}],"CVR":[{"UniqueId":"1","CurrentSnapshotId":"x","CVRSnapshot":[{"@id":"x","Status":"overvoted","CVRContest":[{"ContestId":"m","CVRContestSelection":[{"ContestSelectionId":"s","SelectionPosition":[{"HasIndication":"yes","NumberVotes":1,"Rank":1}]}]}]}]}]}"#,
        ],
    ),
    (
        "json",
        &[
            r#"{"ballots": [{"ranking": ["a", [], {"mark": "overvote"}, ["b", "c"]], "weight": 3}, {"choice": "a"}]}"#,
        ],
    ),
    (
        "jsonl",
        &["{\"ranking\": [\"a\", \"b\"]}\n{\"votes\": {\"a\": 2}, \"weight\": 2}\n"],
    ),
];

pub(crate) fn start() {
    rules();
}

pub(crate) fn seeds(format: &str) -> Vec<Vec<u8>> {
    let files = FILES.iter().filter(|(name, _)| *name == format);
    let texts = files.flat_map(|(_, texts)| texts.iter());
    let of_rule = |text: &&str| {
        (0..RULES.len() as u8)
            .map(|rule| [&[rule], text.as_bytes()].concat())
            .collect::<Vec<_>>()
    };
    texts.flat_map(of_rule).collect()
}

fn rules() -> &'static [Plugin] {
    static LOADED: OnceLock<Vec<Plugin>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let runtime = Runtime::new(RuntimeConfig {
            compiler: Compiler::InProcess,
            ..RuntimeConfig::default()
        });
        let runtime = runtime.expect("the sandbox starts");
        let load = |name| load_rule(&runtime, name).expect("a built-in rule loads");
        RULES.map(load).into()
    })
}

/// The first byte chooses the rule; the rest is a file of that format, or what its archive holds.
fn opened<'a>(format: &str, input: &[u8]) -> Option<(&'a Plugin, Election, BallotFile)> {
    let (rule, bytes) = input.split_first()?;
    let rule = &rules()[usize::from(*rule) % RULES.len()];
    let known = Format::from_name(format).expect("a format of that name");
    let (name, bytes) = match known {
        Format::Dominion => ("x.zip", zip(&dominion(bytes))),
        Format::Xlsx => ("x.xlsx", zip(&workbook(bytes))),
        _ => ("ballots", bytes.to_vec()),
    };
    let file = BallotFile::from_bytes(Path::new(name), bytes, Some(known)).ok()?;
    let election = Election::from_text(ELECTION, "election.json", None).expect("an election");
    Some((rule, election, file))
}

pub(crate) fn take(format: &str, input: &[u8]) {
    let Some((rule, election, file)) = opened(format, input) else {
        return;
    };
    match count(rule, &election, &file, &TieBreak::Report, Spoiled::Count) {
        Ok(counted) => drop(counted.to_json()),
        Err(CountError::Tally(TallyError::Host(fault))) => panic!("{fault}"),
        Err(error) => drop(error.to_string()),
    }
}

pub(crate) fn convert_seeds() -> Vec<Vec<u8>> {
    let of_format = |number: u8| {
        let (name, _) = FILES[usize::from(number)];
        let with = |seed: Vec<u8>| {
            (0..Format::ALL.len() as u8).map(move |to| [&[number, to], &*seed].concat())
        };
        seeds(name).into_iter().flat_map(with).collect::<Vec<_>>()
    };
    (0..FILES.len() as u8).flat_map(of_format).collect()
}

/// What is converted counts to the same bytes. The first two bytes choose the formats.
pub(crate) fn take_conversion(input: &[u8]) {
    let [from, to, rest @ ..] = input else {
        return;
    };
    let (from, _) = FILES[usize::from(*from) % FILES.len()];
    let (_, to) = Format::ALL[usize::from(*to) % Format::ALL.len()];
    let Some((rule, election, file)) = opened(from, rest) else {
        return;
    };
    let (text, _) = match convert(
        rule,
        &election,
        std::slice::from_ref(&file),
        to,
        Spoiled::Refuse,
    ) {
        Ok(converted) => converted,
        Err(ConvertError::Count(CountError::Tally(TallyError::Host(fault)))) => panic!("{fault}"),
        Err(error) => return drop(error.to_string()),
    };
    let written = BallotFile::from_bytes(Path::new("converted"), text.into_bytes(), Some(to));
    let written = written.expect("what was written is read");
    let outcome = |file: &BallotFile| {
        let counted = count(rule, &election, file, &TieBreak::Report, Spoiled::Refuse);
        counted.map(|counted| (counted.tally.outcome, counted.counted))
    };
    let Ok(before) = outcome(&file) else {
        return;
    };
    let after = outcome(&written).expect("what was written is counted");
    assert_eq!(before, after, "a conversion changed the count");
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in files {
        let written =
            archive.start_file(*name, options).is_ok() && archive.write_all(bytes).is_ok();
        assert!(written, "an archive in memory is written");
    }
    let archive = archive.finish().expect("an archive in memory is written");
    archive.into_inner()
}

fn dominion(export: &[u8]) -> [(&str, &[u8]); 4] {
    [
        ("CvrExport.json", export),
        (
            "ContestManifest.json",
            br#"{"List": [{"Id": 7, "Description": "m"}, {"Id": 8, "Description": "n"}]}"#,
        ),
        (
            "CandidateManifest.json",
            br#"{"List": [{"Id": 1, "Description": "Ann", "ContestId": 7}, {"Id": 2, "Description": "b", "ContestId": 7}, {"Id": 3, "Description": "Write-in", "ContestId": 7, "Type": "WriteIn"}]}"#,
        ),
        (
            "OutstackConditionManifest.json",
            br#"{"List": [{"Id": 7, "Description": "InvalidContest"}]}"#,
        ),
    ]
}

fn workbook(sheet: &[u8]) -> [(&str, &[u8]); 4] {
    [
        (
            "_rels/.rels",
            br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
        ),
        (
            "xl/workbook.xml",
            br#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
        ("xl/worksheets/sheet1.xml", sheet),
    ]
}
