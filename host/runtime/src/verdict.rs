//! What a plugin answers about a ballot, and the ways it can fail to answer.

use std::fmt;

use thiserror::Error;

/// A plugin's answer about one ballot.
///
/// Consensus sees only accept, reject with its code, or fault. Messages are for people and must
/// never be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ballot is valid.
    Accept,
    /// The rule refuses the ballot.
    Reject {
        /// The rule's own code; never 0.
        code: u32,
        /// The rule's own words.
        message: String,
    },
    /// The plugin failed; the ballot is not accepted.
    Fault(Fault),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accepted"),
            Self::Reject { code, message } if message.is_empty() => {
                write!(f, "refused with code {code}")
            }
            Self::Reject { message, .. } => write!(f, "refused: {message}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

/// How a plugin failed. Every host that runs it fails the same way.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the plugin {kind}: {message}")]
pub struct Fault {
    /// The class of failure.
    pub kind: FaultKind,
    /// What happened, with the plugin's panic message where it left one.
    pub message: String,
}

/// The classes of failure of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It used all its fuel.
    OutOfFuel,
    /// It panicked or executed a trapping operator.
    Trap,
    /// It was refused memory beyond its limit, and trapped.
    OutOfMemory,
    /// Its calls nested beyond the stack limit.
    OutOfStack,
    /// It answered bytes that are outside its memory, over a limit, or not what the ABI asks for.
    BadOutput,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfFuel => "ran out of fuel",
            Self::Trap => "trapped",
            Self::OutOfMemory => "ran out of memory",
            Self::OutOfStack => "ran out of stack",
            Self::BadOutput => "gave a bad answer",
        })
    }
}

/// The host itself failed: the operating system refused memory, or an invariant broke.
///
/// What the plugin would have answered is unknown, so a node that meets this must stop instead of
/// guessing and diverging.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the host could not run the plugin: {0}")]
pub struct HostFault(pub(crate) String);
