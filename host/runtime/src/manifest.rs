//! What a plugin says of itself, read and checked.

use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use tabella_abi::ballot::BallotKind;

use crate::strict_json::StrictJson;
use tabella_limits::PluginLimits;

/// A plugin's description of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The rule's name, such as `instant-runoff`.
    pub name: String,
    /// The rule's version.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// SPDX licence expression; may be empty.
    pub licence: String,
    /// The statute or paper that defines the rule; may be empty.
    pub definition: String,
    /// How its ballots look.
    pub ballot: BallotKind,
    /// Whether it takes rankings with skipped ranks, repeated options and marks for nobody on the
    /// paper: an export of the module says so, since validators of earlier versions refuse a
    /// manifest with a member that they do not know, and all have to take the same modules.
    pub marks: bool,
    /// The fewest options it can run with.
    pub options_min: u64,
    /// Whether folded states can be merged; if not, boards are folded in order by one instance.
    pub merges: bool,
    /// What it can tally: `ballots`, and perhaps `totals` of encrypted ballots.
    pub tallies: Vec<String>,
    /// Its parameters, in the order in which the plugin reads them.
    pub params: Vec<Param>,
}

/// One parameter of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub about: String,
    /// What values it takes.
    pub kind: ParamKind,
    /// Its value where left out.
    pub default: Option<Value>,
    /// Whether it may be left out without a default.
    pub optional: bool,
}

/// What values a parameter takes, as JSON.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    /// An integer between two bounds, both allowed.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// `true` or `false`.
    Flag,
    /// A fraction such as `"1/2"`.
    Ratio,
    /// A non-negative decimal such as `"2.5"` or `5`.
    Decimal {
        /// Digits after the point, at most.
        places: u8,
    },
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// An object with a non-negative integer forevery option id.
    PerOption,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    abi: u64,
    name: String,
    version: String,
    summary: String,
    licence: String,
    #[serde(default)]
    definition: String,
    ballot: String,
    #[serde(default = "one")]
    options_min: u64,
    #[serde(default = "yes")]
    merges: bool,
    #[serde(default = "plain_ballots")]
    tallies: Vec<String>,
    #[serde(default)]
    params: Vec<RawParam>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParam {
    name: String,
    #[serde(default)]
    about: String,
    kind: String,
    min: Option<i64>,
    max: Option<i64>,
    one_of: Option<Vec<String>>,
    places: Option<u8>,
    default: Option<StrictJson>,
    #[serde(default)]
    optional: bool,
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

fn plain_ballots() -> Vec<String> {
    vec!["ballots".into()]
}

impl Manifest {
    /// Reads the JSON that `describe` returned; says what is wrong with it.
    pub(crate) fn read(bytes: &[u8], limits: &PluginLimits) -> Result<Self, String> {
        let raw: RawManifest = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not as specified: {error}"))?;
        if raw.abi != 1 {
            return Err(format!(
                "`abi` is {}, but the module exports version 1",
                raw.abi
            ));
        }
        if !is_name(&raw.name, '-') {
            return Err(format!(
                "the name {:?} is not 1 to 64 lowercase letters, digits and hyphens",
                raw.name
            ));
        }
        let Some(ballot) = BallotKind::from_name(&raw.ballot) else {
            let known: Vec<_> = BallotKind::ALL.into_iter().map(BallotKind::name).collect();
            return Err(format!(
                "the ballot kind {:?} is not one of {}",
                raw.ballot,
                known.join(", ")
            ));
        };
        if raw.version.is_empty() || raw.summary.is_empty() {
            return Err("`version` and `summary` must say something".into());
        }
        if raw.options_min == 0 || raw.options_min > limits.options {
            let most = limits.options;
            return Err(format!(
                "`options_min` is {}, not 1 to {most}",
                raw.options_min
            ));
        }
        if raw.tallies.is_empty()
            || raw
                .tallies
                .iter()
                .any(|what| what != "ballots" && what != "totals")
        {
            return Err("`tallies` lists something besides \"ballots\" and \"totals\"".into());
        }
        let mut params: Vec<Param> = Vec::new();
        for raw in raw.params {
            let name = raw.name.clone();
            if params.iter().any(|param| param.name == name) {
                return Err(format!("parameter {name:?} is listed twice"));
            }
            params.push(Param::read(raw).map_err(|error| format!("parameter {name:?} {error}"))?);
        }
        let is_grades = |param: &Param| param.name == "grades" && param.kind == ParamKind::Texts;
        if ballot == BallotKind::Grades && !params.iter().any(is_grades) {
            return Err("ballots of grades need a parameter `grades` of the kind `texts`".into());
        }
        Ok(Self {
            name: raw.name,
            version: raw.version,
            summary: raw.summary,
            licence: raw.licence,
            definition: raw.definition,
            ballot,
            marks: false,
            options_min: raw.options_min,
            merges: raw.merges,
            tallies: raw.tallies,
            params,
        })
    }

    /// JSON Schema of the rule's parameters.
    pub fn params_schema(&self) -> Value {
        let properties: Map<_, _> = self
            .params
            .iter()
            .map(|param| (param.name.clone(), param.schema()))
            .collect();
        let required: Vec<_> = self
            .params
            .iter()
            .filter(|param| param.default.is_none() && !param.optional)
            .map(|param| &param.name)
            .collect();
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    /// JSON Schema of a contest's options.
    pub fn options_schema(&self) -> Value {
        json!({
            "type": "array",
            "minItems": self.options_min,
            "items": {
                "type": "object",
                "properties": { "id": { "type": "string" }, "title": { "type": "string" } },
                "required": ["id"],
                "additionalProperties": false,
            },
        })
    }

    /// All of it as JSON, for people and frontends.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version,
            "summary": self.summary,
            "licence": self.licence,
            "definition": self.definition,
            "ballot": self.ballot.name(),
            "marks": self.marks,
            "merges": self.merges,
            "tallies": self.tallies,
            "options_schema": self.options_schema(),
            "params_schema": self.params_schema(),
        })
    }
}

impl Param {
    fn read(raw: RawParam) -> Result<Self, String> {
        if !is_name(&raw.name, '_') {
            return Err("is not named by 1 to 64 lowercase letters, digits and underscores".into());
        }
        let kind = match raw.kind.as_str() {
            "integer" => {
                let (min, max) = (raw.min.unwrap_or(i64::MIN), raw.max.unwrap_or(i64::MAX));
                if min > max {
                    return Err(format!(
                        "has the bounds {min} and {max}, which nothing fits"
                    ));
                }
                ParamKind::Integer { min, max }
            }
            "choice" => match raw.one_of {
                Some(words) if !words.is_empty() => ParamKind::Choice(words),
                _ => return Err("is a choice but lists nothing in `one_of`".into()),
            },
            "flag" => ParamKind::Flag,
            "ratio" => ParamKind::Ratio,
            "decimal" => match raw.places {
                Some(places) if places <= 9 => ParamKind::Decimal { places },
                _ => return Err("is a decimal but has no `places` from 0 to 9".into()),
            },
            "text" => ParamKind::Text,
            "texts" => ParamKind::Texts,
            "per-option" => ParamKind::PerOption,
            other => return Err(format!("has the unknown kind {other:?}")),
        };
        let param = Self {
            name: raw.name,
            about: raw.about,
            kind,
            default: raw.default.map(|StrictJson(default)| default),
            optional: raw.optional,
        };
        if let Some(default) = &param.default {
            crate::config::encode_param(&param.kind, default, &[]).map_err(|error| {
                format!("has a default that it would refuse: {}", error.message)
            })?;
        }
        Ok(param)
    }

    fn schema(&self) -> Value {
        let mut schema = match &self.kind {
            ParamKind::Integer { min, max } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            ParamKind::Choice(words) => json!({ "enum": words }),
            ParamKind::Flag => json!({ "type": "boolean" }),
            ParamKind::Ratio => json!({ "type": "string", "pattern": "^[0-9]+/[1-9][0-9]*$" }),
            ParamKind::Decimal { places: 0 } => json!({ "type": "integer", "minimum": 0 }),
            ParamKind::Decimal { places } => {
                let pattern = format!("^[0-9]+(\\.[0-9]{{1,{places}}})?$");
                json!({ "type": ["string", "number"], "pattern": pattern, "minimum": 0 })
            }
            ParamKind::Text => json!({ "type": "string" }),
            ParamKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            ParamKind::PerOption => json!({
                "type": "object",
                "additionalProperties": { "type": "integer", "minimum": 0 },
            }),
        };
        if !self.about.is_empty() {
            schema["description"] = json!(self.about);
        }
        if let Some(default) = &self.default {
            schema["default"] = default.clone();
        }
        schema
    }
}

fn is_name(name: &str, separator: char) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator;
    (1..=64).contains(&name.len()) && name.chars().all(known)
}
