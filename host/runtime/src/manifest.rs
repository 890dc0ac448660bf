//! What a plugin says of itself.

use serde_json::Value;

/// A plugin's description of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The rule's name, such as `instant-runoff`.
    pub name: String,
    /// The rule's version.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// SPDX licence expression.
    pub licence: String,
    /// How its ballots look.
    pub ballot: BallotKind,
    /// The fewest options it can run with.
    pub options_min: u64,
    /// Whether folded states can be merged; if not, boards are folded in order by one instance.
    pub merges: bool,
}

impl Manifest {
    /// JSON Schema of the rule's parameters.
    pub fn params_schema(&self) -> Value {
        Value::Null
    }

    /// JSON Schema of a contest's options.
    pub fn options_schema(&self) -> Value {
        Value::Null
    }
}

/// The shapes of ballots, with their JSON member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BallotKind {
    /// `{"choice": "a"}` or `{"choices": ["a", "b"]}`.
    Choice,
    /// `{"approve": ["a", "c"]}`.
    Approval,
    /// `{"ranking": ["a", ["b", "c"]]}`, best first.
    Ranking,
    /// `{"scores": {"a": 5}}`.
    Scores,
    /// `{"grades": {"a": "good"}}`.
    Grades,
    /// `{"votes": {"a": 3}}`.
    Votes,
    /// `{"raw": "base64"}`.
    Raw,
}
