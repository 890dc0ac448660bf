//! Further elections of public record in other formats; `data/published/README.md` names the sources.

use std::path::Path;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, count, load_rule};
use tabella_runtime::{Runtime, RuntimeConfig};

/// The answer, with options by the names that the file has for them.
struct Answer {
    answer: Value,
    names: Vec<String>,
}

fn counted(rule: &str, file: &str, names: &[&str], params: Value) -> Answer {
    let option = |(number, title): (usize, &&str)| match file.ends_with(".pb") {
        // Projects are options by their ids.
        true => json!({"id": title}),
        false => json!({"id": format!("c{number}"), "title": title}),
    };
    let options: Vec<Value> = names.iter().enumerate().map(option).collect();
    let election = json!({"options": options, "params": params}).to_string();
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, rule).unwrap();
    let election = Election::from_text(&election, "e.json", None).unwrap();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/published");
    let ballots = BallotFile::read(&data.join(file), None).unwrap();
    // No tie is left to a lot in any of them.
    let counted = count(
        &rule,
        &election,
        &ballots,
        &TieBreak::Report,
        Spoiled::Refuse,
    )
    .unwrap();
    let answer = counted.to_json();
    assert_eq!(answer["ties"], json!([]));
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Answer { answer, names }
}

impl Answer {
    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        match id
            .strip_prefix('c')
            .and_then(|number| number.parse::<usize>().ok())
        {
            Some(number) => &self.names[number],
            None => id,
        }
    }

    fn winners(&self) -> String {
        let winners = self.answer["winners"].as_array().unwrap().iter();
        let names: Vec<&str> = winners.map(|id| self.name(id.as_str().unwrap())).collect();
        names.join(", ")
    }

    fn rounds(&self) -> usize {
        self.answer["rounds"].as_array().unwrap().len()
    }

    /// The votes in a round, from 1, by a candidate's last name, to one decimal place.
    fn votes(&self, round: usize, of: &str) -> String {
        let totals = self.answer["rounds"][round - 1]["totals"]
            .as_object()
            .unwrap();
        let mut found = totals.iter().filter(|(id, _)| self.name(id).ends_with(of));
        let (Some((_, votes)), None) = (found.next(), found.next()) else {
            return "none".into();
        };
        let votes: f64 = votes.as_str().unwrap().parse().unwrap();
        format!("{votes:.1}").trim_end_matches(".0").to_owned()
    }

    /// The votes of the first rounds in which a candidate takes part.
    #[track_caller]
    fn has_votes(&self, of: &str, published: &[&str]) {
        let rounds = 1..=published.len();
        let found: Vec<String> = rounds.map(|round| self.votes(round, of)).collect();
        assert_eq!(found, published, "{of}");
    }

    fn by_option(&self) -> Vec<u64> {
        let options = self.answer["options"].as_array().unwrap().iter();
        options
            .map(|option| option["votes"].as_u64().unwrap())
            .collect()
    }
}

const KISS: &str = "Bob Kiss";

/// PrefLib.
#[test]
fn the_mayor_of_burlington_2006() {
    let names = [
        "Louie The Cowman Beaudin",
        "Kevin J. Curley",
        KISS,
        "Hinda Miller",
        "Loyal Ploof",
        "Write-Ins",
    ];
    let file = "burlington-mayor-2006.toi";
    let answer = counted(
        "instant-runoff",
        file,
        &names,
        json!({"batch_elimination": true}),
    );
    assert_eq!((answer.winners().as_str(), answer.rounds()), (KISS, 2));
    answer.has_votes("Kiss", &["3809", "4761"]);
    answer.has_votes("Miller", &["3106", "3986"]);
    answer.has_votes("Curley", &["2609"]);
    answer.has_votes("Beaudin", &["119"]);
    answer.has_votes("Ploof", &["57"]);
}

/// ABIF.
#[test]
fn the_mayor_of_burlington_2009() {
    let names = [
        "Bob Kiss (Progressive)",
        "Andy Montroll (Democrat)",
        "James Simpson (Green)",
        "Dan Smith (Independent)",
        "Kurt Wright (Republican)",
        "Write-in",
    ];
    let answer = counted(
        "instant-runoff",
        "burlington-mayor-2009.abif",
        &names,
        json!({"batch_elimination": true}),
    );
    assert_eq!(answer.winners(), "Bob Kiss (Progressive)");
    answer.has_votes("(Progressive)", &["2585", "2981", "4313"]);
    answer.has_votes("(Republican)", &["2951", "3294", "4061"]);
    answer.has_votes("(Democrat)", &["2063", "2554", "none"]);
    answer.has_votes("(Independent)", &["1306", "none"]);
    answer.has_votes("(Green)", &["35"]);
}

fn scottish() -> Value {
    json!({"law": "scotland"})
}

/// BLT.
#[test]
fn the_by_election_in_wick_2021() {
    let names = [
        "Michael James CAMERON",
        "Harry CHRISTIAN",
        "Bill FERNIE",
        "Daniel ROSS",
        "Jill TILT",
    ];
    let answer = counted("stv", "wick-2021.blt", &names, scottish());
    assert_eq!(answer.answer["quota"], 1206);
    assert_eq!(answer.winners(), "Jill TILT");
    answer.has_votes("TILT", &["657", "660", "848", "986", "1501"]);
    answer.has_votes("FERNIE", &["622", "627", "780", "963", "none"]);
    answer.has_votes("CAMERON", &["593", "593", "606", "none"]);
    answer.has_votes("ROSS", &["523", "525", "none"]);
    answer.has_votes("CHRISTIAN", &["16", "none"]);
}

/// BLT.
#[test]
fn the_by_election_in_torry_ferryhill_2019() {
    let names = [
        "Roy HILL",
        "Betty LYON",
        "Gregor MCABERY",
        "Simon Paul MCLEAN",
        "Neil MURRAY",
        "Audrey NICOLL",
        "Willie YOUNG",
    ];
    let answer = counted("stv", "torry-ferryhill-2019.blt", &names, scottish());
    assert_eq!(answer.answer["quota"], 1872);
    assert_eq!(
        (answer.winners().as_str(), answer.rounds()),
        ("Audrey NICOLL", 6)
    );
    for (name, first) in [
        ("NICOLL", "1618"),
        ("MURRAY", "972"),
        ("YOUNG", "395"),
        ("MCABERY", "315"),
        ("LYON", "304"),
        ("MCLEAN", "86"),
        ("HILL", "53"),
    ] {
        answer.has_votes(name, &[first]);
    }
    assert_eq!(
        (
            answer.votes(6, "NICOLL").as_str(),
            answer.votes(6, "MURRAY").as_str()
        ),
        ("1989", "1151")
    );
}

/// BLT.
#[test]
fn the_by_election_in_leith_walk_2019() {
    let names = [
        "Steven ALEXANDER",
        "Jack CALDWELL",
        "Paul Mitchell STIRLING",
        "Nick GARDNER",
        "Kevin ILLINGWORTH",
        "David Don JACOBSEN",
        "Tom LAIRD",
        "Dan MCCROSKRIE",
        "Rob MUNN",
        "John Ferguson SCOTT",
        "Lorna SLATER",
    ];
    let answer = counted("stv", "leith-walk-2019.blt", &names, scottish());
    assert_eq!(
        (answer.winners().as_str(), answer.rounds()),
        ("Rob MUNN", 11)
    );
    for (name, first) in [
        ("MUNN", "2596"),
        ("SLATER", "1855"),
        ("GARDNER", "1123"),
        ("MCCROSKRIE", "777"),
        ("CALDWELL", "623"),
        ("ILLINGWORTH", "110"),
        ("ALEXANDER", "85"),
        ("JACOBSEN", "56"),
        ("SCOTT", "16"),
        ("STIRLING", "14"),
        ("LAIRD", "12"),
    ] {
        answer.has_votes(name, &[first]);
    }
    // As it was reported, 256 votes separated the two before the last stage.
    assert_eq!(
        (
            answer.votes(10, "MUNN").as_str(),
            answer.votes(10, "SLATER").as_str()
        ),
        ("3021", "2765")
    );
}

/// scot-elex.
#[test]
fn wick_and_east_caithness_2022() {
    let names = [
        "Raymond Bremner",
        "Bill Fernie",
        "Andrew Jarvie",
        "Neil Macdonald",
        "A.I. Willie Mackay",
        "Jan Mcewan",
    ];
    let answer = counted("stv", "wick-2022.scot-elex.csv", &names, scottish());
    assert_eq!(answer.answer["quota"], 837);
    assert_eq!(
        answer.winners(),
        "Jan Mcewan, Raymond Bremner, A.I. Willie Mackay, Andrew Jarvie"
    );
    answer.has_votes("Mcewan", &["1245"]);
    answer.has_votes("Bremner", &["1059"]);
    answer.has_votes("Jarvie", &["632", "700.2", "705.2", "755.3", "873.4"]);
    answer.has_votes("Mackay", &["534", "635.6", "699.9", "801.9", "1125.4"]);
    answer.has_votes("Fernie", &["438", "518.9", "571.1", "669.3", "none"]);
    answer.has_votes("Macdonald", &["272", "347.7", "385", "none"]);
}

/// scot-elex.
#[test]
fn steornabhagh_a_tuath_2022() {
    let names = [
        "Tracey Dinner",
        "Iain Maclean Macaulay",
        "Malcolm Kenneth Macdonald",
        "Duncan Macinnes",
        "Calum Barney Mackay",
        "John Murdo Macmillan",
        "Maxi Macneill",
        "Willie Macrae",
        "Malcolm Ivor Mctaggart",
        "Gordon Murray",
    ];
    let answer = counted(
        "stv",
        "steornabhagh-a-tuath-2022.scot-elex.csv",
        &names,
        scottish(),
    );
    assert_eq!(answer.answer["quota"], 271);
    assert_eq!(
        answer.winners(),
        "Gordon Murray, Duncan Macinnes, Iain Maclean Macaulay, Malcolm Kenneth Macdonald"
    );
}

/// pabulib, with the projects that the city funded.
#[test]
fn the_budget_of_miedzylesie_2019() {
    let ids = [
        "310", "609", "305", "304", "312", "492", "316", "2365", "2331", "1105",
    ];
    // Budget and costs are the file's, unless the election has its own.
    let answer = counted("budgeting", "miedzylesie-2019.pb", &ids, json!({}));
    assert_eq!(
        answer.by_option(),
        [224, 201, 193, 185, 180, 175, 156, 135, 108, 68]
    );
    assert_eq!(answer.winners(), "310, 609, 305, 304, 492, 316, 2365");
}

/// pabulib.
#[test]
fn the_budget_of_konczyce_2020() {
    let params = json!({"budget": 100_000});
    let answer = counted("budgeting", "konczyce-2020.pb", &["P0064", "P0065"], params);
    assert_eq!(answer.by_option(), [49, 35]);
    assert_eq!(answer.winners(), "P0064", "the election has another budget");
    let answer = counted(
        "budgeting",
        "konczyce-2020.pb",
        &["P0064", "P0065"],
        json!({}),
    );
    assert_eq!(answer.winners(), "P0064, P0065");
}

/// pabulib.
#[test]
fn the_approvals_of_dieppe_2018() {
    let ids = [
        "780", "792", "786", "791", "783", "784", "781", "787", "785", "779", "777", "788", "778",
        "782", "789", "790",
    ];
    let answer = counted("approval", "dieppe-2018.pb", &ids, json!({}));
    assert_eq!(
        answer.by_option(),
        [
            195, 148, 139, 115, 113, 106, 79, 78, 70, 68, 62, 59, 53, 53, 48, 33
        ]
    );
}
