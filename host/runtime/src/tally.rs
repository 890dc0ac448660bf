//! Counting a board through a plugin.

use thiserror::Error;

use crate::verdict::{Fault, HostFault};

/// The result of a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The outcome's canonical bytes; hash these.
    pub outcome: Vec<u8>,
    /// Fuel used in all, the same on any number of threads.
    pub fuel: u64,
    /// Ballots counted.
    pub ballots: u64,
}

/// Why a board could not be counted.
#[derive(Debug, Error)]
pub enum TallyError {
    /// The plugin failed, at the given step.
    #[error("while {step}, {fault}")]
    Fault {
        /// Which call failed, with the ballots it was given.
        step: String,
        /// How.
        fault: Fault,
    },
    /// A ballot is longer than the limit, so it cannot have been validated.
    #[error("ballot {position} has {bytes} bytes, more than the {bytes_max} allowed")]
    BallotTooLong {
        /// Its position, from 0.
        position: u64,
        /// Its length.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}
