//! Files of text that can mean two things, or hold more than is read of them: none is counted as one of them
//! without a word.

use std::path::Path;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::{
    formats::{shown, xlsx},
    summary,
};

fn election(options: &[&str]) -> Value {
    json!({"id": "Mayor", "options": options})
}

/// Counts a file as the rule's ballots, in which nothing is spoiled unless somebody says so.
fn found(rule: &str, file: &str, text: &str) -> String {
    summary(
        rule,
        &election(&["a", "b", "c"]),
        file,
        text,
        Spoiled::Refuse,
    )
}

fn says(rule: &str, file: &str, text: &str, expected: &str) {
    let found = found(rule, file, text);
    assert!(found.contains(expected), "{rule} {text:?}: {found}");
}

#[test]
fn bars_between_options_of_a_ranking() {
    let why = "may be options best first, or options that share one rank";
    for text in [
        "a|b|c\na|c|b\nb|a\n",
        "ranking\na|b|c\nb|a|c\n",
        "count,ballot\n3,a|b\n2,b|a\n",
        "3,a|b\n3,b|a\n",
    ] {
        for rule in ["instant-runoff", "schulze"] {
            says(rule, "x.csv", text, why);
        }
    }
    // What is clear is counted: a rank of several, and a set.
    says(
        "schulze",
        "x.csv",
        "ranking\na|b > c\na=b\n",
        "2 counted, 0 spoiled",
    );
    says(
        "schulze",
        "x.csv",
        "rank1,rank2\na|b,c\na,b\n",
        "2 counted, 0 spoiled",
    );
    says("approval", "x.csv", "choices\na|b\nb\n", "\"a\" 1, \"b\" 2");
}

#[test]
fn columns_that_no_head_names() {
    let why = "has no name in the head";
    for (rule, text) in [
        // A third rank, a number of ballots, a choice.
        ("instant-runoff", "rank1,rank2,\na,b,c\nb,a,c\n"),
        ("instant-runoff", ",rank1,rank2\n5,a,b\n2,b,a\n"),
        ("plurality", "precinct,,choice\n1,a,b\n1,a,b\n"),
        ("approval", "ward,a,b,\n1,1,0,1\n1,0,1,\n"),
    ] {
        says(rule, "x.csv", text, why);
    }
    // Separators at the end of each line are no column.
    says(
        "instant-runoff",
        "x.csv",
        "rank1,rank2,\na,b,\nb,a,\na,,\n",
        "3 counted, 0 spoiled",
    );
    let columns = ["rank1", "rank2"];
    let rows = [&columns[..], &["a", "b", "c"], &["b", "a", "c"]];
    let sheet = shown(
        "instant-runoff",
        &election(&["a", "b", "c"]),
        vec![("x.xlsx", book(&rows))],
    );
    assert!(sheet.contains(why), "{sheet}");
}

fn book(rows: &[&[&str]]) -> Vec<u8> {
    let cell = |text: &&str| match *text {
        "" => String::from("<c/>"),
        text => format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>"),
    };
    let rows = rows.iter().map(|row| {
        let cells: String = row.iter().map(cell).collect();
        format!("<row>{cells}</row>")
    });
    let rows: String = rows.collect();
    sheet(&rows, "")
}

fn sheet(rows: &str, below: &str) -> Vec<u8> {
    let head = "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">";
    xlsx(&[(
        "S",
        &format!("{head}<sheetData>{rows}</sheetData>{below}</worksheet>"),
    )])
}

#[test]
fn numbers_that_start_nowhere() {
    let why = "no ballot has a rank 1";
    for text in [
        "a,b,c\n5,4,3\n5,3,4\n4,5,3\n",
        "id,a,b,c\n1,2,3,\n2,3,2,\n",
        "id,a,b,c\n1,3rd choice,2nd choice,\n2,2nd choice,,3rd choice\n",
    ] {
        for rule in ["schulze", "instant-runoff", "borda"] {
            says(rule, "x.csv", text, why);
        }
    }
    says(
        "schulze",
        "x.csv",
        "a,b,c\n2,3,\n2,1,3\n",
        "2 counted, 0 spoiled",
    );
    says(
        "schulze",
        "x.csv",
        "a,b,c\n,,\n,,\n1,,\n",
        "3 counted, 0 spoiled",
    );
}

#[test]
fn columns_beside_those_of_the_contest() {
    let mayor = "Mayor Choice 1,Mayor Choice 2";
    for (head, cell) in [
        ("Mayor Choice Three,Council Choice 1", "Mayor Choice Three"),
        ("Mayr Choice 3,Council Choice 1", "Mayr Choice 3"),
        ("Mayor (third),Council Choice 1", "Mayor (third)"),
        ("Council Choice 2,Clerk Choice 1", "Council Choice 2"),
    ] {
        let text = format!("{mayor},{head}\na,b,c,a\nb,a,c,a\n");
        let why = format!("{cell:?} may be a column of");
        says("instant-runoff", "x.csv", &text, &why);
    }
    let text = format!("{mayor},Council Choice 1,Sheriff\na,b,x,y\nb,a,x,y\n");
    says("instant-runoff", "x.csv", &text, "2 counted, 0 spoiled");
}

#[test]
fn several_columns_of_ids() {
    let why = "the ballot 7 stands twice";
    for text in [
        "id,ballot id,choice\n1,7,a\n2,7,a\n3,8,b\n",
        "cvr number,imprinted id,choice\n7,x,a\n7,y,a\n8,z,b\n",
        "response id,precinct,unique id,choice\n1,p,7,a\n2,p,7,b\n",
    ] {
        says("plurality", "x.csv", text, why);
    }
}

#[test]
fn a_name_that_several_names_make() {
    let options = json!({ "options": [
        {"id": "1", "title": "Lee, Ann"}, {"id": "2", "title": "Lee"}, {"id": "3", "title": "Ann"}] });
    let counted = |text: &str| summary("approval", &options, "x.csv", text, Spoiled::Refuse);
    let why = "is the name of one option, and the names of several";
    for text in [
        "choices\n\"Lee, Ann\"\nLee\n",
        "vote\nlee ,ANN\nLee\n",
        "ballot\nLee\n\"Lee, Ann\"\n",
    ] {
        let text = text
            .replace("lee ,ANN", "\"lee , ann\"")
            .replace("lee , ann", "lee, ANN");
        let found = counted(&text);
        assert!(found.contains(why), "{text}: {found}");
    }
    assert!(counted("choices\nLee\nAnn\n").contains("2 counted"));
    // Forms of Microsoft end every set with its separator.
    says(
        "approval",
        "x.csv",
        "choices\na;b;\nb;\n",
        "\"a\" 1, \"b\" 2, \"c\" 0",
    );
}

#[test]
fn what_stands_below_the_end_of_the_ballots() {
    let names = "\"a\"\n\"b\"\n\"c\"\n\"T\"\n";
    let numbered = election(&["1", "2"]);
    for (options, file, text, why) in [
        (
            &numbered,
            "x.blt",
            "2 1\n1 1 2 0\n0\n3 2 1 0\n3 2 1 0\n".to_owned(),
            "which may be a ballot",
        ),
        (
            &numbered,
            "x.blt",
            "2 1\n1 1 2 0\n0\n3 2 0\n".to_owned(),
            "which may be a ballot",
        ),
        (
            &election(&["a", "b", "c"]),
            "x.blt",
            format!("3 1\n1 1 2 0\n0\n9 2 0\n{names}"),
            "which may be a ballot",
        ),
    ] {
        let found = summary("instant-runoff", options, file, &text, Spoiled::Refuse);
        assert!(found.contains(why), "{text}: {found}");
    }
    let ward =
        "3,1,\n3,1,2,\n2,2,\nCandidate 1,a,P (P),\nCandidate 2,b,P (P),\nCandidate 3,c,P (P),\n";
    let why = "expected no ballots below the candidates";
    for below in [
        "10,2,\n\"Ward\"\n",
        "\"Ward\"\n10,2,\n",
        "\"Ward\",,\n\n10,2,1\n",
    ] {
        says("instant-runoff", "x.csv", &format!("{ward}{below}"), why);
    }
    says(
        "instant-runoff",
        "x.csv",
        &format!("{ward}\"Ward 7, North\"\n"),
        "5 counted, 0 spoiled",
    );
    // Two documents of XML in one file.
    let report = "<CastVoteRecordReport><CVR/></CastVoteRecordReport>";
    for below in [
        report,
        "<CastVoteRecordReport/>",
        "<!-- next -->\n<Other></Other>",
    ] {
        let text = format!("{report}{below}");
        says("plurality", "x.xml", &text, "a second document starts here");
    }
}

#[test]
fn a_ballot_that_stands_twice_in_blt() {
    let file = |ballots: &str| format!("3 1\n{ballots}0\n\"a\"\n\"b\"\n\"c\"\n\"T\"\n");
    let why = "the ballot x stands twice";
    for ballots in [
        "(x) 1 1 2 0\n(x) 1 1 2 0\n",
        "(x) 1 1 0\n(y) 1 2 0\n( x ) 1 3 0\n",
        "(x) 2 1 0\n1 2 0\n(x) 1 - 1 0\n",
    ] {
        says("instant-runoff", "x.blt", &file(ballots), why);
    }
}

#[test]
fn scores_for_a_rule_of_marks() {
    let why = "scores do not say whom a voter marked";
    for text in [
        "3: a/5, b/0\n2: b/5, a/0\n",
        "3: a/1\n",
        "2: a/5 > b/0\n1: c\n",
    ] {
        says("approval", "x.abif", text, why);
        says("plurality", "x.abif", text, why);
    }
    says("approval", "x.abif", "3: a, b\n2: b\n", "\"a\" 3, \"b\" 5");
}

/// The format has no remarks: a line that starts with `#` is a vote like any other.
#[test]
fn signs_of_remarks_where_there_are_none() {
    let file = "META\nkey;value\nvote_type;approval\nPROJECTS\nproject_id;cost;name\na;5;A\n#b;5;B\nVOTES\n\
                voter_id;vote\n1;a\n#2;a,#b\n3;#b\n";
    let options =
        json!({"options": ["a", "#b"], "params": {"budget": 5, "costs": {"a": 5, "#b": 5}}});
    for rule in ["approval", "budgeting"] {
        let options = match rule {
            "approval" => json!({"options": ["a", "#b"]}),
            _ => options.clone(),
        };
        let found = summary(rule, &options, "x.pb", file, Spoiled::Refuse);
        assert!(found.contains("\"a\" 2, \"#b\" 2"), "{found}");
    }
}

#[test]
fn what_a_spreadsheet_shows_and_does_not_hold() {
    let text = |place: &str, text: &str| {
        format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
    };
    let row = |number: u64, more: &str, cells: &[String]| {
        format!("<row r=\"{number}\"{more}>{}</row>", cells.concat())
    };
    let head = row(1, "", &[text("A1", "rank1"), text("B1", "rank2")]);
    let last = row(3, "", &[text("A3", "b"), text("B3", "a")]);
    let with = |more: &str, first: &str, below: &str| {
        let middle = row(2, more, &[first.to_owned(), text("B2", "c")]);
        let book = sheet(&format!("{head}{middle}{last}"), below);
        shown(
            "plurality",
            &election(&["a", "b", "c"]),
            vec![("x.xlsx", book)],
        )
    };
    for formula in [
        "<f>Z1</f>",
        "<f>Z1</f><v></v>",
        "<f t=\"shared\" si=\"0\"/>",
        "<f>Z1</f><v/>",
    ] {
        let found = with("", &format!("<c r=\"A2\">{formula}</c>"), "");
        assert!(
            found.contains("the cell A2 has a formula and no stored result"),
            "{formula}: {found}"
        );
    }
    let found = with("", "<c r=\"A2\" t=\"str\"><f>Z1</f><v>a</v></c>", "");
    assert_eq!(found, "a 1, b 1, c 0; 2 counted, 0 spoiled");
    let found = with("", "<c r=\"A2\" t=\"str\"><f>Z1</f><v></v></c>", "");
    assert_eq!(found, "a 0, b 1, c 1; 2 counted, 0 spoiled");
    let merged = "<mergeCells count=\"1\"><mergeCell ref=\"A2:A3\"/></mergeCells>";
    let found = with("", &text("A2", "a"), merged);
    assert!(found.contains("the cells A2:A3 are merged"), "{found}");
    for hidden in [" hidden=\"1\"", " ht=\"0\" hidden=\"true\""] {
        let found = with(hidden, &text("A2", "a"), "");
        assert!(found.contains("the row 2 is hidden"), "{found}");
    }
    // A row with nothing in it is a spacer, or a blank ballot.
    let spaced = sheet(&format!("{head}{}{}", row(2, "", &[]), last), "");
    let found = shown(
        "instant-runoff",
        &election(&["a", "b", "c"]),
        vec![("x.xlsx", spaced)],
    );
    assert!(
        found.contains("x.xlsx:2: expected cells, found an empty line"),
        "{found}"
    );
}

#[test]
fn the_contest_that_was_asked_for_and_no_other() {
    let count = |file: &str, asked: &str| {
        let election = json!({"options": ["Yes", "No"]}).to_string();
        let election = Election::from_text(&election, "e.json", Some(asked)).unwrap();
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let rule = load_rule(&runtime, "instant-runoff").unwrap();
        let ballots = BallotFile::from_bytes(Path::new("x.csv"), file.into(), None).unwrap();
        let counted = tabella_election_files::count(
            &rule,
            &election,
            &ballots,
            &TieBreak::Report,
            Spoiled::Refuse,
        );
        counted.map_or_else(|error| error.to_string(), |_| "counted".to_owned())
    };
    for (head, contest) in [
        ("Measure B Choice 1,Measure B Choice 2", "measure b"),
        ("1st choice Measure B,2nd choice Measure B", "measure b"),
        ("Measure B [Yes],Measure B [No]", "Measure B"),
    ] {
        let rows = match head.contains('[') {
            true => "1,2\n2,1\n",
            false => "Yes,No\nNo,Yes\n",
        };
        let file = format!("{head}\n{rows}");
        let found = count(&file, "Measure A");
        let why = format!("the columns of the file are of {contest:?}");
        assert!(found.contains(&why), "{head}: {found}");
        assert_eq!(count(&file, "MEASURE B"), "counted", "{head}");
    }
    assert_eq!(count("rank1,rank2\nYes,No\n", "Measure A"), "counted");
}
