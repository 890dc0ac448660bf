//! Counting a board through a plugin.
//!
//! The board is cut into batches, and batches into chunks, by [`PluginLimits`](crate::PluginLimits) alone
//! ([`Batches`]). Each chunk is folded by an instance of its own, on any thread, and the chunks' states are merged in
//! order. So the outcome and the fuel are those of the protocol, not of the machine.

use tabella_contest::{BallotTooLong, Batches, TieBreak, TieOrderError, read_outcome};
use thiserror::Error;

use crate::configured::Configured;
use crate::fold::Fold;
use crate::instance::CallError;
use crate::verdict::{Fault, FaultKind, HostFault};

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
    #[error(transparent)]
    BallotTooLong(#[from] BallotTooLong),
    /// The order that breaks ties names something that is not an option, or one twice.
    #[error(transparent)]
    TieOrder(#[from] TieOrderError),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

impl TallyError {
    pub(crate) fn at(step: impl Into<String>) -> impl FnOnce(CallError) -> Self {
        move |error| match error {
            CallError::Plugin(fault) => Self::Fault {
                step: step.into(),
                fault,
            },
            CallError::Host(fault) => Self::Host(fault),
        }
    }
}

pub(crate) fn run<B: AsRef<[u8]>>(
    contest: &Configured,
    ballots: impl Iterator<Item = (u64, B)>,
    tie_break: &TieBreak,
) -> Result<Tally, TallyError> {
    let limits = &contest.shared.limits;
    let ties = tie_break.encode(contest.paper.options())?;
    // Each tally holds an instance while it waits for more of them; two could wait for each other.
    let _alone = contest.shared.tallying.lock();
    let mut batches = Batches::new(ballots, limits);
    let mut fold = Fold::new(contest);
    if contest.manifest.merges {
        fold.in_parallel(&mut batches)?;
    } else {
        fold.in_order(&mut batches)?;
    }
    let mut instance = match fold.total {
        Some(instance) => instance,
        None => contest.instance(limits.tally_memory_bytes)?,
    };
    let bytes = instance
        .finish(&ties, limits)
        .map_err(TallyError::at("finishing the tally"))?;
    read_outcome(&bytes, contest.paper.options().len()).map_err(|error| TallyError::Fault {
        step: "finishing the tally".into(),
        fault: Fault {
            kind: FaultKind::BadOutput,
            message: error.to_string(),
        },
    })?;
    Ok(Tally {
        outcome: bytes,
        fuel: fold.fuel + instance.fuel_used(),
        ballots: batches.ballots(),
    })
}
