//! Elections of public record come out as they were published; `data/published/README.md` names the sources.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, Counted, Election, Format, Spoiled, convert, count, load_rule,
};
use tabella_runtime::{Plugin, Runtime, RuntimeConfig};

fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/published")
        .join(file)
}

struct Held {
    rule: Plugin,
    election: Election,
    ballots: BallotFile,
}

impl Held {
    fn new(rule: &str, file: &str, candidates: &[&str], params: Value) -> Self {
        let option =
            |(number, title): (usize, &&str)| json!({"id": format!("c{number}"), "title": title});
        let mut options: Vec<Value> = candidates.iter().enumerate().map(option).collect();
        options.push(json!({"id": "write-in", "title": "UWI"}));
        let election = json!({ "options": options, "params": params }).to_string();
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        Self {
            rule: load_rule(&runtime, rule).unwrap(),
            election: Election::from_text(&election, "e.json", None).unwrap(),
            ballots: BallotFile::read(&data(file), None).unwrap(),
        }
    }

    fn count(&self, ballots: &BallotFile) -> Counted {
        let order = TieBreak::Report;
        count(&self.rule, &self.election, ballots, &order, Spoiled::Refuse).unwrap()
    }

    /// The rounds: votes by surname, the most first.
    fn rounds(&self, candidates: &[&str]) -> Vec<Vec<(String, String)>> {
        let answer = self.count(&self.ballots).to_json();
        let name = |id: &str| match id.strip_prefix('c').and_then(|n| n.parse::<usize>().ok()) {
            Some(number) => candidates[number].to_owned(),
            None => "UWI".to_owned(),
        };
        let votes = |text: &Value| text.as_str().unwrap().parse::<f64>().unwrap();
        let round = |round: &Value| {
            let totals = round["totals"].as_object().unwrap();
            let mut totals: Vec<(&String, &Value)> = totals.iter().collect();
            totals.sort_by(|a, b| votes(b.1).total_cmp(&votes(a.1)));
            let totals = totals.into_iter();
            let shown =
                |(id, votes): (&String, &Value)| (name(id), votes.as_str().unwrap().to_owned());
            totals.map(shown).collect()
        };
        let rounds = answer["rounds"].as_array().unwrap();
        rounds.iter().map(round).collect()
    }

    /// Written in that format, the ballots count the same.
    fn counts_the_same_as(&self, format: &str) {
        let to = Format::from_name(format).unwrap();
        let files = std::slice::from_ref(&self.ballots);
        let converted = convert(&self.rule, &self.election, files, to, Spoiled::Refuse);
        let text = converted.unwrap().0.into_bytes();
        let written = BallotFile::from_bytes(Path::new("converted"), text, Some(to)).unwrap();
        let outcome = |ballots| self.count(ballots).tally.outcome;
        assert_eq!(outcome(&written), outcome(&self.ballots), "{format}");
    }
}

fn first(round: &[(String, String)], most: usize) -> String {
    let shown = round
        .iter()
        .take(most)
        .map(|(name, votes)| format!("{name} {votes}"));
    shown.collect::<Vec<_>>().join(", ")
}

const MAYOR_2013: [&str; 35] = [
    "TROY BENJEGERDES",
    "TONY LANE",
    "STEPHANIE WOODRUFF",
    "RAHN V. WORKCUFF",
    "OLE SAVIOR",
    "NEAL BAXTER",
    "MIKE GOULD",
    "MERRILL ANDERSON",
    "MARK V ANDERSON",
    "MARK ANDREW",
    "KURTIS W. HANNA",
    "JOSHUA REA",
    "JOHN LESLIE HARTWIG",
    "JOHN CHARLES WILSON",
    "JEFFREY ALAN WAGNER",
    "JAYMIE KELLY",
    "JAMES EVERETT",
    "JAMES JIMMY L. STROUD, JR.",
    "JACKIE CHERRYHOMES",
    "GREGG A. IVERSON",
    "EDMUND BERNARD BRUYERE",
    "DOUG MANN",
    "DON SAMUELS",
    "DAN COHEN",
    "CYD GORMAN",
    "CHRISTOPHER ROBIN ZIMMERMAN",
    "CHRISTOPHER CLARK",
    "CAPTAIN JACK SPARROW",
    "CAM WINTON",
    "BOB FINE",
    "BOB AGAIN CARNEY JR",
    "BILL KAHN",
    "BETSY HODGES",
    "ALICIA K. BENNETT",
    "ABDUL M RAHAMAN THE ROCK",
];

/// The city took out one candidate a round; the law lets those who cannot win leave together.
#[test]
fn the_mayor_of_minneapolis_2013() {
    let params =
        json!({"law": "minneapolis", "undeclared": ["write-in"], "batch_elimination": false});
    let file = "minneapolis-mayor-2013.csv.zip";
    let held = Held::new("instant-runoff", file, &MAYOR_2013, params);
    let rounds = held.rounds(&MAYOR_2013);
    assert_eq!(
        first(&rounds[0], 4),
        "BETSY HODGES 28962, MARK ANDREW 19648, DON SAMUELS 8350, CAM WINTON 7533"
    );
    let count = rounds.len();
    assert_eq!(
        first(&rounds[count - 3], 4),
        "BETSY HODGES 32581, MARK ANDREW 21831, DON SAMUELS 10301, CAM WINTON 8969"
    );
    assert_eq!(
        first(&rounds[count - 1], 2),
        "BETSY HODGES 38870, MARK ANDREW 24972"
    );
    held.counts_the_same_as("jsonl");
}

const MAYOR_2017: [&str; 18] = [
    "Jacob Frey",
    "Tom Hoch",
    "Betsy Hodges",
    "Raymond Dehn",
    "Nekima Levy-Pounds",
    "Charlie Gers",
    "Aswar Rahman",
    "Al Flowers",
    "L.A. Nik",
    "David Rosenfeld",
    "Captain Jack Sparrow",
    "Gregg A. Iverson",
    "Ronald Lischeid",
    "David John Wilson",
    "Troy Benjegerdes",
    "Ian Simpson",
    "Christopher Zimmerman",
    "Theron Preston Washington",
];

#[test]
fn the_mayor_of_minneapolis_2017() {
    let params = json!({"law": "minneapolis", "undeclared": ["write-in"]});
    let file = "minneapolis-mayor-2017.csv.zip";
    let held = Held::new("instant-runoff", file, &MAYOR_2017, params);
    let rounds = held.rounds(&MAYOR_2017);
    assert_eq!(rounds.len(), 6);
    assert_eq!(first(&rounds[5], 2), "Jacob Frey 46716, Raymond Dehn 34971");
    held.counts_the_same_as("csv");
}

const PARK_BOARD: [&str; 10] = [
    "ANNIE YOUNG",
    "CASPER HILL",
    "HASHIM YONIS",
    "ISHMAEL ISRAEL",
    "JASON STONE",
    "JOHN ERWIN",
    "MARY LYNN MCPHERSON",
    "MEG FORNEY",
    "STEVE BARLAND",
    "TOM NORDYKE",
];

/// Section 167.70 of the city's code, with several winners.
#[test]
fn the_park_board_of_minneapolis_2013() {
    let params = json!({"seats": 3, "law": "minneapolis"});
    let held = Held::new(
        "stv",
        "minneapolis-park-board-2013.csv.zip",
        &PARK_BOARD,
        params,
    );
    let answer = held.count(&held.ballots).to_json();
    assert_eq!(answer["quota"], 14866);
    assert_eq!(answer["winners"], json!(["c5", "c0", "c7"]));
    let rounds = held.rounds(&PARK_BOARD);
    assert_eq!(
        first(&rounds[0], 4),
        "JOHN ERWIN 14678.0000, ANNIE YOUNG 9294.0000, MEG FORNEY 7856.0000, TOM NORDYKE 6511.0000"
    );
    assert_eq!(
        first(&rounds[8], 3),
        "ANNIE YOUNG 15044.0000, JOHN ERWIN 14866.0000, MEG FORNEY 12245.0000"
    );
    held.counts_the_same_as("csv");
}
