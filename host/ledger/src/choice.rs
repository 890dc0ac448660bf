//! From a voter's choice in JSON to the canonical bytes on the chain.

use serde_json::Value;
use tabella_protocol::ContestSpec;
use tabella_runtime::{BallotError, Contest};

/// Why a choice is not a ballot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// One contest's part is not shaped as its schema says.
    #[error("contest {}: {error}", contest + 1)]
    Shape {
        /// The contest's place.
        contest: usize,
        /// What is wrong, and where.
        error: BallotError,
    },
    /// The number or names of contests do not match.
    #[error("{0}")]
    Contests(String),
}

/// Returns the canonical bytes of a plain ballot, one byte string for each contest. No rule is asked
/// whether it accepts them.
///
/// In an election of one contest the ballot is that contest's own; otherwise an object with one
/// member for each contest id.
pub fn encode_choice(
    specs: &[ContestSpec],
    contests: &[Contest],
    ballot: &Value,
) -> Result<Vec<Vec<u8>>, ChoiceError> {
    let parts: Vec<&Value> = match specs {
        [_] => vec![ballot],
        _ => by_contest(specs, ballot)?,
    };
    let each = contests.iter().zip(parts).enumerate();
    each.map(|(contest, (rule, part))| {
        rule.encode_ballot(part)
            .map_err(|error| ChoiceError::Shape { contest, error })
    })
    .collect()
}

fn by_contest<'b>(specs: &[ContestSpec], ballot: &'b Value) -> Result<Vec<&'b Value>, ChoiceError> {
    let expected = || {
        let ids: Vec<_> = specs.iter().map(|contest| contest.id.as_str()).collect();
        ChoiceError::Contests(format!(
            "expected an object with one ballot for each contest: {}",
            ids.join(", ")
        ))
    };
    let members = ballot.as_object().ok_or_else(expected)?;
    if members.len() != specs.len() {
        return Err(expected());
    }
    specs
        .iter()
        .map(|contest| members.get(&contest.id).ok_or_else(expected))
        .collect()
}
