//! Files of people who run elections, which were once counted wrong without a word. Each is counted as
//! its maker meant it, or refused; beside each kind stand variants of it.

use std::path::{Path, PathBuf};

use expect_test::expect;
use serde_json::{Value, json};
use tabella_election_files::{
    BallotFile, CountError, Counted, Election, Spoiled, count, load_rule, read_tie_break,
};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::summary;

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(file)
}

struct Run<'a> {
    rule: &'a str,
    ballots: &'a str,
    columns: Option<&'a str>,
    contest: Option<&'a str>,
    spoiled: Spoiled,
    tie_break: &'a str,
}

fn run(rule: &str, ballots: &str) -> String {
    shown(&Run {
        rule,
        ballots,
        columns: None,
        contest: None,
        spoiled: Spoiled::Refuse,
        tie_break: "report",
    })
}

fn counted(run: &Run<'_>) -> Result<Counted, CountError> {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, run.rule).unwrap();
    let (name, _) = run.ballots.split_once('.').unwrap();
    let stated = data(&format!("{name}.election.json"));
    let stated = match stated.exists() {
        true => stated,
        false => data("cdf.election.json"),
    };
    let election = Election::read(&stated, run.contest).unwrap();
    let bytes = std::fs::read(data(run.ballots)).unwrap();
    let mut ballots = BallotFile::from_bytes(Path::new(run.ballots), bytes, None)?;
    if let Some(columns) = run.columns {
        ballots = ballots.with_columns(columns.parse().unwrap()).unwrap();
    }
    let tie_break = read_tie_break(run.tie_break).unwrap();
    count(&rule, &election, &ballots, &tie_break, run.spoiled)
}

fn shown(run: &Run<'_>) -> String {
    match counted(run) {
        Ok(counted) => brief(&counted),
        Err(CountError::Spoiled { problems, .. } | CountError::Undecided { problems, .. }) => {
            let lines = problems.iter().map(|problem| problem.to_line() + "\n");
            format!("refused\n{}", lines.collect::<String>())
        }
        Err(error) => format!("{error}\n"),
    }
}

fn brief(counted: &Counted) -> String {
    let answer = counted.to_json();
    let options = answer["options"].as_array().unwrap().iter();
    let votes = options.map(|option| format!("{} {}", option["id"], option["votes"]));
    format!(
        "{}; winners {}\n{}\n",
        votes.collect::<Vec<_>>().join(", "),
        answer["winners"],
        counted.report.to_line()
    )
}

#[test]
fn two_options_of_one_name() {
    expect![[r#"
        "s1" 2, "s2" 3, "k" 4; winners ["k"]
        read 9 ballots: 0 blank, 0 spoiled; 0 overvotes, 0 undervotes, 0 skipped ranks, 0 repeated options, 0 write-ins
    "#]]
    .assert_eq(&run("plurality", "same-name.cvr.json"));
    expect![[r#"
        same-name.csv:2: two options are called "John Smith"; name them by their ids, s1 and s2
    "#]]
    .assert_eq(&run("plurality", "same-name.csv"));
    // Also where the names differ in case only, in ranks, in heads, and in BLT.
    let election = json!({ "options": [
        {"id": "s1", "title": "John Smith"}, {"id": "s2", "title": "JOHN SMITH"}, {"id": "k", "title": "Kay"}] });
    let counted =
        |file: &str, text: &str| summary("instant-runoff", &election, file, text, Spoiled::Count);
    let refused = "two options are called \"John Smith\"; name them by their ids, s1 and s2\n";
    for (text, line) in [
        ("rank1,rank2\nKay,\nKay,John Smith\n", 3),
        ("ranking\nKay > John Smith\n", 2),
        ("count,John Smith,Kay\n1,1,2\n", 1),
    ] {
        assert_eq!(
            counted("x.csv", text),
            format!("x.csv:{line}: {refused}"),
            "{text}"
        );
    }
    let text = "3 1\n1 1 0\n0\n\"John Smith\"\n\"JOHN SMITH\"\n\"Kay\"\n";
    assert!(counted("x.blt", text).starts_with("x.blt:4: 2 options are called"));
    assert!(counted("x.csv", "choice\ns2\ns2\nk\n").contains("\"s2\" 2"));
}

#[test]
fn numbers_that_are_options() {
    let refused = expect![[r#"
        numbered-options.csv:1: "2,1" may be a number of ballots and a ballot, or a ballot whose first choice is an option; say which with --columns count,... or --columns ..., or write a head such as `count,rank1,rank2` or `rank1,rank2` above
    "#]];
    refused.assert_eq(&run("instant-runoff", "numbered-options.csv"));
    let said = |columns| {
        shown(&Run {
            rule: "instant-runoff",
            ballots: "numbered-options.csv",
            columns: Some(columns),
            contest: None,
            spoiled: Spoiled::Refuse,
            tie_break: "report",
        })
    };
    assert!(said("count,...").starts_with("\"1\" 6, \"2\" 1, \"3\" 0, \"4\" 0; winners [\"1\"]"));
    assert!(said("...").starts_with("\"1\" 1, \"2\" 3, \"3\" 0, \"4\" 0; winners [\"2\"]"));
    assert!(said("count,rank1").starts_with("\"1\" 6, \"2\" 1"));
    assert!(said("rank1,rank2").starts_with("\"1\" 1, \"2\" 3"));
    // Some counts are options and some are not.
    let election = json!({ "options": ["1", "2", "3"] });
    let counted = |text: &str| summary("instant-runoff", &election, "x.csv", text, Spoiled::Count);
    assert!(counted("9,1,2\n3,2\n1,3\n").contains("may be a number of ballots"));
    // A line of one cell has no place for a count; a head says what is meant.
    assert!(counted("1\n1\n2\n").starts_with("\"1\" 2, \"2\" 1"));
    assert!(counted("count,rank1\n9,1\n3,2\n").starts_with("\"1\" 9, \"2\" 3"));
}

#[test]
fn skipped_ranks() {
    let expected = expect![[r#"
        "a" 9, "b" 8, "c" 0, "d" 0; winners ["a"]
        read 19 ballots: 0 blank, 0 spoiled; 0 overvotes, 0 undervotes, 4 skipped ranks, 0 repeated options, 0 write-ins
    "#]];
    expected.assert_eq(&run("instant-runoff", "skipped-ranks.csv"));
    // The same marks in other formats, and what the parameter says of them.
    let texts = [
        (
            "x.csv",
            "rank1,rank2,rank3,count\na,,,9\nb,,,8\nskipped,undervote,b,2\n",
        ),
        ("x.csv", "count,a,b,c,d\n9,1,,,\n8,,1,,\n2,,3,,\n"),
        ("x.csv", "count,ranking\n9,a\n8,b\n2,- > - > b\n"),
        (
            "x.blt",
            "4 1\n9 1 0\n8 2 0\n2 - - 2 0\n0\n\"a\"\n\"b\"\n\"c\"\n\"d\"\n",
        ),
        (
            "x.jsonl",
            "{\"ranking\": [\"a\"], \"weight\": 9}\n{\"ranking\": [\"b\"], \"weight\": 8}\n\
             {\"ranking\": [[], [], \"b\"], \"weight\": 2}\n",
        ),
    ];
    for (file, text) in texts {
        for (skipped_ranks, votes) in [(1, "\"a\" 9, \"b\" 8"), (2, "\"a\" 9, \"b\" 10")] {
            let election = json!({
                "options": ["a", "b", "c", "d"],
                "params": {"until": "two", "skipped_ranks": skipped_ranks},
            });
            let found = summary("instant-runoff", &election, file, text, Spoiled::Refuse);
            assert!(found.starts_with(votes), "{skipped_ranks} {text}: {found}");
        }
        // Each law by its name, and rules that do not look at skipped ranks.
        for (law, votes) in [
            ("maine", "\"a\" 9, \"b\" 8"),
            ("alaska", "\"a\" 9, \"b\" 8"),
            ("minneapolis", "\"a\" 9, \"b\" 10"),
            ("san-francisco", "\"a\" 9, \"b\" 10"),
        ] {
            let election = json!({ "options": ["a", "b", "c", "d"], "params": {"law": law} });
            let found = summary("instant-runoff", &election, file, text, Spoiled::Refuse);
            assert!(found.starts_with(votes), "{law} {text}: {found}");
        }
        let election = json!({ "options": ["a", "b", "c", "d"] });
        if file != "x.jsonl" {
            let found = summary("schulze", &election, file, text, Spoiled::Refuse);
            assert!(found.contains("winners [\"b\"]"), "{text}: {found}");
        }
    }
}

#[test]
fn an_overvoted_option_that_stands_alone_below() {
    let expected = expect![[r#"
        "a" 6, "b" 5, "c" 0, "d" 0; winners ["a"]
        read 11 ballots: 0 blank, 0 spoiled; 6 overvotes, 0 undervotes, 0 skipped ranks, 6 repeated options, 0 write-ins
    "#]];
    expected.assert_eq(&run("instant-runoff", "overvote-then-alone.csv"));
    let text = "{\"ranking\": [\"b\"], \"weight\": 5}\n{\"ranking\": [[\"a\", \"c\"], \"a\"], \"weight\": 6}\n";
    let votes = |overvote: &str| {
        let election = json!({ "options": ["a", "b", "c", "d"], "params": {"overvote": overvote} });
        summary(
            "instant-runoff",
            &election,
            "x.jsonl",
            text,
            Spoiled::Refuse,
        )
    };
    assert!(votes("skip").starts_with("\"a\" 6, \"b\" 5"));
    assert!(votes("exhaust").starts_with("\"a\" 0, \"b\" 5"));
    // The word that exports have for such a rank.
    let text = "rank1,rank2\nb,\nOvervote,a\nOVERVOTE,a\n";
    let election = json!({ "options": ["a", "b", "c"], "params": {"overvote": "skip"} });
    let found = summary("instant-runoff", &election, "x.csv", text, Spoiled::Refuse);
    assert!(found.starts_with("\"a\" 2, \"b\" 1"), "{found}");
}

#[test]
fn a_repeated_option() {
    let text = "rank1,rank2,rank3,count\na,,,4\nb,,,4\nc,c,b,3\n";
    for (repeated, votes) in [
        ("skip", "\"a\" 4, \"b\" 7"),
        ("exhaust", "\"a\" 4, \"b\" 4"),
    ] {
        let election = json!({
            "options": ["a", "b", "c"], "params": {"repeated": repeated, "until": "two"},
        });
        let found = summary("instant-runoff", &election, "x.csv", text, Spoiled::Refuse);
        assert!(found.starts_with(votes), "{repeated}: {found}");
    }
}

#[test]
fn zero_is_no_rank() {
    expect![[r#"
        zero-means-unranked.csv:2: ranks start at 1, found 0 for bo; leave the cell blank where an option is not ranked
    "#]]
    .assert_eq(&run("schulze", "zero-means-unranked.csv"));
    assert!(run("instant-runoff", "zero-means-unranked.csv").contains("ranks start at 1"));
    let election = json!({ "options": ["a", "b"] });
    let counted = |text: &str| summary("borda", &election, "x.csv", text, Spoiled::Count);
    assert_eq!(
        counted("rank0,rank1\na,b\n"),
        "x.csv:1: ranks start at 1, found a column for rank 0\n"
    );
    assert_eq!(
        counted("rank1,rank1\na,b\n"),
        "x.csv:1: the head has two columns for rank 1\n"
    );
    assert_eq!(
        counted("rank1,rank3\na,b\n"),
        "x.csv:1: the head has a column for rank 3 and none for rank 2\n"
    );
    let report = r#"{"CVR": [{"CVRSnapshot": [{"CVRContest": [{"ContestId": "m", "CVRContestSelection":
        [{"ContestSelectionId": "a", "Rank": 0, "SelectionPosition": [{"HasIndication": "yes"}]}]}]}]}]}"#;
    let found = summary("borda", &election, "x.json", report, Spoiled::Count);
    assert!(found.contains("ranks start at 1, found 0"), "{found}");
}

#[test]
fn empty_lines_of_one_column_are_blank_ballots() {
    expect![[r#"
        "yes" 3, "no" 0; winners ["yes"]
        read 5 ballots: 2 blank, 0 spoiled; 0 overvotes, 2 undervotes, 0 skipped ranks, 0 repeated options, 0 write-ins
    "#]]
    .assert_eq(&run("referendum", "blank-lines.csv"));
    let election = json!({ "options": ["a", "b"] });
    let counted = |text: &str| summary("plurality", &election, "x.csv", text, Spoiled::Count);
    assert!(counted("a\n\nb\n").contains("; 3 counted, 0 spoiled"));
    assert!(counted("choice\r\na\r\n\r\nb\r\n").contains("; 3 counted, 0 spoiled"));
    // In a table of several columns an empty line is no ballot, and not passed over before the end.
    assert!(counted("count,choice\n1,a\n\n1,b\n").contains("2 counted, 1 spoiled\nx.csv:3: "));
    assert!(counted("count,choice\n1,a\n1,b\n\n\n").contains("; 2 counted, 0 spoiled"));
    assert!(counted("\na\nb\n").contains("an empty line stands before the first ballot"));
}

#[test]
fn a_head_of_options_in_any_order() {
    for rule in ["plurality", "approval", "referendum"] {
        let found = run(rule, "head-in-another-order.csv");
        assert!(
            found.starts_with("\"yes\" 0, \"no\" 3; winners [\"no\"]"),
            "{rule}: {found}"
        );
    }
    let election = json!({ "options": ["a", "b", "c"] });
    let counted = |text: &str| summary("instant-runoff", &election, "x.csv", text, Spoiled::Count);
    assert!(counted("c,b,a\n1,,2\n1,2,3\n").starts_with("\"a\" 0, \"b\" 0, \"c\" 2"));
    assert!(
        counted("b,a\n1,\n1,2\n").starts_with("\"a\" 0, \"b\" 2"),
        "some of the options"
    );
    assert!(
        counted("c,b,a\n").contains("may be a head of options"),
        "nothing below tells"
    );
    assert!(counted("c,b,a\n1,2,3\na,b\n").contains("may be a head of options"));
}

#[test]
fn several_write_ins_of_one_ballot() {
    expect![[r#"
        "a" 2, "b" 1, "c" 1, "write-in" 5; winners ["write-in"]
        read 3 ballots: 0 blank, 0 spoiled; 0 overvotes, 0 undervotes, 0 skipped ranks, 0 repeated options, 5 write-ins
    "#]]
    .assert_eq(&run("plurality", "several-write-ins.cvr.json"));
    // Where the election has no option for them, they never spoil the other marks.
    let text = std::fs::read_to_string(data("several-write-ins.cvr.json")).unwrap();
    let options = json!([
        {"id": "a", "title": "Ada"}, {"id": "b", "title": "Bo"}, {"id": "c", "title": "Cy"}
    ]);
    let counted = |most: u64| {
        let election = json!({ "options": options, "params": {"max_choices": most} });
        summary("plurality", &election, "x.json", &text, Spoiled::Count)
    };
    assert!(counted(3).starts_with("\"a\" 2, \"b\" 1, \"c\" 1; winners [\"a\"]; 3 counted"));
    assert!(
        counted(2).contains("at most 2 allowed"),
        "three marks are too many"
    );
    let election = json!({ "options": ["a", "b"] });
    let csv = "rank1,rank2\nWrite-in,a\nUWI,a\nb,write in\n";
    let found = summary("instant-runoff", &election, "x.csv", csv, Spoiled::Refuse);
    assert!(found.starts_with("\"a\" 2, \"b\" 1"), "{found}");
}

#[test]
fn statuses_that_say_whether_a_contest_counts() {
    expect![[r#"
        "a" 0, "b" 1; winners ["b"]
        read 2 ballots: 0 blank, 1 spoiled; 0 overvotes, 0 undervotes, 0 skipped ranks, 0 repeated options, 0 write-ins
    "#]]
    .assert_eq(&run("plurality", "invalidated.cvr.json"));
    let text = std::fs::read_to_string(data("invalidated.cvr.json")).unwrap();
    let election: Value =
        serde_json::from_str(&std::fs::read_to_string(data("cdf.election.json")).unwrap()).unwrap();
    let with = |status: &str| {
        let text = text.replace("invalidated-rules", status);
        summary("plurality", &election, "x.json", &text, Spoiled::Count)
    };
    assert!(with("overvoted").starts_with("\"a\" 1, \"b\" 1"));
    let refused = with("needs-adjudication");
    assert!(
        refused.starts_with("ballots that somebody has to decide about"),
        "{refused}"
    );
    assert!(with("other").starts_with("ballots that somebody has to decide about"));
}

#[test]
fn two_contests_of_one_name() {
    let asked = |contest| {
        shown(&Run {
            rule: "plurality",
            ballots: "two-contests-one-name.cvr.json",
            columns: None,
            contest: Some(contest),
            spoiled: Spoiled::Refuse,
            tie_break: "report",
        })
    };
    expect![[r#"
        two-contests-one-name.cvr.json:1: several contests of the file are called "Mayor"; choose one by its id with --contest: c (Mayor), c2 (Mayor)
    "#]]
    .assert_eq(&asked("Mayor"));
    assert!(asked("c").starts_with("\"a\" 1, \"b\" 0"));
    assert!(asked("MAYOR").contains("choose one by its id with --contest: c (Mayor), c2 (Mayor)"));
}

#[test]
fn records_of_one_ballot() {
    let found = run("plurality", "one-record-per-rank.cvr.json");
    assert!(
        found.starts_with("\"a\" 1, \"b\" 1; winners [\"a\",\"b\"]\nread 2 ballots"),
        "{found}"
    );
    assert!(run("instant-runoff", "one-record-per-rank.cvr.json").contains("read 2 ballots"));
    // A record that repeats another is refused, not counted twice.
    let text = std::fs::read_to_string(data("one-record-per-rank.cvr.json")).unwrap();
    let election: Value =
        serde_json::from_str(&std::fs::read_to_string(data("cdf.election.json")).unwrap()).unwrap();
    for text in [
        text.replace("\"Rank\": 2", "\"Rank\": 1"),
        text.replace(", \"Rank\": 1", "")
            .replace(", \"Rank\": 2", ""),
        text.replace("BallotPrePrintedId", "UniqueId")
            .replace("\"Rank\": 2", "\"Rank\": 1"),
    ] {
        let found = summary("plurality", &election, "x.json", &text, Spoiled::Count);
        assert!(
            found.contains("records hold the contest for the ballot"),
            "{found}"
        );
    }
}

#[test]
fn a_tie_that_a_lot_decides_is_called_one() {
    let run = Run {
        rule: "instant-runoff",
        ballots: "final-tie.csv",
        columns: None,
        contest: None,
        spoiled: Spoiled::Refuse,
        tie_break: "seed:07",
    };
    let explanation = counted(&run).unwrap().to_json()["explanation"].clone();
    let explanation = explanation.as_str().unwrap();
    assert!(
        explanation.contains("After round 2 A and B tied for the fewest votes;"),
        "{explanation}"
    );
    assert!(
        explanation.contains("left, decided by lot."),
        "{explanation}"
    );
}

#[test]
fn names_with_spaces_and_other_signs() {
    expect![[r#"
        space-after-title.blt:8: the candidate "Cy Fa" is neither id nor title of an option
    "#]]
    .assert_eq(&run("plurality", "space-after-title.blt"));
    let text = std::fs::read_to_string(data("space-after-title.blt")).unwrap();
    let counted = |options: Value, text: &str| {
        let election = json!({ "options": options });
        summary("plurality", &election, "x.blt", text, Spoiled::Count)
    };
    let expected = "\"o0\" 5, \"o1\" 4, \"o2\" 3; winners [\"o0\"]";
    for (first, third) in [
        ("Ann Lee ", "Cy Fa"),
        ("Ann\u{a0}Lee", "Cy  Fa"),
        ("\u{feff}ann lee", "CY FA"),
    ] {
        let options = json!([
            {"id": "o0", "title": first}, {"id": "o1", "title": "Bo Ek"}, {"id": "o2", "title": third}
        ]);
        assert!(counted(options, &text).starts_with(expected), "{first:?}");
    }
    let options = json!([
        {"id": "o0", "title": "Ann Lee"}, {"id": "o1", "title": "Bo Ek"},
        {"id": "o2", "title": "Cyril Fa", "aliases": ["Cy Fa"]}
    ]);
    assert!(counted(options, &text).starts_with(expected), "an alias");
    let options = json!([
        {"id": "o0", "title": "Anne Lee"}, {"id": "o1", "title": "Bo Ek"}, {"id": "o2", "title": "Cy Fa"}
    ]);
    assert!(
        counted(options, &text).contains("\"Ann Lee \" is neither id nor title of an option; the")
    );
}

#[test]
fn files_that_are_no_ballots() {
    let election = json!({ "options": ["a", "b"] });
    let known = "expected one of the formats json, jsonl, csv, xlsx, blt, cvr, cvr-xml, dominion, hart, clear-ballot, preflib, scot-elex, pabulib, abif: choose one with --format";
    for (file, text) in [
        ("x.xml", "<?xml version=\"1.0\"?><Report/>"),
        ("x.txt", "a\nb\n"),
        ("x", "Lettuce\n"),
        ("x.csv", "<html></html>"),
        ("x.csv", "{\"ballots\": []}"),
        ("x", "PK"),
    ] {
        let found = summary("plurality", &election, file, text, Spoiled::Count);
        assert!(found.contains(known), "{file}: {found}");
    }
}

#[test]
fn counts_that_nobody_should_believe() {
    let run = |text: &str| {
        let election = json!({ "options": ["a", "b"] });
        let counted = crate::counted("plurality", &election, "x.csv", text, Spoiled::Count);
        counted.unwrap().doubt().map(|doubt| doubt.to_string())
    };
    assert_eq!(run("choice\na\nb\nx\ny\n"), None, "half of it");
    assert_eq!(
        run("choice\na\nx\ny\n").unwrap(),
        "2 ballots are spoiled and 1 are counted: more than 50% spoiled is no count; is it the right \
         file and --format?"
    );
    let nothing = "no ballot was counted: expected ballots of this contest, found";
    assert_eq!(
        run("choice\nx\n").unwrap(),
        format!("{nothing} 1 spoiled ones")
    );
    assert_eq!(
        run("choice\n").unwrap(),
        format!("{nothing} 0 spoiled ones")
    );
}
