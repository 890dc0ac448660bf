//! From a voter's choice in JSON to the canonical bytes on the chain.

use serde_json::Value;
use thiserror::Error;

use crate::ballot::{BallotError, Paper};

/// Why a choice is not a ballot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
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
/// Each contest is its id and its paper. In an election of one contest the ballot is that contest's own;
/// otherwise an object with one member for each contest id.
pub fn encode_choice<'c>(
    contests: impl IntoIterator<Item = (&'c str, &'c Paper)>,
    ballot: &Value,
) -> Result<Vec<Vec<u8>>, ChoiceError> {
    let (ids, papers): (Vec<_>, Vec<_>) = contests.into_iter().unzip();
    let parts: Vec<&Value> = match ids[..] {
        [_] => vec![ballot],
        _ => by_contest(&ids, ballot)?,
    };
    let each = papers.into_iter().zip(parts).enumerate();
    each.map(|(contest, (paper, part))| {
        paper
            .encode(part)
            .map_err(|error| ChoiceError::Shape { contest, error })
    })
    .collect()
}

fn by_contest<'b>(ids: &[&str], ballot: &'b Value) -> Result<Vec<&'b Value>, ChoiceError> {
    let expected = || {
        ChoiceError::Contests(format!(
            "expected an object with one ballot for each contest: {}",
            ids.join(", ")
        ))
    };
    let members = ballot.as_object().ok_or_else(expected)?;
    if members.len() != ids.len() {
        return Err(expected());
    }
    ids.iter()
        .map(|id| members.get(*id).ok_or_else(expected))
        .collect()
}
