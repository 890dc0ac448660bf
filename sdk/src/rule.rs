//! The trait that makes a struct a rule.

use alloc::string::String;

use crate::ballot::Ballot;
use crate::codec::Wire;
use crate::{Contest, Manifest, Outcome, Params, TieBreak};

/// An election rule: what makes a ballot valid, and how ballots become a result.
///
/// The host calls `configure` once per contest, then `validate` on each ballot, each time in a
/// fresh instance. To tally it splits the board into parts, folds each part into a tally of its
/// own, merges the tallies in order, and finishes the last one. Only valid ballots are folded.
pub trait Rule: Sized {
    /// The kind of ballot; one of [`crate::ballot`].
    type Ballot: Ballot + ?Sized;

    /// What folding accumulates: counters, a [`Profile`](crate::Profile), or a struct of such for
    /// which [`wire!`](crate::wire) is called.
    type Tally: Wire;

    /// Name, version, parameters.
    const MANIFEST: Manifest;

    /// Sets the rule up for one contest, or says why these parameters make no sense.
    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError>;

    /// Judges one ballot. Its form is already checked: it names only options of the contest, each
    /// once; in a [`MarkedRanking`](crate::ballot::MarkedRanking), once a rank.
    fn validate(&self, ballot: &Self::Ballot) -> Verdict;

    /// A tally of no ballots.
    fn start(&self) -> Self::Tally;

    /// Adds one valid ballot that counts `weight` times.
    fn fold(&self, tally: &mut Self::Tally, ballot: &Self::Ballot, weight: u64);

    /// Adds another part of the board. Must give what folding that part's ballots would have given,
    /// as far as `finish` can tell.
    fn merge(&self, tally: &mut Self::Tally, other: Self::Tally);

    /// Counts the tally out. Ties go through `ties`, which fills [`Outcome::ties`].
    fn finish(&self, tally: Self::Tally, ties: &mut TieBreak) -> Outcome;
}

/// A rule's answer about one ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ballot is valid.
    Accept,
    /// The ballot is refused.
    Reject {
        /// Names the reason to machines: from 2 on; 1 is [`Verdict::MALFORMED`].
        code: u32,
        /// Names the reason to the voter; cut off after 256 bytes.
        message: String,
    },
}

impl Verdict {
    /// The code of ballots whose bytes are not a ballot of the rule's kind.
    pub const MALFORMED: u32 = 1;

    /// Refuses a ballot.
    pub fn reject(code: u32, message: impl Into<String>) -> Self {
        Self::Reject {
            code,
            message: message.into(),
        }
    }
}

/// Why a rule cannot run a contest with the given parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    /// Says which parameter, what was expected and what came.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0
    }
}
