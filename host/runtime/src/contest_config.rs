//! What a rule is configured with for one contest.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::instance::CallError;
use crate::verdict::{Fault, HostFault};

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

/// Why a plugin does not take a contest's configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A member has the wrong type, is unknown, or is out of range.
    #[error("{pointer}: {message}")]
    Invalid {
        /// JSON pointer into the configuration.
        pointer: String,
        /// What was expected, what came.
        message: String,
    },
    /// The rule itself refuses.
    #[error("the rule refuses the configuration: {0}")]
    Refused(String),
    /// The plugin failed.
    #[error(transparent)]
    Fault(Fault),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

impl From<CallError> for ConfigError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Plugin(fault) => Self::Fault(fault),
            CallError::Host(fault) => Self::Host(fault),
        }
    }
}
