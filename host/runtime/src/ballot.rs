//! Ballots between JSON and their canonical bytes.

use thiserror::Error;

/// What is wrong with a ballot, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{pointer}: {message}")]
pub struct BallotError {
    /// JSON pointer to the offending member; empty for the ballot as a whole.
    pub pointer: String,
    /// What was expected, what came.
    pub message: String,
}
