//! What a machine and the world around it say to each other.

use std::{fmt, time::Duration};

use arc_malachitebft_core_types::Timeout;
use bytes::Bytes;
use tabella_protocol::{CommitCertificate, Evidence, Hash, PublicKey};

use super::wire::Wire;
use crate::{Fatal, UndecidedBlock};

/// What the machine asks of the world.
pub trait Outside {
    /// Asked before every effect. With `false` the process dies here: the effect does not happen and
    /// the machine is of no use any more.
    fn is_alive(&mut self) -> bool;

    /// The valid blocks stored for a round, as
    /// [`Application::undecided`](crate::Application::undecided) answers.
    fn undecided(&mut self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal>;

    /// Something to do; what it answers comes back as a later call to the machine.
    fn act(&mut self, act: Act);
}

/// Something that the machine asks to be done.
#[derive(Debug, Clone)]
pub enum Act {
    /// Send this to every other validator.
    Send(Wire),
    /// Call `Machine::elapsed` after this long.
    StartTimer(Timer, Duration),
    /// Build the block of this round, for `Machine::built`.
    Build {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
    },
    /// Check a body, for `Machine::checked`.
    Check(Received),
    /// Find the body of a stored block, for `Machine::publish`.
    FindBody {
        /// The height.
        height: u64,
        /// The round in which to send it.
        round: u32,
        /// The block.
        block_hash: Hash,
    },
    /// Commit a decided block.
    Commit(CommitCertificate),
    /// The height is over: once its block is committed, the next may start (`Machine::start`).
    Finalized {
        /// The height.
        height: u64,
        /// Who contradicted itself meanwhile.
        evidence: Vec<Evidence>,
    },
}

/// A block body that the application must check.
#[derive(Debug, Clone)]
pub struct Received {
    /// The height.
    pub height: u64,
    /// The round in which it came.
    pub round: u32,
    /// Who proposed it in that round.
    pub proposer: PublicKey,
    /// The body.
    pub body: Bytes,
    pub(super) source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// In parts, announced as this block.
    Parts(Hash),
    /// From a peer that is ahead, with a certificate of this block.
    Sync(Hash),
}

impl Received {
    /// Whether it came with a commit certificate.
    pub fn is_synced(&self) -> bool {
        matches!(self.source, Source::Sync(_))
    }
}

/// A timer that was started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    pub(super) timeout: Timeout,
    pub(super) number: u64,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.timeout.kind, self.timeout.round)
    }
}

/// Why a machine is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// [`Outside::is_alive`] said so.
    #[error("the process died")]
    Died,
    /// A node would stop with this error.
    #[error("{0}")]
    Failed(String),
}

pub(super) fn failed(error: impl fmt::Display) -> Stopped {
    Stopped::Failed(error.to_string())
}
