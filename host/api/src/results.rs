//! `GET /api/votes/results`

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabella_protocol::rpc::{ElectionStatus, ResultCertificate};

use crate::{
    RuleAnswer, Source,
    schema::{self, exact_number, source},
};

/// The results of an election.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ResultsAnswer {
    /// The election.
    pub election_id: u64,
    /// Where it is in its life.
    pub status: ElectionStatus,
    /// Whose word it is.
    #[schema(schema_with = source)]
    pub source: Source,
    /// The newest block that this answer takes into account.
    pub as_of_height: u64,
    /// How many voters have a counting ballot.
    pub total_votes: u64,
    /// What came out of each question.
    pub contests: Vec<ContestResult>,
    /// Whether a quorum of validators attested the same outcome.
    pub verified: bool,
    /// How many validators attested, of how many.
    pub attested_by: usize,
    /// How many validators there are.
    pub validators: usize,
    /// What proves the outcome, once a quorum attested it.
    pub certificate: Option<ResultCertificate>,
}

/// What came out for an option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OptionResult {
    /// The id that ballots name.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// What it has, as its rule counts.
    #[schema(schema_with = exact_number)]
    pub votes: Value,
    /// Of what all ballots that count weigh; of all points where the rule adds points; absent where votes are neither, as in duels and grades.
    pub percentage: Option<f64>,
    /// Whether it is elected.
    pub elected: Option<bool>,
    /// How many seats it has, where a rule distributes seats.
    pub seats: Option<u64>,
}

/// What came out of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ContestResult {
    /// Its id.
    pub id: String,
    /// The question that people read.
    pub title: String,
    /// The rule that counted.
    pub rule: RuleAnswer,
    /// Every option, in the order of the paper.
    pub options: Vec<OptionResult>,
    /// The ids of those that are elected.
    #[schema(value_type = Vec<String>)]
    pub winners: Value,
    /// The count's rounds, where it has any.
    #[schema(value_type = Vec<schema::Round>)]
    pub rounds: Value,
    /// Ties, and how they were decided.
    #[schema(value_type = Vec<schema::Tie>)]
    pub ties: Value,
    /// How many votes elect, where the rule has a quota.
    #[schema(schema_with = exact_number)]
    pub quota: Value,
    /// Where the rule compares every option with every other: how many ballots prefer the first to the second.
    #[schema(value_type = Object)]
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub pairwise: Value,
    /// The rule's own sentence.
    #[schema(value_type = Option<String>)]
    pub explanation: Value,
}
