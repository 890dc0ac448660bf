//! Tables as offices and programs export them: heads of their own, words for marks, their own columns.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_election_files::Spoiled;

use crate::summary;

/// Problems in a file of one line are told apart by their record, and by their ballot's id.
#[test]
fn problems_are_located_by_record() {
    let election = json!({ "options": ["a", "b"] });
    let text = r#"[{"choice": "a"},{"choice": "x"},{"choice": "b"},{"choice": "y"}]"#;
    let counted = crate::counted("plurality", &election, "x.json", text, Spoiled::Count).unwrap();
    let records: Vec<_> = counted
        .problems
        .iter()
        .map(|p| (p.line, p.record))
        .collect();
    assert_eq!(records, [(1, 2), (1, 4)]);
    let text = "Ballot ID,Precinct,Timestamp,Email,1st choice,2nd choice\n\
                7-1,P,2024-01-01,a@example.org,a,b\n7-2,P,2024-01-01,b@example.org,x,b\n";
    let counted = crate::counted("borda", &election, "x.csv", text, Spoiled::Count).unwrap();
    let expected = "x.csv:3: \"x\" is not an option of this contest (record 2, ballot 7-2)";
    assert_eq!(counted.problems[0].to_line(), expected);
}

#[test]
fn exports_with_several_contests() {
    let election = |contest: &str| json!({ "id": contest, "options": ["Ann", "Bea", "Cyd"] });
    let text = "Cast Vote Record,Precinct,Ballot Style,DEM Mayor Choice 1 of 2 (01),DEM Mayor Choice 2 of 2 (01),\
                DEM Council Choice 1 of 2 (02),DEM Council Choice 2 of 2 (02)\n\
                1,P1,S,Ann,Bea,Dot,undervote\n2,P1,S,overvote,Bea,undervote,undervote\n3,P2,S,undervote,Cyd,Eve,Dot\n";
    let counted = |contest: &str| {
        summary(
            "instant-runoff",
            &election(contest),
            "x.csv",
            text,
            Spoiled::Count,
        )
    };
    let found = counted("DEM Mayor (01)");
    assert!(
        found.starts_with("\"Ann\" 1, \"Bea\" 0, \"Cyd\" 1"),
        "{found}"
    );
    assert_eq!(
        counted("sheriff"),
        "x.csv:1: the file has ranks for several contests: dem council, dem mayor; choose one \
         with --contest\n"
    );
}

fn check_preflib(text: &str, expected: Expect) {
    let election = json!({ "options": [{"id": "a", "title": "Ann"}, "b", "c"] });
    let found = summary("instant-runoff", &election, "x.toi", text, Spoiled::Count);
    expected.assert_eq(&found);
}

#[test]
fn preflib() {
    let head = "# FILE NAME: x.toi\n# NUMBER ALTERNATIVES: 3\n# ALTERNATIVE NAME 1: c\n\
                # ALTERNATIVE NAME 2: Ann\n# ALTERNATIVE NAME 3: b\n";
    check_preflib(
        &format!("{head}3: 2,1\n2: 3,{{1,2}}\n1: {{1}},2\n"),
        expect![[r#"
            "a" 4, "b" 2, "c" 1; winners ["a"]; 6 counted, 0 spoiled
        "#]],
    );
    check_preflib(
        &format!("{head}1: 4\nx: 1\n1: {{1,2\n1: 1 2\n1: 1\n"),
        expect![[r#"
            "a" 0, "b" 0, "c" 1; winners ["c"]; 1 counted, 4 spoiled
            x.toi:6: expected the number of an alternative, found "4"
            x.toi:7: expected a number of ballots, found "x"
            x.toi:8: expected `}` at the end of a shared rank
            x.toi:9: expected the number of an alternative, found "1 2"
        "#]],
    );
    check_preflib(
        "# ALTERNATIVE NAME 1: zz\n1: 1\n",
        expect![[r#"
            x.toi:1: the alternative "zz" is neither id nor title of an option
        "#]],
    );
}

/// A ward as scot-elex keeps it; the count in front is never taken for a choice.
#[test]
fn scottish_wards() {
    let ward = "3,1,\n6,1,\n2,2,1,\n1,3,,2,\nCandidate 1,Ann,Party (P),\n\"Candidate 2\",\"Bea\",\"Party\"\n\
                Candidate 3,Cyd,,\nA Ward,,,\n";
    let election = json!({ "options": ["Cyd", "Ann", "Bea"] });
    let counted = |rule: &str, text: &str| summary(rule, &election, "x.csv", text, Spoiled::Count);
    let expected = "\"Cyd\" 1, \"Ann\" 6, \"Bea\" 2; winners [\"Ann\"]; 9 counted, 0 spoiled";
    assert!(counted("instant-runoff", ward).starts_with(expected));
    assert!(
        counted("stv", ward).contains("winners [\"Ann\"]"),
        "the seats are the file's"
    );
    let found = counted("stv", &ward.replace("2,2,1,", "2,9,1,"));
    assert!(
        found.contains("x.csv:3: expected a candidate from 1 to 3, found \"9\""),
        "{found}"
    );
    let found = counted("stv", &ward.replace("Cyd,,", "Dot,,"));
    assert!(found.contains("\"Dot\" is neither id nor title"), "{found}");
    for name in [
        "\"\"Ward 4 - Carse, Kinnaird\"\"",
        "\"\"\"\"Ward 2\"\" \"",
        "A \"ward",
    ] {
        let found = counted("instant-runoff", &ward.replace("A Ward,,,", name));
        assert!(found.starts_with(expected), "{name}: {found}");
    }
    let found = counted("stv", &ward.replace("A Ward,,,", "Candidate 4,Dot,,"));
    assert!(found.contains("expected 3 candidates, found 4"), "{found}");
    let found = counted("stv", &ward.replace("Candidate 3", "Candidate 4"));
    assert!(found.contains("expected candidate 3"), "{found}");
}

/// A number behind each rank is the column's, as in Portland and New York; behind a contest that is
/// there twice it tells which.
#[test]
fn numbers_behind_ranks() {
    let election = |contest: &str| json!({ "id": contest, "options": ["Ann", "Bea"] });
    let counted = |contest: &str, text: &str| {
        summary(
            "instant-runoff",
            &election(contest),
            "x.csv",
            text,
            Spoiled::Count,
        )
    };
    let expected = "\"Ann\" 2, \"Bea\" 0; winners [\"Ann\"]; 2 counted, 0 spoiled\n";
    for head in [
        "Cast Vote Record,Precinct,For Mayor Choice 1 (45),For Mayor Choice 2 (50)",
        "Cast Vote Record,Precinct,DEM Mayor Choice 1 of 2 Citywide (026916),DEM Mayor Choice 2 of 2 Citywide (226916)",
        "Ballot #,Precinct,Choice 1 of 2 (7),Choice 2 of 2 (8)",
    ] {
        let text = format!("{head}\n1,P,Ann,Bea\n2,P,undervote,Ann\n");
        for contest in ["Mayor", "For Mayor", "dem mayor citywide"] {
            assert_eq!(counted(contest, &text), expected, "{head}");
        }
    }
    let two = "Ward 1 Choice 1 (3),Ward 1 Choice 2 (4),Ward 2 Choice 1 (5),Ward 2 Choice 2 (6)\n\
               Ann,Bea,undervote,undervote\n,Ann,Bea,Bea\n";
    assert_eq!(counted("ward 1", two), expected);
    assert!(counted("Ward 2", two).starts_with("\"Ann\" 0, \"Bea\" 1"));
    let districts = "Council District 1,Council District 2\n";
    let districts = districts.replace("Council", "Choice 1 of 1 Council") + "Ann,Bea\n";
    assert!(counted("Council District 2", &districts).starts_with("\"Ann\" 0, \"Bea\" 1"));
    assert!(counted("Council", &districts).contains("ranks for several contests"));
}

/// A record that stands twice, as where an export was appended to itself, is not counted twice.
#[test]
fn records_that_repeat_another() {
    let election = json!({"options": ["Ann", "Bea"]});
    let counted = |text: &str| summary("plurality", &election, "x.csv", text, Spoiled::Count);
    let text = "Cast Vote Record,Precinct,choice\n7,P,Ann\n8,P,Bea\n7,P,Ann\n";
    let found = counted(text);
    assert!(
        found.contains("x.csv:4: the ballot 7 stands twice, and a ballot counts once"),
        "{found}"
    );
    assert!(
        counted(&text.replace("\n7,P,Ann\n8", "\n6,P,Ann\n8")).starts_with("\"Ann\" 2, \"Bea\" 1")
    );
    // Numbers that start again in every batch are no such ids.
    let found = counted(&text.replace("Cast Vote Record", "Record number"));
    assert!(found.starts_with("\"Ann\" 2, \"Bea\" 1"), "{found}");
    let budget = "META\nkey;value\nvote_type;approval\nPROJECTS\nproject_id;cost\nAnn;1\nBea;2\nVOTES\nvoter_id;vote\n1;Ann\n1;Bea\n";
    let found = summary("approval", &election, "x.pb", budget, Spoiled::Count);
    assert!(
        found.contains("x.pb:11: the voter 1 stands twice"),
        "{found}"
    );
}

/// `a|b` in a cell are two marks at that rank.
#[test]
fn cells_with_several_marks() {
    let text = "rank1,rank2\na|c,a\na|c,a\nb,\n";
    for (overvote, votes) in [
        ("skip", "\"a\" 2, \"b\" 1"),
        ("exhaust", "\"a\" 0, \"b\" 1"),
    ] {
        let election =
            json!({"options": ["a", "b", "c"], "params": {"overvote": overvote, "until": "two"}});
        let found = summary("instant-runoff", &election, "x.csv", text, Spoiled::Refuse);
        assert!(found.starts_with(votes), "{overvote}: {found}");
    }
    let election = json!({"options": ["a|c", "b"]});
    let found = summary(
        "instant-runoff",
        &election,
        "x.csv",
        "rank1\na|c\nb\na|c\n",
        Spoiled::Refuse,
    );
    assert!(
        found.starts_with("\"a|c\" 2, \"b\" 1"),
        "a name comes before marks: {found}"
    );
    let election = json!({"options": ["a", "b"]});
    let found = summary(
        "instant-runoff",
        &election,
        "x.csv",
        "rank1\na|x\nb\nb\n",
        Spoiled::Count,
    );
    assert!(found.contains("\"x\" is not an option"), "{found}");
}

#[test]
fn answers_of_forms() {
    let election = json!({"options": ["Lettuce", "Leek"]});
    let counted = |text: &str| summary("instant-runoff", &election, "x.csv", text, Spoiled::Count);
    let expected = "\"Lettuce\" 1, \"Leek\" 2";
    let text = "Response ID,precinct_id,Lettuce,Leek\nR_1,p,2,1\nR_2,p,1,\nR_3,p,,1\n";
    assert!(counted(text).starts_with(expected), "{}", counted(text));
    let text = "StartDate,IPAddress,Submission ID,[1st choice],[2nd choice]\n\
                1,::1,7,Leek,Lettuce\n2,::1,8,Lettuce,\n3,::1,9,Leek,\n";
    assert!(counted(text).starts_with(expected), "{}", counted(text));
    // A grid has the question in every head, and the option behind it.
    let text =
        "Timestamp,Rank them [Lettuce],Rank them [Leek]\n1,2,1\n2,1st choice,\n3,,First choice\n";
    assert!(counted(text).starts_with(expected), "{}", counted(text));
    let two =
        "Rank them [Lettuce],Rank them [Leek],Best soup [Leek],Best soup [Lettuce]\n1,2,1,2\n";
    assert!(
        counted(two).contains("grids for several questions: Rank them, Best soup"),
        "{}",
        counted(two)
    );
    let election = json!({"id": "best soup", "options": ["Lettuce", "Leek"]});
    let found = summary("instant-runoff", &election, "x.csv", two, Spoiled::Count);
    assert!(found.starts_with("\"Lettuce\" 0, \"Leek\" 1"), "{found}");
    let unknown = text.replace("[Leek]", "[Lentil]");
    assert!(
        counted(&unknown).contains("found \"Rank them [Lentil]\""),
        "{}",
        counted(&unknown)
    );
    // A column without a name holds ids here, and ranks there.
    let text = ",Lettuce,Leek\nR_1,2,1\nR_2,1,\nR_3,1,2\n";
    let found = counted(text);
    assert!(
        found.contains("x.csv:1: the first line may be a head whose first column has no name"),
        "{found}"
    );
    assert!(counted(&format!("id{text}")).starts_with("\"Lettuce\" 2, \"Leek\" 1"));
    // Here the first voter skipped a rank.
    let ballots = ",Lettuce,Leek\nLeek,Lettuce,\nLeek,,\n";
    assert!(
        counted(ballots).starts_with("\"Lettuce\" 1, \"Leek\" 2"),
        "{}",
        counted(ballots)
    );
}

const CLEAR: &str = "\"RowNumber\",\"BoxID\",\"BoxPosition\",\"BallotID\",\"PrecinctID\",\"Status\",\"Remade\",\
    \"Choice_6_1:City, Auditor:1:Vote For 1:Ann Lee:NON\",\"Choice_6_1:City, Auditor:2:Vote For 1:Ann Lee:NON\",\
    \"Choice_7_1:City, Auditor:1:Vote For 1:Bo Ek:NON\",\"Choice_7_1:City, Auditor:2:Vote For 1:Bo Ek:NON\",\
    \"Choice_8_1:City, Auditor:1:Vote For 1:Write-in-8:NON\",\"Choice_8_1:City, Auditor:2:Vote For 1:Write-in-8:NON\",\
    \"Choice_1_1:Measure: one:Vote For 1:Yes:\",\"Choice_2_1:Measure: one:Vote For 1:No:\"\n";

fn clear(rule: &str, contest: Option<&str>, options: &[&str], rows: &str) -> String {
    let election = json!({ "id": contest, "options": options });
    summary(
        rule,
        &election,
        "x.csv",
        &format!("{CLEAR}{rows}"),
        Spoiled::Count,
    )
}

#[test]
fn clear_ballots_table() {
    let rows = "1,\"B\",1,\"B+1\",3,0,0,1,0,0,1,0,0,1,0\n2,\"B\",2,\"B+2\",3,-1,1,0,0,0,0,1,0,0,1\n\
                3,\"B\",3,\"B+3\",3,0,0,0,1,0,0,0,0,0,1\n";
    let auditor =
        |rule: &str, rows: &str| clear(rule, Some("City, Auditor"), &["Ann Lee", "Bo Ek"], rows);
    let expected = "\"Ann Lee\" 2, \"Bo Ek\" 0; winners [\"Ann Lee\"]; 3 counted, 0 spoiled\n";
    assert_eq!(auditor("instant-runoff", rows), expected);
    let found = clear("referendum", Some("measure: one"), &["yes", "no"], rows);
    assert!(found.starts_with("\"yes\" 1, \"no\" 2"), "{found}");
    let with_write_in = clear(
        "plurality",
        Some("City, Auditor"),
        &["Ann Lee", "Bo Ek", "Write-in"],
        rows,
    );
    assert!(with_write_in.contains("\"Write-in\" 1"), "{with_write_in}");
    let found = clear("plurality", None, &["yes", "no"], rows);
    assert!(
        found.contains("--contest to name one of the file's: City, Auditor, Measure: one"),
        "{found}"
    );
    let found = clear("plurality", Some("Mayor"), &["yes", "no"], rows);
    assert!(
        found.contains("expected one contest named \"Mayor\""),
        "{found}"
    );
    let found = auditor("instant-runoff", &rows.replace("-1,1,", "-1,0,"));
    assert!(
        found.starts_with("ballots that somebody has to decide about"),
        "{found}"
    );
    let found = auditor("instant-runoff", &rows.replace("B+2", "B+1"));
    assert!(
        found.contains("x.csv:3: the ballot B+1 stands twice"),
        "{found}"
    );
    let found = auditor(
        "instant-runoff",
        &rows.replace("0,0,1,0,0,1", "0,0,2,0,0,1"),
    );
    assert!(
        found.contains("x.csv:2: expected 1 or 0 for \"Ann Lee\", found \"2\""),
        "{found}"
    );
    let found = clear(
        "instant-runoff",
        Some("City, Auditor"),
        &["Ann Lea", "Bo Ek"],
        rows,
    );
    assert!(
        found.contains("\"Ann Lee\" is not an option of this contest; the nearest is \"Ann Lea\""),
        "{found}"
    );
    let found = clear("score", Some("City, Auditor"), &["Ann Lee", "Bo Ek"], rows);
    assert!(
        found.contains("this file holds marks, not ballots of scores"),
        "{found}"
    );
}
