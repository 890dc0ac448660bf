//! Exports of machines that say two things of one: whichever is right, none is counted without a word.

use serde_json::{Value, json};
use tabella_election_files::Spoiled;

use crate::{
    formats::{shown, zip},
    summary,
};

/// Options whose ids are numbers, as files have them too.
fn numbered() -> Value {
    json!({"id": "Mayor", "options": [{"id": "1", "title": "Ann"}, {"id": "2", "title": "Bo"}]})
}

fn named() -> Value {
    json!({"id": "Mayor", "options": ["Ann", "Bo"]})
}

fn mark(selection: &str) -> Value {
    json!({"ContestSelectionId": selection, "SelectionPosition": [{"HasIndication": "yes"}]})
}

fn record(selections: &[Value]) -> Value {
    json!({"CVRSnapshot": [{"CVRContest": [{"ContestId": "m", "CVRContestSelection": selections}]}]})
}

/// A report whose selections each have the id of a candidate, and its name.
fn report(selections: &[(&str, &[(&str, &str)])], records: &[Value]) -> Value {
    let all = selections
        .iter()
        .flat_map(|(_, candidates)| candidates.iter());
    let candidates: Vec<Value> = all
        .map(|(id, name)| json!({"@id": id, "Name": name}))
        .collect();
    let selections = selections.iter().map(|(id, candidates)| {
        let ids: Vec<&str> = candidates.iter().map(|(id, _)| *id).collect();
        json!({"@id": id, "CandidateIds": ids})
    });
    let selections: Vec<Value> = selections.collect();
    json!({
        "Version": "1.0.0",
        "Election": [{"Candidate": candidates,
            "Contest": [{"@id": "m", "Name": "Mayor", "ContestSelection": selections}]}],
        "CVR": records,
    })
}

fn counted(rule: &str, election: &Value, report: &Value) -> String {
    summary(
        rule,
        election,
        "x.json",
        &report.to_string(),
        Spoiled::Refuse,
    )
}

#[test]
fn candidates_that_are_one_option_by_id_and_another_by_name() {
    let why = "by one of its ids and names";
    let records = [
        record(&[mark("1")]),
        record(&[mark("1")]),
        record(&[mark("2")]),
    ];
    for selections in [
        // By the selection's id, by the candidate's, by two candidates on one ticket.
        [("1", &[("ka", "Bo")][..]), ("2", &[("kb", "Ann")][..])],
        [("x", &[("1", "Bo")][..]), ("y", &[("2", "Ann")][..])],
        [
            ("1", &[("ka", "Ann"), ("kb", "Bo")][..]),
            ("2", &[("kc", "Bo")][..]),
        ],
    ] {
        let found = counted("plurality", &numbered(), &report(&selections, &records));
        assert!(found.contains(why), "{selections:?}: {found}");
    }
    let selections = [("1", &[("ka", "Ann")][..]), ("2", &[("kb", "Bo")][..])];
    let found = counted("plurality", &numbered(), &report(&selections, &records));
    assert!(found.starts_with("\"1\" 2, \"2\" 1"), "{found}");
}

fn hart(options: &str, guid: &str) -> String {
    format!(
        "<Cvr><CvrGuid>{guid}</CvrGuid><Contests><Contest><Name>Mayor</Name><Id>m</Id><Options>{options}</Options>\
         </Contest></Contests></Cvr>"
    )
}

#[test]
fn options_of_hart_and_abif_that_are_two() {
    let option = |name: &str, id: &str, value: &str| {
        format!("<Option><Name>{name}</Name><Id>{id}</Id>{value}</Option>")
    };
    let one = hart(&option("Bo", "1", "<Value>1</Value>"), "1");
    let two = hart(&option("Ann", "2", "<Value>1</Value>"), "2");
    let files = zip(&[("1.xml", &one), ("2.xml", &two)]);
    let found = shown("plurality", &numbered(), vec![("x.zip", files)]);
    assert!(found.contains("by its id and"), "{found}");
    for value in ["", "<Value></Value>", "<Value/>"] {
        let text = hart(&option("Ann", "x", value), "1");
        let found = shown("plurality", &named(), vec![("1.xml", text.into_bytes())]);
        assert!(found.contains("has no Value"), "{value}: {found}");
    }
    for text in [
        "=1:[Bo]\n=2:[Ann]\n3: 1>2\n",
        "3: 1\n=1:[Bo]\n",
        "=2:\"Ann\"\n1: 2\n",
    ] {
        let found = summary(
            "instant-runoff",
            &numbered(),
            "x.abif",
            text,
            Spoiled::Refuse,
        );
        assert!(found.contains("by its short name and"), "{text}: {found}");
    }
}

#[test]
fn marks_that_contradict_themselves() {
    let selections = [("sa", &[("ka", "Ann")][..]), ("sb", &[("kb", "Bo")][..])];
    let with = |rule: &str, selection: Value| {
        let records = [record(&[selection]), record(&[mark("sb")])];
        counted(rule, &named(), &report(&selections, &records))
    };
    for mark in [
        json!({"HasIndication": "no", "IsAllocable": "yes", "NumberVotes": 1}),
        json!({"HasIndication": "no", "IsAllocable": "yes", "IsGenerated": "yes"}),
        json!({"HasIndication": "no", "IsAllocable": "yes", "Status": ["generated-rules"]}),
    ] {
        let found = with(
            "plurality",
            json!({"ContestSelectionId": "sa", "SelectionPosition": [mark]}),
        );
        assert!(
            found.contains("have to decide") || found.contains("somebody has to decide"),
            "{found}"
        );
    }
    for (of_selection, own) in [(1, 2), (2, 1), (1, 3)] {
        let mark = json!({"HasIndication": "yes", "Rank": own});
        let ranked =
            json!({"ContestSelectionId": "sa", "Rank": of_selection, "SelectionPosition": [mark]});
        let found = with("instant-runoff", ranked);
        assert!(
            found.contains(&format!(
                "has the rank {of_selection}, and its mark the rank {own}"
            )),
            "{found}"
        );
    }
}

#[test]
fn versions_that_are_not_known() {
    let selections = [("sa", &[("ka", "Ann")][..]), ("sb", &[("kb", "Bo")][..])];
    let records = [record(&[mark("sa")])];
    let mut report = report(&selections, &records);
    for version in ["2.0.0", "1.1", "0.9", ""] {
        report["Version"] = version.into();
        let found = counted("plurality", &named(), &report);
        assert!(
            found.contains("expected Cast Vote Records of version 1.0"),
            "{version}: {found}"
        );
        let xml = format!(
            "<CastVoteRecordReport><Version>{version}</Version><CVR/></CastVoteRecordReport>"
        );
        let found = shown("plurality", &named(), vec![("x.xml", xml.into_bytes())]);
        assert!(
            found.contains("expected Cast Vote Records of version 1.0"),
            "{version}: {found}"
        );
    }
    for version in ["1.0", "1.0.0", "1.0.1"] {
        report["Version"] = version.into();
        assert!(
            counted("plurality", &named(), &report).contains("1 counted"),
            "{version}"
        );
    }
}

#[test]
fn two_exports_of_dominion_in_one_archive() {
    let contests = json!({"List": [{"Id": 7, "Description": "Mayor"}]}).to_string();
    let candidates = |ann: u64, bo: u64| {
        let entry = |id: u64, name: &str| json!({"Id": id, "Description": name, "ContestId": 7});
        json!({"List": [entry(ann, "Ann"), entry(bo, "Bo")]}).to_string()
    };
    let sessions = |tabulator: u64, candidate: u64| {
        let mark = json!({"CandidateId": candidate, "Rank": 1, "IsVote": true});
        let cards = json!([{"Contests": [{"Id": 7, "Marks": [mark]}]}]);
        let original = json!({"IsCurrent": true, "Cards": cards});
        let session =
            json!({"TabulatorId": tabulator, "BatchId": 1, "RecordId": 1, "Original": original});
        json!({"Sessions": [session]}).to_string()
    };
    let (first, second) = (candidates(1, 2), candidates(2, 1));
    let (here, there) = (sessions(1, 1), sessions(2, 1));
    for (manifest, export) in [
        ("two/CandidateManifest.json", "two/CvrExport.json"),
        ("CandidateManifest.json", "CvrExport_2.json"),
        ("two/old/CandidateManifest.json", "two/old/CvrExport_2.json"),
    ] {
        let files = zip(&[
            ("one/ContestManifest.json", &contests),
            ("one/CandidateManifest.json", &first),
            ("one/CvrExport.json", &here),
            (manifest, &second),
            (export, &there),
        ]);
        let found = shown("plurality", &named(), vec![("x.zip", files)]);
        assert!(
            found.contains("they are two exports"),
            "{manifest}: {found}"
        );
    }
    // One number for two candidates of the contest.
    let files = zip(&[
        ("ContestManifest.json", &contests),
        ("CandidateManifest.json", &candidates(1, 1)),
        ("CvrExport.json", &here),
    ]);
    let found = shown("plurality", &named(), vec![("x.zip", files)]);
    assert!(
        found.contains("two candidates of the contest have the number 1"),
        "{found}"
    );
}

#[test]
fn names_with_colons_in_clear_ballots_heads() {
    let head = "RowNumber,BoxID,BoxPosition,BallotID,Status,Remade,Choice_1_1:Mayor:Vote For 1:Ann:NON,\
                Choice_2_1:Mayor:Vote For 1:Lee: Bo:NON,Choice_3_1:Mayor: North:1:Vote for 2:Cy: D:NON\n";
    let rows = "1,B,1,1,0,0,1,0,0\n2,B,2,2,0,0,0,1,0\n3,B,3,3,0,0,0,1,1\n";
    let text = format!("{head}{rows}");
    for (contest, options, expected) in [
        ("Mayor", ["Ann", "Lee: Bo"], "\"Ann\" 1, \"Lee: Bo\" 2"),
        ("mayor", ["ann", "LEE: BO"], "\"ann\" 1, \"LEE: BO\" 2"),
        ("Mayor: North", ["Cy: D", "x"], "\"Cy: D\" 1"),
    ] {
        let election = json!({"id": contest, "options": options});
        let found = summary("plurality", &election, "x.csv", &text, Spoiled::Refuse);
        assert!(found.contains(expected), "{contest}: {found}");
    }
}
