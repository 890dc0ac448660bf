//! A plugin configured for one contest: validates and tallies its ballots.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::ballot::BallotError;
use crate::tally::{Tally, TallyError};
use crate::verdict::{Fault, HostFault, Verdict};

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
    /// Its name for people; the id where absent.
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

/// A plugin configured for one contest. A clone shares everything with its original.
#[derive(Clone)]
pub struct Contest {}

impl Contest {
    /// Judges one ballot in a fresh instance.
    pub fn validate(&self, _ballot: &[u8]) -> Result<Verdict, HostFault> {
        Err(HostFault("not built yet".into()))
    }

    /// Counts weighted ballots in the order given; the same bytes on any number of threads.
    ///
    /// The seed decides ties; take it from the closed board's root.
    pub fn tally<B: AsRef<[u8]> + Send>(
        &self,
        _ballots: impl Iterator<Item = (u64, B)>,
        _tie_break_seed: [u8; 32],
    ) -> Result<Tally, TallyError> {
        Err(TallyError::Host(HostFault("not built yet".into())))
    }

    /// Canonical bytes of a ballot given as JSON.
    pub fn encode_ballot(&self, _json: &Value) -> Result<Vec<u8>, BallotError> {
        Err(BallotError {
            pointer: String::new(),
            message: "not built yet".into(),
        })
    }

    /// JSON of a ballot given as canonical bytes.
    pub fn decode_ballot(&self, _ballot: &[u8]) -> Result<Value, BallotError> {
        Err(BallotError {
            pointer: String::new(),
            message: "not built yet".into(),
        })
    }

    /// JSON Schema of this contest's ballots, from which a frontend draws them.
    pub fn ballot_schema(&self) -> Value {
        Value::Null
    }

    /// An outcome's canonical bytes as the JSON shown to people.
    pub fn outcome_json(&self, _outcome: &[u8]) -> Result<Value, HostFault> {
        Err(HostFault("not built yet".into()))
    }
}
