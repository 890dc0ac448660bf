//! What a rule says of itself, read and checked.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use tabella_abi::ballot::BallotKind;
use tabella_limits::PluginLimits;

use crate::param::{Param, ParamKind, RawParam, is_name};

/// A rule's description of itself.
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
    /// Reads the JSON that `describe` returned; says what is wrong with it. Whether the rule takes marks
    /// stands in the module's exports, not there.
    pub fn read(bytes: &[u8], limits: &PluginLimits) -> Result<Self, String> {
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
