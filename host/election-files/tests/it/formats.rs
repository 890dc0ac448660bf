//! Formats of offices and programs: what each holds, counted.

use std::io::{Cursor, Write};
use std::path::Path;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, CountError, Counted, Election, Spoiled, count_all, load_rule,
};
use tabella_runtime::{Runtime, RuntimeConfig};
use zip::write::SimpleFileOptions;

use crate::summary;

pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn count_files(
    rule: &str,
    election: &Value,
    files: Vec<(&str, Vec<u8>)>,
) -> Result<Counted, CountError> {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, rule).unwrap();
    let election = Election::from_text(&election.to_string(), "e.json", None).unwrap();
    let files = files
        .into_iter()
        .map(|(name, bytes)| BallotFile::from_bytes(Path::new(name), bytes, None));
    let files: Vec<BallotFile> = files.collect::<Result<_, _>>()?;
    count_all(&rule, &election, &files, &TieBreak::Report, Spoiled::Count)
}

/// Votes, winners, and every problem; or why there is no count.
pub(crate) fn shown(rule: &str, election: &Value, files: Vec<(&str, Vec<u8>)>) -> String {
    let counted = match count_files(rule, election, files) {
        Ok(counted) => counted,
        Err(error) => return error.to_string(),
    };
    let answer = counted.to_json();
    let options = answer["options"].as_array().unwrap();
    let votes = options
        .iter()
        .map(|o| format!("{} {}", o["id"].as_str().unwrap(), o["votes"]));
    let mut text = votes.collect::<Vec<_>>().join(", ");
    text += &format!("; {} counted, {} spoiled", counted.counted, counted.spoiled);
    for problem in &counted.problems {
        text += &format!("\n{}", problem.to_line());
    }
    text
}

#[test]
fn files_of_several_precincts() {
    let election = json!({"options": ["a", "b"]});
    let file = |text: &str| text.as_bytes().to_vec();
    let files = vec![
        ("north.csv", file("choice\na\nx\n")),
        ("south.jsonl", file("{\"choice\": \"b\"}\n")),
    ];
    assert_eq!(
        shown("plurality", &election, files),
        "a 1, b 1; 2 counted, 1 spoiled\nnorth.csv:3: \"x\" is not an option of this contest (record 2)"
    );
    let files = vec![
        ("north.csv", file("choice\na\n")),
        ("copy.csv", file("choice\na\n")),
    ];
    let found = shown("plurality", &election, files);
    assert_eq!(
        found,
        "copy.csv:1: it holds the same as north.csv, and a ballot counts once"
    );
    let blt = |seats: u64| file(&format!("2 {seats}\n1 1 0\n0\n\"a\"\n\"b\"\n"));
    let found = shown("stv", &election, vec![("n.blt", blt(1)), ("s.blt", blt(2))]);
    assert!(
        found.contains("s.blt:1: its seats or withdrawn options are not those of n.blt"),
        "{found}"
    );
}

const SHEET: &str = r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>Cast Vote Record</t></is></c><c r="B1" t="inlineStr"><is><t>Precinct</t></is></c><c r="C1" t="inlineStr"><is><t>Mayor Choice 1 of 2</t></is></c><c r="D1" t="inlineStr"><is><t>Mayor Choice 2 of 2</t></is></c></row>
<row r="2"><c r="A2"><v>1001</v></c><c r="B2" t="inlineStr"><is><t>P, 1</t></is></c><c r="C2" t="inlineStr"><is><t>Ann</t></is></c><c r="D2" t="inlineStr"><is><t>undervote</t></is></c></row>
<row r="3"><c r="A3"><v>1002</v></c><c r="C3" t="inlineStr"><is><t>overvote</t></is></c></row>
<row r="4"><c r="A4"><v>1003</v></c><c r="C4" t="inlineStr"><is><t>Nobody</t></is></c><c r="D4" t="inlineStr"><is><t>Bea</t></is></c></row>
</sheetData></worksheet>"#;

pub(crate) fn xlsx(sheets: &[(&str, &str)]) -> Vec<u8> {
    let part = |number: usize| format!("xl/worksheets/sheet{number}.xml");
    let numbered = || (1..).zip(sheets);
    let names: String = numbered()
        .map(|(n, (name, _))| format!(r#"<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>"#))
        .collect();
    let relations: String = numbered()
        .map(|(n, _)| {
            format!(r#"<Relationship Id="r{n}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet{n}.xml"/>"#)
        })
        .collect();
    let book = format!(
        r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>{names}</sheets></workbook>"#
    );
    let relations = format!(
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>"#
    );
    let top = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
    let mut files = vec![
        ("_rels/.rels".to_owned(), top.to_owned()),
        ("xl/workbook.xml".to_owned(), book),
        ("xl/_rels/workbook.xml.rels".to_owned(), relations),
    ];
    files.extend(numbered().map(|(n, (_, text))| (part(n), (*text).to_owned())));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    zip(&files)
}

#[test]
fn spreadsheets() {
    let election = json!({"options": ["Ann", "Bea"], "params": {"overvote": "skip"}});
    let empty = r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>"#;
    let book = xlsx(&[("Export", SHEET), ("Notes", empty)]);
    assert_eq!(
        shown("instant-runoff", &election, vec![("x.xlsx", book)]),
        "Ann 1, Bea 0; 2 counted, 1 spoiled\nx.xlsx:4: \"Nobody\" is not an option of this contest (record \
         3, ballot 1003)"
    );
    let found = shown(
        "instant-runoff",
        &election,
        vec![("x.xlsx", xlsx(&[("A", SHEET), ("B", SHEET)]))],
    );
    assert!(found.contains("several sheets have cells: A, B"), "{found}");
    // One cell far away does not fill the memory.
    let far = SHEET.replace(
        "</sheetData>",
        r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>"#,
    );
    let found = shown(
        "instant-runoff",
        &election,
        vec![("x.xlsx", xlsx(&[("A", &far)]))],
    );
    assert!(found.contains("the sheet spans more than"), "{found}");
}

/// 4,294,967,298 is 2 to who counts in 32 bits.
#[test]
fn cells_beyond_a_sheet_are_refused() {
    let election = json!({"options": ["Ann", "Bea"], "params": {"overvote": "skip"}});
    for (from, to) in [
        (r#"r="A4""#, r#"r="A4294967298""#),
        (r#"<row r="4""#, r#"<row r="4294967298""#),
        (r#"r="C4""#, r#"r="AballotsnlineStr4""#),
        ("<sheetData>", r#"<dimension ref="D4:A1"/><sheetData>"#),
    ] {
        let sheet = SHEET.replace(from, to);
        assert_ne!(sheet, SHEET, "{from}");
        let book = xlsx(&[("A", &sheet)]);
        let found = shown("instant-runoff", &election, vec![("x.xlsx", book)]);
        assert!(found.contains("is no place in a sheet"), "{to}: {found}");
    }
}

/// Joined, "1" and "0" would be ten.
#[test]
fn a_cell_that_stands_twice_is_refused() {
    let election = json!({"options": ["Ann", "Bea"], "params": {"overvote": "skip"}});
    let cell = r#"<c r="C2" t="inlineStr"><is><t>Ann</t></is></c>"#;
    let sheet = SHEET.replace(cell, &format!("{cell}{cell}"));
    assert_ne!(sheet, SHEET);
    let book = xlsx(&[("A", &sheet)]);
    let found = shown("instant-runoff", &election, vec![("x.xlsx", book)]);
    assert!(found.contains("or one stands twice"), "{found}");
}

#[test]
fn participatory_budgets() {
    let file = |kind: &str, votes: &str| {
        format!(
            "META\nkey;value\ndescription;A; b\nvote_type;{kind}\nPROJECTS\nproject_id;cost;name\n7;100;A \
             bench\n9;50;Trees\nVOTES\n{votes}"
        )
    };
    let election =
        json!({"options": [{"id": "7", "title": "Bench"}, {"id": "trees", "title": "Trees"}]});
    let approvals = file(
        "approval",
        "voter_id;age;vote\n1;30;7,9\n2;;9\n3;41;\n4;20;8\n",
    );
    assert_eq!(
        summary("approval", &election, "x.pb", &approvals, Spoiled::Count),
        "\"7\" 1, \"trees\" 2; winners [\"trees\"]; 3 counted, 1 spoiled\n\
         x.pb:14: the file has no project \"8\"\n"
    );
    let ordinal = file("ordinal", "voter_id;vote\n1;9,7\n2;7\n3;9\n");
    let found = summary("borda", &election, "x.pb", &ordinal, Spoiled::Count);
    assert!(found.contains("winners [\"trees\"]; 3 counted"), "{found}");
    let points = file(
        "cumulative",
        "voter_id;vote;points\n1;9,7;3,1\n2;7;4\n3;9;1,2\n",
    );
    let cumulative = json!({"options": election["options"], "params": {"credits": 10}});
    let found = summary("cumulative", &cumulative, "x.pb", &points, Spoiled::Count);
    assert!(found.starts_with("\"7\" 5, \"trees\" 3;"), "{found}");
    assert!(
        found.contains("x.pb:13: expected points for 1 projects, found 2"),
        "{found}"
    );
    let found = summary("borda", &election, "x.pb", &approvals, Spoiled::Count);
    assert!(found.contains("say nothing of an order"), "{found}");
    let found = summary(
        "borda",
        &election,
        "x.pb",
        &file("lottery", "vote\n7\n"),
        Spoiled::Count,
    );
    assert!(found.contains("expected vote_type approval"), "{found}");
    let other = ordinal.replace("Trees", "7");
    let found = summary("borda", &election, "x.pb", &other, Spoiled::Count);
    assert!(
        found.contains("x.pb:8: the project 9 is one that stands above already"),
        "{found}"
    );
}

#[test]
fn aggregated_ballots() {
    let election = json!({"options": [{"id": "m", "title": "Memphis, TN"}, {"id": "n", "title": "Nash"}, "c"]});
    let counted = |rule: &str, text: &str| summary(rule, &election, "x.abif", text, Spoiled::Count);
    let text = "# Tennessee\n{\"title\": \"Capital\"}\n=M:[Memphis, TN]\n4: M > Nash = c # all\n3:n>c>M\n2:[memphis, tn]\n0:\n";
    let found = counted("schulze", text);
    assert!(
        found.contains("winners [\"m\"]; 9 counted, 0 spoiled"),
        "{found}"
    );
    let scored = "3: m/5, n/2, c/0\n2: n/5 > c/1\n";
    assert!(
        counted("score", scored).starts_with("\"m\" 15, \"n\" 16, \"c\" 2"),
        "{}",
        counted("score", scored)
    );
    let found = counted("instant-runoff", scored);
    assert!(found.starts_with("\"m\" 3, \"n\" 2, \"c\" 0"), "{found}");
    let wrong = "1: m, n\n1: m > n, c\n1: m/1 > n/2\n1: m >\nx: m\n1: m > zz\n1: c\n";
    let found = counted("instant-runoff", wrong);
    assert!(found.contains("1 counted, 6 spoiled"), "{found}");
    assert!(found.contains("the scores contradict the order"), "{found}");
}

const CDF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- a report -->
<CastVoteRecordReport xmlns="http://itl.nist.gov/ns/voting/1500-103/v1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <CVR>
    <UniqueId>u1</UniqueId><CurrentSnapshotId>s1</CurrentSnapshotId>
    <CVRSnapshot ObjectId="s1"><Type>original</Type>
      <CVRContest><ContestId>c</ContestId>
        <CVRContestSelection><ContestSelectionId>sel-a</ContestSelectionId>
          <SelectionPosition><HasIndication>yes</HasIndication><NumberVotes>1</NumberVotes><Rank>1</Rank></SelectionPosition>
        </CVRContestSelection>
        <CVRContestSelection><ContestSelectionId>sel-b</ContestSelectionId>
          <SelectionPosition><HasIndication>yes</HasIndication><NumberVotes>1</NumberVotes><Rank>3</Rank></SelectionPosition>
        </CVRContestSelection>
      </CVRContest>
    </CVRSnapshot>
  </CVR>
  <CVR>
    <UniqueId>u2</UniqueId><CurrentSnapshotId>s2</CurrentSnapshotId>
    <CVRSnapshot ObjectId="s2">
      <CVRContest><ContestId>c</ContestId>
        <CVRContestSelection><ContestSelectionId>sel-?</ContestSelectionId>
          <SelectionPosition><HasIndication>yes</HasIndication><NumberVotes>1</NumberVotes><Rank>1</Rank></SelectionPosition>
        </CVRContestSelection>
      </CVRContest>
    </CVRSnapshot>
  </CVR>
  <Election ObjectId="e">
    <Candidate ObjectId="cand-a"><Name>Ann &amp; Co</Name></Candidate>
    <Candidate ObjectId="cand-b"><Name>Bo</Name></Candidate>
    <Contest ObjectId="c" xsi:type="CandidateContest"><Name>Mayor</Name>
      <ContestSelection ObjectId="sel-a" xsi:type="CandidateSelection"><CandidateIds>cand-a</CandidateIds></ContestSelection>
      <ContestSelection ObjectId="sel-b" xsi:type="CandidateSelection"><CandidateIds>cand-b</CandidateIds></ContestSelection>
    </Contest>
  </Election>
</CastVoteRecordReport>
"#;

#[test]
fn cast_vote_records_in_xml() {
    let election =
        json!({"options": [{"id": "a", "title": "Ann & Co"}, {"id": "b", "title": "Bo"}]});
    assert_eq!(
        shown(
            "instant-runoff",
            &election,
            vec![("x.xml", CDF.as_bytes().to_vec())]
        ),
        "a 1, b 0; 1 counted, 1 spoiled\n\
         x.xml:17: the selection \"sel-?\" is not an option of this contest (record 2, ballot u2)"
    );
    let invalid = CDF.replace(
        "<ContestId>c</ContestId>",
        "<ContestId>c</ContestId><Status>invalidated-rules</Status>",
    );
    let found = shown(
        "instant-runoff",
        &election,
        vec![("x.xml", invalid.into_bytes())],
    );
    assert!(
        found.starts_with("a 0, b 0; 0 counted, 2 spoiled"),
        "{found}"
    );
    for (text, message) in [
        (
            "<CastVoteRecordReport><CVR>",
            "not XML: the file ends within",
        ),
        ("<CastVoteRecordReport></CVR>", "not XML"),
        ("<html/>", "it is XML of an unknown kind, \"html\""),
        (
            "<CastVoteRecordReport><CVR>&x;</CVR></CastVoteRecordReport>",
            "the entity \"x\" is not known",
        ),
    ] {
        let found = shown(
            "instant-runoff",
            &election,
            vec![("x.xml", text.as_bytes().to_vec())],
        );
        assert!(found.contains(message), "{text}: {found}");
    }
}

#[test]
fn harts_ballots() {
    let ballot = |guid: &str, ann: &str, bo: &str| {
        format!(
            "<Cvr><CvrGuid>{guid}</CvrGuid><PrecinctSplit><Name>P</Name><Id>p</Id></PrecinctSplit><Contests>\
             <Contest><Name>Mayor</Name><Id>m</Id><Options>\
             <Option><Name>Ann</Name><Id>o1</Id><Value>{ann}</Value></Option>\
             <Option><Name>Bo</Name><Id>o2</Id><Value>{bo}</Value></Option></Options></Contest>\
             <Contest><Name>Other</Name><Id>n</Id></Contest></Contests></Cvr>"
        )
    };
    let election = json!({"id": "Mayor", "options": ["Ann", "Bo"], "params": {"law": "maine"}});
    let files = [
        ballot("1", "100", "010"),
        ballot("2", "000", "001"),
        ballot("3", "110", "000"),
    ];
    let named: Vec<(&str, &str)> = ["1.xml", "2.xml", "3.xml"]
        .into_iter()
        .zip(files.iter().map(String::as_str))
        .collect();
    let found = shown("instant-runoff", &election, vec![("x.zip", zip(&named))]);
    assert_eq!(found, "Ann 2, Bo 0; 3 counted, 0 spoiled");
    let twice = [("1.xml", files[0].as_str()), ("2.xml", files[0].as_str())];
    let found = shown("instant-runoff", &election, vec![("x.zip", zip(&twice))]);
    assert!(
        found.contains("x.zip/2.xml:1: the ballot 1 stands twice"),
        "{found}"
    );
    let broken = files[0].replace("100", "2");
    let found = shown(
        "instant-runoff",
        &election,
        vec![("1.xml", broken.into_bytes())],
    );
    assert!(
        found.contains("expected a Value of 0 and 1, found \"2\""),
        "{found}"
    );
}
