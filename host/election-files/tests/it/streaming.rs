//! Large files, which are read in pieces: they count as they do in memory, and their problems are told by the
//! same lines.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::json;
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, CountError, Election, Format, Spoiled, convert, convert_to, count_telling,
    load_rule,
};
use tabella_runtime::{Plugin, Runtime, RuntimeConfig};
use tempfile::TempDir;

static RULE: LazyLock<Plugin> = LazyLock::new(|| {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    load_rule(&runtime, "instant-runoff").unwrap()
});

fn election() -> Election {
    let options = json!([{"id": "a", "title": "Añn, \"A\""}, {"id": "b", "title": "Bo"}, "c"]);
    let text = json!({"id": "m", "options": options}).to_string();
    Election::from_text(&text, "e.json", None).unwrap()
}

/// Everything that is said of a count, or why there is none.
fn said(ballots: &[BallotFile]) -> String {
    let (tie_break, spoiled) = (TieBreak::Report, Spoiled::Count);
    let told = &mut |_| ();
    match count_telling(&RULE, &election(), ballots, &tie_break, spoiled, told) {
        Ok(counted) => counted.to_json().to_string(),
        Err(error) => error.to_string(),
    }
}

fn stored(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Reads a large file from the disk and from memory.
fn same(name: &str, text: &str) -> String {
    assert!(text.len() > 2 << 20, "{name} is large");
    let folder = TempDir::new().unwrap();
    let path = stored(&folder, name, text.as_bytes());
    let in_pieces = said(&[BallotFile::read(&path, None).unwrap()]);
    let whole = BallotFile::from_bytes(&path, text.as_bytes().to_vec(), None).unwrap();
    assert_eq!(in_pieces, said(&[whole]), "{name}");
    in_pieces.replace(&format!("{}/", folder.path().display()), "")
}

const LINES: usize = 120_000;

/// Lines of all kinds, of which some are in quotation marks and go over several lines of the file.
fn table(head: &str, end: &str) -> String {
    let mut text = head.to_owned();
    for number in 0..LINES {
        let ballot = match number % 5 {
            0 => "\"Añn, \"\"A\"\"\",Bo,",
            1 => "Bo,,c",
            2 => "\"c\",\"\",\"\"",
            3 => ",,",
            _ => "Bo,overvote,\"Añn, \"\"A\"\"\"",
        };
        let note = if number % 7 == 0 {
            "\"two\nlines ü\""
        } else {
            "é"
        };
        write!(text, "{number},{note},{ballot}{end}").unwrap();
        if number % 1_000 == 0 {
            write!(text, "# a remark{end}").unwrap();
        }
    }
    text
}

#[test]
fn tables() {
    let head = "id,ward,rank1,rank2,rank3\n";
    let found = same("x.csv", &table(head, "\n"));
    assert!(found.contains("\"counted\":120000,"), "{found}");
    assert_eq!(found, same("y.csv", &table(head, "\r\n")), "CRLF");
    assert_eq!(
        found,
        same("z.csv", &table(&format!("\u{feff}{head}"), "\n"))
    );
    // What is wrong is told by line and record, and what stands twice is found far away.
    let spoiled = same("x.csv", &(table(head, "\n") + "n,w,Bo,x,\n"));
    assert!(spoiled.contains("\"record\":120001"), "{spoiled}");
    let twice = same("x.csv", &(table(head, "\n") + "17,w,Bo,,\n"));
    assert!(twice.contains("the ballot 17 stands twice"), "{twice}");
    let open = same("x.csv", &(table(head, "\n") + "n,w,\"Bo,,\n"));
    assert!(open.contains("a quotation mark is opened here"), "{open}");
}

#[test]
fn tables_without_a_head() {
    let lines = |line: &str| line.repeat(LINES * 4);
    let found = same("x.csv", &lines("b,c\nc,b\n"));
    assert!(found.contains("\"counted\":960000,"), "{found}");
    let found = same("x.csv", &(lines("b\n\nc\n") + "a,b\n"));
    assert!(
        found.contains("expected cells, found an empty line"),
        "{found}"
    );
    let numbers: String = (1..LINES * 3)
        .map(|number| format!("{number},b\n"))
        .collect();
    let found = same("x.csv", &numbers);
    assert!(
        found.contains("may be how many ballots a line stands for"),
        "{found}"
    );
    let found = same("x.csv", &(numbers + "7,b\n"));
    assert!(found.contains("of which precinct or year it is"), "{found}");
    let found = same("x.csv", &format!("sep=;\n{}", lines("b;c\nc;b\n")));
    assert!(found.contains("\"counted\":960000,"), "{found}");
    let found = same("x.csv", &format!("b,c\n{}", lines("1,2\n2,1\n")));
    assert!(found.contains("\"counted\":960000,"), "{found}");
}

#[test]
fn ballots_of_other_formats() {
    let names = "0\n\"Añn, \\\"A\\\"\"\n\"Bo\"\n\"c\"\n\"T\"\n";
    let ballot = |number: usize| format!("(b-ü-{number}) 2 1 - 3=2 0 # é\r\n1 2 0\n");
    let ballots: String = (0..LINES).map(ballot).collect();
    let found = same("x.blt", &format!("3 1\n-3\n{ballots}{names}"));
    assert!(found.contains("\"counted\":360000,"), "{found}");
    let found = same("x.blt", &format!("3 1\n{ballots}x\n{names}"));
    assert!(found.contains("\"line\":240002"), "{found}");
    let found = same("x.blt", &format!("3 1\n{ballots}"));
    assert!(
        found.contains("the file ends before the line with only `0`"),
        "{found}"
    );
    let lines = "{\"ranking\": [\"a\", \"b\"]}\r\n\n{\"ranking\": [\"c\"], \"weight\": 2}\n";
    let found = same("x.jsonl", &(lines.repeat(LINES) + "{\"ranking\": [\"x\"]}"));
    assert!(found.contains("\"line\":360001"), "{found}");
    let mut clear = String::from(
        "RowNumber,BoxID,BallotID,Status,Remade,Choice_1_1:m:1:Vote For 1:Bo:X,Choice_2_1:m:1:Vote For 1:c:X\n",
    );
    for number in 0..LINES {
        writeln!(clear, "{number},box,box+{number},0,0,{},1", number % 2).unwrap();
    }
    let found = same("x.csv", &clear);
    assert!(found.contains("\"counted\":120000,"), "{found}");
}

/// A file's first passes and its last one have to find the same.
#[test]
fn a_file_that_changes() {
    let folder = TempDir::new().unwrap();
    let text = table("id,ward,rank1,rank2,rank3\n", "\n");
    let path = stored(&folder, "x.csv", text.as_bytes());
    let ballots = BallotFile::read(&path, None).unwrap();
    stored(&folder, "x.csv", (text + "n,w,c,,\n").as_bytes());
    let found = said(&[ballots]);
    assert!(
        found.contains("the file changed while it was read"),
        "{found}"
    );
}

#[test]
fn what_is_no_text() {
    let folder = TempDir::new().unwrap();
    let mut bytes = b"rank1,rank2\n".to_vec();
    bytes.extend(b"b,c\n".repeat(600_000));
    bytes.extend(b"b,\xff\n");
    let path = stored(&folder, "x.csv", &bytes);
    let found = said(&[BallotFile::read(&path, None).unwrap()]);
    assert!(found.contains("x.csv:600002: expected UTF-8"), "{found}");
    let long = "c".repeat(40 << 20);
    for (text, expected) in [
        // The quotation mark swallows everything below it: its line is told, and not the size of what it took.
        (
            format!("b,c\nc,b\nb,\"{}", "c\nb,".repeat(10 << 20)),
            "x.csv:4: a quotation mark is opened here and never closed",
        ),
        (
            format!("b,\"c\nb\",\"{long}"),
            "x.csv:3: a quotation mark is opened here and never closed",
        ),
        (format!("b,{long}"), "x.csv:2: a row has more than 16 MiB"),
    ] {
        let path = stored(&folder, "x.csv", format!("rank1,rank2\n{text}").as_bytes());
        let found = said(&[BallotFile::read(&path, None).unwrap()]);
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn the_same_ballots_twice() {
    let folder = TempDir::new().unwrap();
    let text = table("row,ward,rank1,rank2,rank3\n", "\n");
    let read = |name: &str, bytes: &[u8]| {
        BallotFile::read(&stored(&folder, name, bytes), Some(Format::Csv)).unwrap()
    };
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("x.csv", options).unwrap();
    archive.write_all(text.as_bytes()).unwrap();
    let archive = archive.finish().unwrap().into_inner();
    let one = read("x.csv", text.as_bytes());
    for (name, bytes) in [
        ("y.csv", text.clone().into_bytes()),
        ("z.csv", format!("\u{feff}{text}").into_bytes()),
        ("z.zip", archive),
    ] {
        let found = said(&[one.clone(), read(name, &bytes)]);
        assert!(found.contains("it holds the same as"), "{name}: {found}");
    }
}

#[test]
fn conversions_of_large_files() {
    let folder = TempDir::new().unwrap();
    let text = table("id,ward,rank1,rank2,rank3\n", "\n").replace("overvote", "");
    let path = stored(&folder, "x.csv", text.as_bytes());
    let ballots = BallotFile::read(&path, None).unwrap();
    let files = std::slice::from_ref(&ballots);
    let expected = said(files);
    let digest = |said: &str| said.split("\"outcome_sha256\":").nth(1).unwrap()[..66].to_owned();
    for to in ["csv", "blt", "jsonl", "json", "cvr"] {
        let format = Format::from_name(to).unwrap();
        let output = folder.path().join(format!("out-{to}"));
        let mut told = Vec::new();
        let tell = &mut |records| told.push(records);
        let refuse = Spoiled::Refuse;
        let converted = convert_to(&RULE, &election(), files, format, refuse, &output, tell);
        assert_eq!(converted.unwrap().ballots, LINES as u128, "{to}");
        assert_eq!(told, [100_000], "{to}");
        let (whole, _) = convert(&RULE, &election(), files, format, refuse).unwrap();
        assert_eq!(std::fs::read_to_string(&output).unwrap(), whole, "{to}");
        let again = BallotFile::read(&output, Some(format)).unwrap();
        assert_eq!(digest(&said(&[again])), digest(&expected), "{to}");
    }
    // What is spoiled far away refuses all of it.
    let path = stored(&folder, "y.csv", (text + "n,w,Bo,x,\n").as_bytes());
    let ballots = BallotFile::read(Path::new(&path), None).unwrap();
    let error = convert(&RULE, &election(), &[ballots], Format::Csv, Spoiled::Refuse).unwrap_err();
    let tabella_election_files::ConvertError::Count(CountError::Spoiled { count, problems }) =
        error
    else {
        panic!("{error}");
    };
    assert_eq!((count, problems.len(), problems[0].record), (1, 1, 120_001));
}
