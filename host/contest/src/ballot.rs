//! Ballots between JSON and their canonical bytes.
//!
//! Plugins see only the bytes; people and frontends see only the JSON.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tabella_abi::ballot::{
    Approvals, Ballot, BallotKind, Choices, Grades, Malformed, MarkedRanking, Marks, RankMarks,
    Ranking, Raw, Scores, Votes,
};
use tabella_limits::PluginLimits;
use thiserror::Error;

use crate::contest_config::{ContestConfig, ContestOption};
use crate::json_pointer::{brief, pointer};
use crate::manifest::Manifest;
use crate::param::{Param, ParamKind};

/// The word for a rank with several marks that nobody recorded.
const OVERVOTE: &str = "overvote";

/// The word for a rank that marks somebody who is not on the paper.
const OTHER: &str = "other";

/// What is wrong with a ballot, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{message}", if .pointer.is_empty() { String::new() } else { format!("{pointer}: ") })]
pub struct BallotError {
    /// JSON pointer to the offending member; empty for the ballot as a whole.
    pub pointer: String,
    /// What was expected, what came.
    pub message: String,
}

impl BallotError {
    fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

impl From<Malformed> for BallotError {
    fn from(malformed: Malformed) -> Self {
        Self::new("", malformed.to_string())
    }
}

/// The ballot paper of one contest: its ballots between JSON and their canonical bytes.
#[derive(Clone, Debug)]
pub struct Paper {
    kind: BallotKind,
    /// Whether a ranking may have marks that a plain one cannot hold.
    takes_marks: bool,
    options: Vec<ContestOption>,
    positions: HashMap<String, usize>,
    /// The grades a voter can give, worst first; empty for other kinds.
    grades: Vec<String>,
    ballot_bytes_max: u64,
}

impl Paper {
    /// Returns the paper of a contest whose configuration its rule takes.
    pub fn new(manifest: &Manifest, config: &ContestConfig, limits: &PluginLimits) -> Self {
        let options = config.options.clone();
        let positions = options.iter().enumerate();
        let positions = positions
            .map(|(position, option)| (option.id.clone(), position))
            .collect();
        Self {
            kind: manifest.ballot,
            takes_marks: manifest.marks,
            options,
            positions,
            grades: grades(manifest, config),
            ballot_bytes_max: limits.ballot_bytes,
        }
    }

    /// The contest's options.
    pub fn options(&self) -> &[ContestOption] {
        &self.options
    }

    /// Canonical bytes of a ballot given as JSON. Whether the rule accepts it is another question.
    pub fn encode(&self, json: &Value) -> Result<Vec<u8>, BallotError> {
        let (members, shape) = match self.kind {
            BallotKind::Choice => (&["choice", "choices"][..], "{\"choice\": \"…\"}"),
            BallotKind::Approval => (&["approve"][..], "{\"approve\": [\"…\"]}"),
            BallotKind::Ranking => (&["ranking"][..], "{\"ranking\": [\"…\"]}"),
            BallotKind::Scores => (&["scores"][..], "{\"scores\": {\"…\": 1}}"),
            BallotKind::Grades => (&["grades"][..], "{\"grades\": {\"…\": \"…\"}}"),
            BallotKind::Votes => (&["votes"][..], "{\"votes\": {\"…\": 1}}"),
            BallotKind::Raw => (&["raw"][..], "{\"raw\": \"base64\"}"),
        };
        let expected = || BallotError::new("", format!("expected a ballot such as {shape}"));
        let object = json.as_object().ok_or_else(expected)?;
        if let Some(other) = object
            .keys()
            .find(|member| !members.contains(&member.as_str()))
        {
            let message = format!("unknown member; a ballot looks like {shape}");
            return Err(BallotError::new(pointer(other), message));
        }
        let mut given = object.iter();
        let (Some((member, value)), None) = (given.next(), given.next()) else {
            return Err(expected());
        };
        let at = format!("/{member}");
        let bytes = match self.kind {
            BallotKind::Choice if member == "choice" => {
                Choices::encode(&[self.option(value, &at)?])
            }
            BallotKind::Choice => Choices::encode(&self.option_list(value, &at)?),
            BallotKind::Approval => Approvals::encode(&self.option_list(value, &at)?),
            BallotKind::Ranking if self.takes_marks => {
                MarkedRanking::encode(&self.marks(value, &at)?)
            }
            BallotKind::Ranking => Ranking::encode(&self.ranks(value, &at)?),
            BallotKind::Scores => Scores::encode(&self.integers(value, &at)?),
            BallotKind::Votes => Votes::encode(&self.integers(value, &at)?),
            BallotKind::Grades => Grades::encode(&self.graded(value, &at)?),
            BallotKind::Raw => value
                .as_str()
                .and_then(|text| STANDARD.decode(text).ok())
                .ok_or_else(|| BallotError::new(at, "expected base64"))?,
        };
        if bytes.len() as u64 > self.ballot_bytes_max {
            let (len, most) = (bytes.len(), self.ballot_bytes_max);
            let message = format!("the ballot takes {len} bytes, at most {most} allowed");
            return Err(BallotError::new("", message));
        }
        Ok(bytes)
    }

    fn option(&self, value: &Value, at: &str) -> Result<usize, BallotError> {
        let id = value.as_str().ok_or_else(|| {
            BallotError::new(at, format!("expected an option id, found {}", brief(value)))
        })?;
        self.option_id(id, at)
    }

    fn option_id(&self, id: &str, at: &str) -> Result<usize, BallotError> {
        self.positions.get(id).copied().ok_or_else(|| {
            let id = brief(&Value::from(id));
            BallotError::new(at, format!("{id} is not an option of this contest"))
        })
    }

    fn option_list(&self, value: &Value, at: &str) -> Result<Vec<usize>, BallotError> {
        let mut once = Once::new(self);
        let list = list(value, at)?.iter().enumerate();
        list.map(|(position, value)| once.option(value, &format!("{at}/{position}")))
            .collect()
    }

    fn ranks(&self, value: &Value, at: &str) -> Result<Vec<Vec<usize>>, BallotError> {
        let mut once = Once::new(self);
        let mut ranks = Vec::new();
        for (position, rank) in list(value, at)?.iter().enumerate() {
            let at = format!("{at}/{position}");
            let Value::Array(shared) = rank else {
                ranks.push(vec![once.option(rank, &at)?]);
                continue;
            };
            if shared.is_empty() {
                return Err(BallotError::new(at, "a rank names at least one option"));
            }
            let options = shared.iter().enumerate();
            let options =
                options.map(|(inner, option)| once.option(option, &format!("{at}/{inner}")));
            ranks.push(options.collect::<Result<_, _>>()?);
        }
        Ok(ranks)
    }

    /// The ranks of a ballot whose rule judges marks: `[]` is a skipped rank, `{"mark": "overvote"}`
    /// one with several marks that nobody recorded, `{"mark": "other"}` one for somebody who is not
    /// on the paper; an option may stand at several ranks.
    fn marks(&self, value: &Value, at: &str) -> Result<Vec<Marks>, BallotError> {
        let ranks = list(value, at)?.iter().enumerate();
        let marks = |(position, rank): (usize, &Value)| {
            let at = format!("{at}/{position}");
            match rank {
                Value::Array(_) => Ok(match self.option_list(rank, &at)? {
                    options if options.is_empty() => Marks::Skipped,
                    options => Marks::Options(options),
                }),
                Value::Object(members) => match (members.len(), members.get("mark")) {
                    (1, Some(Value::String(word))) if word == OVERVOTE => Ok(Marks::Overvote),
                    (1, Some(Value::String(word))) if word == OTHER => Ok(Marks::Other),
                    _ => {
                        let found = brief(rank);
                        let message = format!(
                            "expected an option, a list of options, {{\"mark\": \"{OVERVOTE}\"}} or \
                             {{\"mark\": \"{OTHER}\"}}, found {found}"
                        );
                        Err(BallotError::new(at, message))
                    }
                },
                _ => Ok(Marks::Options(vec![self.option(rank, &at)?])),
            }
        };
        ranks.map(marks).collect()
    }

    fn integers(&self, value: &Value, at: &str) -> Result<Vec<(usize, u64)>, BallotError> {
        self.pairs(value, at, |value, at| {
            value.as_u64().ok_or_else(|| {
                let found = brief(value);
                BallotError::new(
                    at,
                    format!("expected a non-negative integer, found {found}"),
                )
            })
        })
    }

    fn graded(&self, value: &Value, at: &str) -> Result<Vec<(usize, u64)>, BallotError> {
        self.pairs(value, at, |value, at| {
            let grade = value
                .as_str()
                .and_then(|grade| self.grades.iter().position(|g| g == grade));
            grade.map(|grade| grade as u64).ok_or_else(|| {
                let grades = self.grades.join(", ");
                let found = brief(value);
                BallotError::new(at, format!("expected one of {grades}, found {found}"))
            })
        })
    }

    fn pairs(
        &self,
        value: &Value,
        at: &str,
        read: impl Fn(&Value, &str) -> Result<u64, BallotError>,
    ) -> Result<Vec<(usize, u64)>, BallotError> {
        let object = value.as_object().ok_or_else(|| {
            BallotError::new(
                at,
                format!("expected an object by option, found {}", brief(value)),
            )
        })?;
        let pair = |(id, value): (&String, &Value)| {
            let at = format!("{at}{}", pointer(id));
            Ok((self.option_id(id, &at)?, read(value, &at)?))
        };
        object.iter().map(pair).collect()
    }

    /// JSON of a ballot given as canonical bytes.
    pub fn decode(&self, ballot: &[u8]) -> Result<Value, BallotError> {
        let count = self.options.len();
        let id = |option: usize| Value::from(self.options[option].id.as_str());
        let ids = |options: Vec<usize>| options.into_iter().map(id).collect::<Value>();
        let integers = |pairs: Vec<(usize, u64)>| {
            let member =
                |(option, value): (usize, u64)| (self.options[option].id.clone(), json!(value));
            Value::Object(pairs.into_iter().map(member).collect())
        };
        Ok(match self.kind {
            BallotKind::Choice => {
                let options: Vec<_> = Choices::view(ballot, count)?.options().collect();
                match options[..] {
                    [option] => json!({ "choice": id(option) }),
                    _ => json!({ "choices": ids(options) }),
                }
            }
            BallotKind::Approval => {
                json!({ "approve": ids(Approvals::view(ballot, count)?.options().collect()) })
            }
            BallotKind::Ranking => {
                let rank = |options: Vec<usize>| match options[..] {
                    [option] => id(option),
                    _ => ids(options),
                };
                let marks = |marks: RankMarks<'_>| match marks {
                    RankMarks::Skipped => json!([]),
                    RankMarks::Overvote => json!({ "mark": OVERVOTE }),
                    RankMarks::Other => json!({ "mark": OTHER }),
                    RankMarks::Options(options) => rank(options.iter().collect()),
                };
                let ranks: Value = match self.takes_marks {
                    true => (MarkedRanking::view(ballot, count)?.ranks())
                        .map(marks)
                        .collect(),
                    false => (Ranking::view(ballot, count)?.ranks())
                        .map(|r| rank(r.options().collect()))
                        .collect(),
                };
                json!({ "ranking": ranks })
            }
            BallotKind::Scores => {
                json!({ "scores": integers(Scores::view(ballot, count)?.values().collect()) })
            }
            BallotKind::Votes => {
                json!({ "votes": integers(Votes::view(ballot, count)?.values().collect()) })
            }
            BallotKind::Grades => {
                let mut members = Map::new();
                for (option, grade) in Grades::view(ballot, count)?.values() {
                    let grade = usize::try_from(grade)
                        .ok()
                        .and_then(|grade| self.grades.get(grade));
                    let grade = grade.ok_or_else(|| BallotError::new("", "unknown grade"))?;
                    members.insert(self.options[option].id.clone(), json!(grade));
                }
                json!({ "grades": members })
            }
            BallotKind::Raw => {
                json!({ "raw": STANDARD.encode(Raw::view(ballot, count)?.as_bytes()) })
            }
        })
    }

    /// JSON Schema of this contest's ballots, from which a frontend draws them.
    pub fn schema(&self) -> Value {
        let option = json!({
            "oneOf": self.options.iter().map(|option| {
                let title = if option.title.is_empty() { &option.id } else { &option.title };
                json!({ "const": option.id, "title": title })
            }).collect::<Value>(),
        });
        let set = json!({ "type": "array", "items": option, "uniqueItems": true });
        let by_option = |value: &Value| {
            let ids = self
                .options
                .iter()
                .map(|option| (option.id.clone(), value.clone()));
            json!({
                "type": "object",
                "properties": ids.collect::<Map<_, _>>(),
                "additionalProperties": false,
            })
        };
        let integer = json!({ "type": "integer", "minimum": 0 });
        let object = |member: &str, value: Value| {
            json!({
                "type": "object",
                "properties": { member: value },
                "required": [member],
                "additionalProperties": false,
            })
        };
        let mut schema = match self.kind {
            BallotKind::Choice => {
                json!({ "oneOf": [object("choice", option), object("choices", set)] })
            }
            BallotKind::Approval => object("approve", set),
            BallotKind::Ranking => {
                let rank = match self.takes_marks {
                    true => json!({ "anyOf": [option, set, object("mark", json!({
                        "enum": [OVERVOTE, OTHER],
                    }))] }),
                    false => {
                        let shared = json!({ "type": "array", "items": option, "minItems": 1 });
                        json!({ "anyOf": [option, shared] })
                    }
                };
                object("ranking", json!({ "type": "array", "items": rank }))
            }
            BallotKind::Scores => object("scores", by_option(&integer)),
            BallotKind::Votes => object("votes", by_option(&integer)),
            BallotKind::Grades => object("grades", by_option(&json!({ "enum": self.grades }))),
            BallotKind::Raw => object(
                "raw",
                json!({ "type": "string", "contentEncoding": "base64" }),
            ),
        };
        schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        schema["x-ballot-kind"] = json!(self.kind.name());
        schema
    }
}

fn list<'a>(value: &'a Value, at: &str) -> Result<&'a Vec<Value>, BallotError> {
    value.as_array().ok_or_else(|| {
        BallotError::new(
            at,
            format!("expected a list of option ids, found {}", brief(value)),
        )
    })
}

/// Finds options that are named twice.
struct Once<'a> {
    paper: &'a Paper,
    seen: Vec<bool>,
}

impl<'a> Once<'a> {
    fn new(paper: &'a Paper) -> Self {
        Self {
            paper,
            seen: vec![false; paper.options.len()],
        }
    }

    fn option(&mut self, value: &Value, at: &str) -> Result<usize, BallotError> {
        let option = self.paper.option(value, at)?;
        if std::mem::replace(&mut self.seen[option], true) {
            return Err(BallotError::new(
                at,
                format!("{} is named twice", brief(value)),
            ));
        }
        Ok(option)
    }
}

/// The words of graded ballots are the rule's parameter `grades`.
fn grades(manifest: &Manifest, config: &ContestConfig) -> Vec<String> {
    if manifest.ballot != BallotKind::Grades {
        return Vec::new();
    }
    let is_grades = |param: &&Param| param.name == "grades" && param.kind == ParamKind::Texts;
    let default = manifest
        .params
        .iter()
        .find(is_grades)
        .and_then(|param| param.default.as_ref());
    let words = config
        .params
        .get("grades")
        .or(default)
        .and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}
