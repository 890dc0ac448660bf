//! The file that states an election: JSON or TOML.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use tabella_contest::{ContestConfig, ContestOption, StrictObject};
use thiserror::Error;

use crate::options::OptionNames;

/// What voters decide about, and by which parameters of the rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Election {
    /// Which contest it is; Cast Vote Records are searched for it.
    pub contest: ContestName,
    /// The options, in the order of the paper.
    pub options: Vec<ContestOption>,
    /// The rule's parameters; under [`Election::ALIASES`], further names of options.
    pub params: Map<String, Value>,
}

/// Which contest of a file with several is meant, by id or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContestName {
    /// Nobody says.
    Unknown,
    /// The election's file says so; a file's only contest will do as well.
    Stated(String),
    /// The caller asks for it, and no other will do.
    Asked(String),
}

impl ContestName {
    fn of(asked: Option<&str>, stated: Option<String>) -> Self {
        match (asked, stated) {
            (Some(asked), _) => Self::Asked(asked.to_owned()),
            (None, Some(stated)) => Self::Stated(stated),
            (None, None) => Self::Unknown,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Stated(text) | Self::Asked(text) => Some(text),
        }
    }
}

/// Why a file does not state an election.
#[derive(Debug, Error)]
pub enum ElectionError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is not JSON or TOML with the members expected.
    #[error("{path}: {message}")]
    Invalid {
        /// The file.
        path: String,
        /// What is wrong, and where.
        message: String,
    },
    /// It has several contests and none was chosen, or not the one that was chosen.
    #[error("{path}: expected --contest to name one of {known}, {found}")]
    Contest {
        /// The file.
        path: String,
        /// The contests of the file.
        known: String,
        /// What was asked for.
        found: String,
    },
}

/// `{"options": [...], "params": {...}}`, or a whole election with its contests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(default)]
    id: Option<String>,
    #[serde(default, rename = "title")]
    _title: Option<String>,
    // What a chain needs to know and a count does not.
    #[serde(default, rename = "rule")]
    _rule: Option<String>,
    #[serde(default, rename = "eligibility")]
    _eligibility: Option<String>,
    #[serde(default, rename = "open_to")]
    _open_to: Option<String>,
    #[serde(default, rename = "roll")]
    _roll: Option<String>,
    #[serde(default, rename = "revote")]
    _revote: Option<String>,
    #[serde(default, rename = "counts_shown", alias = "disclosure")]
    _disclosure: Option<String>,
    #[serde(default)]
    options: Option<Vec<OptionEntry>>,
    #[serde(default)]
    params: StrictObject,
    #[serde(default)]
    contests: Option<Vec<ContestEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContestEntry {
    id: String,
    #[serde(default, rename = "title")]
    _title: Option<String>,
    #[serde(default, rename = "rule")]
    _rule: Option<String>,
    options: Vec<OptionEntry>,
    #[serde(default)]
    params: StrictObject,
}

/// An option, or its id alone.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected an option such as {\"id\": \"a\", \"title\": \"A\"}"
)]
enum OptionEntry {
    Id(String),
    Full(FullOption),
}

/// An option as the file states it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullOption {
    id: String,
    #[serde(default)]
    title: String,
    /// Further names that files of ballots have for it.
    #[serde(default)]
    aliases: Vec<String>,
}

/// Takes the options apart from their further names, which are kept beside the parameters.
fn options(entries: Vec<OptionEntry>, params: &mut Map<String, Value>) -> Vec<ContestOption> {
    let mut aliases = Map::new();
    let mut options = Vec::new();
    for entry in entries {
        let FullOption {
            id,
            title,
            aliases: further,
        } = match entry {
            OptionEntry::Full(full) => full,
            OptionEntry::Id(id) => FullOption {
                id,
                title: String::new(),
                aliases: Vec::new(),
            },
        };
        if !further.is_empty() {
            aliases.insert(id.clone(), further.into());
        }
        options.push(ContestOption { id, title });
    }
    if !aliases.is_empty() {
        params.insert(Election::ALIASES.into(), aliases.into());
    }
    options
}

impl Election {
    /// Where further names of options are kept among the parameters: no parameter is called so.
    pub const ALIASES: &'static str = "$aliases";

    /// What the options are called.
    pub(crate) fn names(&self) -> OptionNames {
        let aliases = self.params.get(Self::ALIASES);
        OptionNames::new(&self.options, aliases.and_then(Value::as_object))
    }

    /// Reads a file of one contest, or the named contest of an election with several.
    pub fn read(path: &Path, contest: Option<&str>) -> Result<Self, ElectionError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ElectionError::Read {
            path: shown.clone(),
            error,
        })?;
        Self::from_text(&text, &shown, contest)
    }

    /// As [`Election::read`], of a file's text; errors name it by `path`.
    pub fn from_text(text: &str, path: &str, contest: Option<&str>) -> Result<Self, ElectionError> {
        let invalid = |message: String| ElectionError::Invalid {
            path: path.to_owned(),
            message,
        };
        let text = text.trim_start_matches('\u{feff}');
        let statement: Statement = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| invalid(error.to_string().trim().to_owned()))?
        };
        match (statement.options, statement.contests) {
            (Some(entries), None) => {
                let mut params = statement.params.0;
                Ok(Self {
                    contest: ContestName::of(contest, statement.id),
                    options: options(entries, &mut params),
                    params,
                })
            }
            (None, Some(contests)) => Self::choose(contests, path, contest),
            _ => Err(invalid(
                "expected either `options` or `contests` at the top".into(),
            )),
        }
    }

    fn choose(
        contests: Vec<ContestEntry>,
        path: &str,
        wanted: Option<&str>,
    ) -> Result<Self, ElectionError> {
        let known: Vec<String> = contests.iter().map(|c| c.id.clone()).collect();
        let only = contests.len() == 1;
        let mut fitting = contests
            .into_iter()
            .filter(|contest| wanted.map_or(only, |wanted| contest.id == wanted));
        match fitting.next() {
            Some(contest) => {
                let mut params = contest.params.0;
                Ok(Self {
                    contest: ContestName::of(wanted, Some(contest.id)),
                    options: options(contest.options, &mut params),
                    params,
                })
            }
            None => Err(ElectionError::Contest {
                path: path.to_owned(),
                known: known.join(", "),
                found: match wanted {
                    Some(wanted) => format!("found {wanted:?}"),
                    None => "which was not given".to_owned(),
                },
            }),
        }
    }

    /// The contest as a runtime takes it, without the withdrawn options.
    pub(crate) fn config(&self, withdrawn: &[usize], params: &Map<String, Value>) -> ContestConfig {
        let stays = |position: &usize| !withdrawn.contains(position);
        let options = self.options.iter().enumerate();
        let options = options.filter(|(position, _)| stays(position));
        let mut params = params.clone();
        params.remove(Self::ALIASES);
        // Integers for each option are given by id; those of withdrawn options go with them.
        for value in params.values_mut() {
            if let Value::Object(by_option) = value {
                for position in withdrawn {
                    by_option.remove(&self.options[*position].id);
                }
            }
        }
        ContestConfig {
            options: options.map(|(_, option)| option.clone()).collect(),
            params: Value::Object(params),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, contest: Option<&str>, expected: Expect) {
        let shown = match Election::from_text(text, "FILE", contest) {
            Ok(election) => {
                let ids: Vec<_> = election.options.iter().map(|o| o.id.as_str()).collect();
                let params = Value::Object(election.params.clone());
                format!("{:?} {} {params}", election.contest.text(), ids.join(","))
            }
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn json_and_toml() {
        check(
            r#"{"options": [{"id": "a", "title": "A"}, "b"], "params": {"seats": 2}}"#,
            None,
            expect![[r#"None a,b {"seats":2}"#]],
        );
        check(
            "[params]\nmax = 5\n[[options]]\nid = \"a\"\n",
            None,
            expect![[r#"None a {"max":5}"#]],
        );
    }

    #[test]
    fn one_contest_of_an_election() {
        let text = r#"{"title": "T", "contests": [
            {"id": "x", "rule": "plurality", "options": ["a"]}, {"id": "y", "options": ["b"]}]}"#;
        check(text, Some("y"), expect![[r#"Some("y") b {}"#]]);
        check(
            text,
            None,
            expect!["FILE: expected --contest to name one of x, y, which was not given"],
        );
        check(
            text,
            Some("z"),
            expect![[r#"FILE: expected --contest to name one of x, y, found "z""#]],
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            r#"{"option": []}"#,
            None,
            expect![
                "FILE: unknown field `option`, expected one of `id`, `title`, `rule`, `eligibility`, `open_to`, `roll`, `revote`, `counts_shown`, `disclosure`, `options`, `params`, `contests` at line 1 column 9"
            ],
        );
        check(
            "{}",
            None,
            expect!["FILE: expected either `options` or `contests` at the top"],
        );
        check(
            r#"{"options": [1]}"#,
            None,
            expect![[
                r#"FILE: expected an option such as {"id": "a", "title": "A"} at line 1 column 15"#
            ]],
        );
    }
}
