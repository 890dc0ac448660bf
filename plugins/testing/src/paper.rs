//! A contest on paper: options, parameters and ballots, as text.

use std::collections::HashMap;

use serde_json::Value;
use tabella_abi::ballot::{
    Approvals, BallotKind, Choices, Grades, MarkedRanking, Marks, Scores, Votes,
};
use tabella_abi::codec::Wire;
use tabella_abi::contest::{Configuration, ContestOption, ParamValue};

/// A contest of one kind of ballot.
#[derive(Clone, Debug)]
pub struct Paper {
    kind: BallotKind,
    options: Vec<String>,
    numbers: HashMap<String, usize>,
    params: Value,
}

impl Paper {
    /// A contest of these options, by id, separated by spaces.
    pub fn new(kind: BallotKind, options: &str, params: Value) -> Self {
        let options: Vec<_> = options.split_whitespace().map(str::to_owned).collect();
        let numbers = options.iter().enumerate();
        Self {
            kind,
            numbers: numbers.map(|(number, id)| (id.clone(), number)).collect(),
            options,
            params,
        }
    }

    /// The options' ids.
    pub fn options(&self) -> &[String] {
        &self.options
    }

    /// The parameters as given.
    pub fn params(&self) -> &Value {
        &self.params
    }

    /// The number of the option with that id.
    pub fn option(&self, id: &str) -> usize {
        let found = self.numbers.get(id.trim());
        *found.unwrap_or_else(|| panic!("{id:?} is not an option"))
    }

    /// The input of `configure` for a rule with that manifest.
    pub fn configuration(&self, manifest: &str) -> Vec<u8> {
        let manifest: Value = serde_json::from_str(manifest).expect("a manifest is JSON");
        let params = manifest["params"].as_array().expect("it lists parameters");
        let known = |name: &String| params.iter().any(|param| param["name"] == **name);
        for name in self.params.as_object().into_iter().flat_map(|p| p.keys()) {
            assert!(known(name), "the rule has no parameter {name:?}");
        }
        let option = |id: &String| ContestOption {
            id: id.clone(),
            title: id.clone(),
        };
        Configuration {
            options: self.options.iter().map(option).collect(),
            params: params.iter().map(|param| self.param(param)).collect(),
        }
        .to_wire()
    }

    fn param(&self, param: &Value) -> ParamValue {
        let name = param["name"].as_str().expect("a parameter has a name");
        let given = self.params.get(name).or(param.get("default"));
        let Some(value) = given else {
            assert!(param["optional"] == true, "{name:?} is required");
            return ParamValue::Absent;
        };
        let integer = || value.as_i64().expect("an integer");
        let text = || value.as_str().expect("a text");
        match param["kind"].as_str().expect("a parameter has a kind") {
            "integer" => {
                let bounds = param["min"].as_i64()..=param["max"].as_i64();
                assert!(bounds.contains(&Some(integer())), "{name:?} out of range");
                ParamValue::Integer(integer())
            }
            "choice" => {
                let words = param["one_of"].as_array().expect("a choice lists words");
                let position = words.iter().position(|word| word == value);
                ParamValue::Choice(position.expect("one of the words"))
            }
            "flag" => ParamValue::Flag(value.as_bool().expect("a flag")),
            "ratio" => {
                let (above, below) = text().split_once('/').expect("a fraction");
                let digits = |text: &str| text.parse().expect("digits");
                ParamValue::Ratio(digits(above), digits(below))
            }
            "text" => ParamValue::Text(text().to_owned()),
            "texts" => {
                let texts = value.as_array().expect("a list").iter();
                let texts = texts.map(|text| text.as_str().expect("a text").to_owned());
                ParamValue::Texts(texts.collect())
            }
            "per-option" => {
                let of = |id: &String| value[id].as_u64().expect("an integer for each option");
                ParamValue::PerOption(self.options.iter().map(of).collect())
            }
            kind => panic!("parameters of kind {kind:?} are not written in tests yet"),
        }
    }

    /// Weight and bytes of each ballot, one a line.
    pub fn ballots(&self, text: &str) -> Vec<(u64, Vec<u8>)> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| match line.split_once(':') {
                Some((weight, ballot)) => {
                    let weight = weight.trim().parse().expect("a weight");
                    (weight, self.ballot(ballot))
                }
                None => (1, self.ballot(line)),
            })
            .collect()
    }

    /// A ballot's bytes.
    pub fn ballot(&self, text: &str) -> Vec<u8> {
        let ids = || text.split_whitespace();
        let options = || ids().map(|id| self.option(id)).collect::<Vec<_>>();
        let pairs = || ids().map(|pair| self.pair(pair)).collect::<Vec<_>>();
        match self.kind {
            BallotKind::Choice => Choices::encode(&options()),
            BallotKind::Approval => Approvals::encode(&options()),
            BallotKind::Ranking => {
                let ranks = text
                    .split('>')
                    .map(str::trim)
                    .filter(|rank| !rank.is_empty());
                let rank = |rank: &str| match rank {
                    "-" => Marks::Skipped,
                    "?" => Marks::Overvote,
                    "*" => Marks::Other,
                    _ => Marks::Options(rank.split('=').map(|id| self.option(id)).collect()),
                };
                MarkedRanking::encode(&ranks.map(rank).collect::<Vec<_>>())
            }
            BallotKind::Scores => Scores::encode(&pairs()),
            BallotKind::Votes => Votes::encode(&pairs()),
            BallotKind::Grades => Grades::encode(&pairs()),
            BallotKind::Raw => text.as_bytes().to_vec(),
        }
    }

    fn pair(&self, pair: &str) -> (usize, u64) {
        let (id, value) = pair.split_once('=').expect("option=value");
        let grades = self.params.get("grades").and_then(Value::as_array);
        let grade = grades.and_then(|grades| grades.iter().position(|grade| grade == value));
        let value = match grade {
            Some(grade) => grade as u64,
            None => value.parse().expect("a number or a grade"),
        };
        (self.option(id), value)
    }
}
