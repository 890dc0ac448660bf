//! Counting a board through a plugin.
//!
//! The board is cut into batches, and batches into chunks, by [`PluginLimits`](crate::PluginLimits) alone. Each
//! chunk is folded by an instance of its own, on any thread, and the chunks' states are merged in
//! order. So the outcome and the fuel are those of the protocol, not of the machine.

use sha2::{Digest, Sha256};
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Decider, TieOrder};
use thiserror::Error;

use crate::configured::Configured;
use crate::fold::Fold;
use crate::instance::CallError;
use crate::outcome;
use crate::verdict::{Fault, FaultKind, HostFault};
use tabella_limits::PluginLimits;

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

/// Who decides ties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TieBreak {
    /// Lots drawn from a seed that nobody could choose, such as the closed board's root.
    Seed([u8; 32]),
    /// These option ids win ties in this order; options that are left out follow as on the paper.
    Order(Vec<String>),
    /// Nobody: every tied option is reported.
    Report,
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
    #[error("ballot {position} has {bytes} bytes, at most {bytes_max} allowed")]
    BallotTooLong {
        /// Its position, from 0.
        position: u64,
        /// Its length.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The order that breaks ties names something that is not an option, or one twice.
    #[error("the tie-break order names {0:?}, which is not an option or was named before")]
    TieOrder(String),
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
    let ties = tie_order(contest, tie_break)?;
    // Each tally holds an instance while it waits for more of them; two could wait for each other.
    let _alone = contest.shared.tallying.lock();
    let mut batches = Batches {
        ballots: ballots.fuse(),
        limits,
        position: 0,
        chunks: 0,
        bytes_before: 0,
        held_back: None,
    };
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
    outcome::read(&bytes, contest.options.len()).map_err(|message| TallyError::Fault {
        step: "finishing the tally".into(),
        fault: Fault {
            kind: FaultKind::BadOutput,
            message,
        },
    })?;
    Ok(Tally {
        outcome: bytes,
        fuel: fold.fuel + instance.fuel_used(),
        ballots: batches.position,
    })
}

/// The input of `finish`: which option wins ties against which.
fn tie_order(contest: &Configured, tie_break: &TieBreak) -> Result<Vec<u8>, TallyError> {
    let options = &contest.options;
    let mut order: Vec<usize> = (0..options.len()).collect();
    let decider = match tie_break {
        TieBreak::Report => Decider::Report,
        TieBreak::Seed(seed) => {
            order.sort_by_cached_key(|option| lot(seed, &options[*option].id));
            Decider::Seed
        }
        TieBreak::Order(ids) => {
            let mut first: Vec<usize> = Vec::new();
            for id in ids {
                let option = options.iter().position(|option| option.id == *id);
                match option.filter(|option| !first.contains(option)) {
                    Some(option) => first.push(option),
                    None => return Err(TallyError::TieOrder(id.clone())),
                }
            }
            order.retain(|option| !first.contains(option));
            first.append(&mut order);
            order = first;
            Decider::Order
        }
    };
    Ok(TieOrder { decider, order }.to_wire())
}

/// An option's lot: the lower wins. It depends on the option's id, not on its place on the paper.
fn lot(seed: &[u8; 32], id: &str) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"tabella tie-break 1\0");
    hash.update(seed);
    hash.update(id);
    hash.finalize().into()
}

/// Ballots as `fold` reads them: for each its weight, its length and its bytes.
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    first: u64,
    count: u64,
}

impl Batch {
    pub(crate) fn step(&self) -> String {
        format!(
            "folding ballots {} to {}",
            self.first,
            self.first + self.count - 1
        )
    }
}

/// Batches that one instance folds.
pub(crate) struct Chunk {
    /// Its place on the board, from 0.
    pub(crate) number: u64,
    pub(crate) batches: Vec<Batch>,
}

pub(crate) struct Batches<'a, I, B> {
    ballots: std::iter::Fuse<I>,
    limits: &'a PluginLimits,
    /// Of the next ballot.
    position: u64,
    /// Cut so far.
    chunks: u64,
    /// The last batch's length, which the next one's will be about.
    bytes_before: usize,
    /// A ballot that did not fit the last batch.
    held_back: Option<(u64, B)>,
}

impl<I: Iterator<Item = (u64, B)>, B: AsRef<[u8]>> Batches<'_, I, B> {
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, TallyError> {
        // A weight and a length in their longest forms.
        const HEAD_BYTES_MAX: u64 = 20;
        let mut batch = Batch {
            bytes: Vec::with_capacity(self.bytes_before + self.bytes_before / 8),
            first: self.position,
            count: 0,
        };
        while batch.count < self.limits.batch_ballots.max(1) {
            let Some((weight, ballot)) = self.held_back.take().or_else(|| self.ballots.next())
            else {
                break;
            };
            let bytes = ballot.as_ref();
            let (len, most) = (bytes.len() as u64, self.limits.ballot_bytes);
            if len > most {
                let position = self.position;
                return Err(TallyError::BallotTooLong {
                    position,
                    bytes: len,
                    bytes_max: most,
                });
            }
            let full = batch.bytes.len() as u64 + HEAD_BYTES_MAX + len > self.limits.batch_bytes;
            if full && batch.count > 0 {
                self.held_back = Some((weight, ballot));
                break;
            }
            put_varint(&mut batch.bytes, weight);
            put_varint(&mut batch.bytes, len);
            batch.bytes.extend_from_slice(bytes);
            batch.count += 1;
            self.position += 1;
        }
        self.bytes_before = batch.bytes.len();
        Ok((batch.count > 0).then_some(batch))
    }

    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>, TallyError> {
        let mut batches = Vec::new();
        while (batches.len() as u64) < self.limits.chunk_batches.max(1) {
            match self.next()? {
                Some(batch) => batches.push(batch),
                None => break,
            }
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let number = self.chunks;
        self.chunks += 1;
        Ok(Some(Chunk { number, batches }))
    }
}
