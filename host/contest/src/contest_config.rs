//! What a rule is configured with for one contest.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// What voters decide about, and by which parameters of the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContestConfig {
    /// The options, in the order in which ballots number them.
    pub options: Vec<ContestOption>,
    /// The rule's parameters, an object; what is absent takes the rule's default.
    #[serde(default)]
    pub params: Value,
}

/// One option on the ballot paper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContestOption {
    /// Its id in ballots and results.
    pub id: String,
    /// Its name for people; the id where empty.
    #[serde(default)]
    pub title: String,
}

/// A member of a configuration that has the wrong type, is unknown, or is out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pointer}: {message}")]
pub struct InvalidConfig {
    /// JSON pointer into the configuration.
    pub pointer: String,
    /// What was expected, what came.
    pub message: String,
}

impl InvalidConfig {
    /// Of the value itself that is looked at.
    pub(crate) fn here(message: impl Into<String>) -> Self {
        Self {
            pointer: String::new(),
            message: message.into(),
        }
    }

    /// The same, seen from where the value looked at stands.
    pub(crate) fn below(self, place: &str) -> Self {
        Self {
            pointer: format!("{place}{}", self.pointer),
            message: self.message,
        }
    }
}
