//! How far what is acknowledged is carried now: the level of service, and whether there is a quorum.
//!
//! `Seen::service` computes both from observations alone, without clock or network; `watch` makes the
//! observations and announces changes.

mod watch;

use std::time::Duration;

pub(crate) use watch::watch;
pub use watch::{Levels, Now};

/// How long a block proves a quorum although too few validators can be reached from here; and how
/// long a ballot may wait with a validator while no block comes before the quorum counts as lost. An
/// idle network makes a block a second.
const BLOCK_PROVES: Duration = Duration::from_secs(3);

/// The level of service: who takes a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The network takes it, and nothing is missing.
    Whole,
    /// A validator takes it, and something is missing.
    Partial,
    /// The local ledger takes it, because no validator does.
    Local,
    /// The database alone takes it, because the local ledger failed too.
    Database,
    /// Nothing takes it: the database failed.
    Nothing,
}

impl Level {
    /// The number of the level, 1 to 4; 0 where no ballot is taken.
    pub fn number(self) -> u8 {
        match self {
            Self::Whole => 1,
            Self::Partial => 2,
            Self::Local => 3,
            Self::Database => 4,
            Self::Nothing => 0,
        }
    }
}

/// Whether the network decides blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// It does, as far as can be seen.
    Present,
    /// Too few validators can be reached, and no block says otherwise.
    Unreached,
    /// Enough validators answer, and decide nothing.
    Stalled,
}

impl Quorum {
    /// Whether ballots are confirmed.
    pub fn is_present(self) -> bool {
        self == Self::Present
    }
}

/// What was observed at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Validators of the chain's current set.
    pub members: usize,
    /// How many of them decide a block.
    pub threshold: usize,
    /// How many of them are healthy.
    pub healthy: usize,
    /// How many of them answer and take part in consensus: no fewer than are healthy.
    pub able: usize,
    /// Whether any validator can be given a ballot.
    pub is_connected: bool,
    /// How long ago the newest certified block came, where one has since the start.
    pub block_age: Option<Duration>,
    /// Whether that block is newer than any that was known of when validators last became too few.
    pub is_block_after_loss: bool,
    /// Whether a validator has held a ballot for longer than a block takes.
    pub is_waiting: bool,
    /// Whether the database takes writes.
    pub has_database: bool,
    /// Whether the local ledger takes ballots.
    pub has_local_ledger: bool,
}

/// What that means for a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Who takes it.
    pub level: Level,
    /// Whether it is confirmed.
    pub quorum: Quorum,
}

impl Seen {
    pub(crate) fn service(&self) -> Service {
        let quorum = self.quorum();
        let is_whole = quorum.is_present() && self.healthy >= self.members;
        let level = match (self.has_database, self.is_connected, self.has_local_ledger) {
            (false, _, _) => Level::Nothing,
            (true, true, _) if is_whole => Level::Whole,
            (true, true, _) => Level::Partial,
            (true, false, true) => Level::Local,
            (true, false, false) => Level::Database,
        };
        Service { level, quorum }
    }

    fn quorum(&self) -> Quorum {
        let is_block_new = self.block_age.is_some_and(|age| age < BLOCK_PROVES);
        if !self.is_connected {
            return Quorum::Unreached;
        }
        if self.able >= self.threshold {
            return match self.is_waiting && !is_block_new {
                true => Quorum::Stalled,
                false => Quorum::Present,
            };
        }
        // A certified block outweighs what this backend can reach.
        match self.is_block_after_loss && is_block_new {
            true => Quorum::Present,
            false => Quorum::Unreached,
        }
    }

    /// What the service means now, for people. `rule` is the quorum rule of the chain.
    pub fn meaning(&self, rule: tabella_protocol::Quorum) -> String {
        let Self {
            members,
            threshold,
            healthy,
            able,
            ..
        } = *self;
        match self.service() {
            Service {
                level: Level::Nothing,
                ..
            } => "the database takes no writes: no ballot is accepted until it does".to_owned(),
            Service {
                level: Level::Local,
                ..
            } => format!(
                "none of {members} validators can be reached: ballots are kept in this backend's signed ledger, and submitted as soon as one can be"
            ),
            Service {
                level: Level::Database,
                ..
            } => format!(
                "none of {members} validators can be reached and the local ledger failed: ballots are kept in the database, and submitted as soon as a validator can be reached"
            ),
            Service {
                quorum: Quorum::Unreached,
                ..
            } => format!(
                "{able} of {members} validators can be reached and {threshold} are needed: ballots are accepted and wait, none is confirmed until {threshold} are there"
            ),
            Service {
                quorum: Quorum::Stalled,
                ..
            } => format!(
                "{able} of {members} validators answer and decide no block: ballots are accepted and wait, none is confirmed until blocks come again"
            ),
            Service {
                level: Level::Partial,
                quorum: Quorum::Present,
            } => match healthy.saturating_sub(threshold) {
                0 => format!(
                    "{healthy} of {members} validators are healthy and {threshold} are needed: ballots are confirmed, and one more crash stops that"
                ),
                spare => format!(
                    "{healthy} of {members} validators are healthy and {threshold} are needed: goes on with {spare} more crashed"
                ),
            },
            Service {
                level: Level::Whole,
                quorum: Quorum::Present,
            } => when_whole(rule, members),
        }
    }
}

/// Which faults a network survives of which nothing is missing.
fn when_whole(rule: tabella_protocol::Quorum, members: usize) -> String {
    match rule {
        tabella_protocol::Quorum::Majority => format!(
            "goes on with {} of {members} validators crashed; a lying validator is caught, not masked",
            rule.tolerates_crashed(members)
        ),
        tabella_protocol::Quorum::Bft => format!(
            "goes on with {} of {members} validators crashed or lying",
            rule.tolerates_byzantine(members)
        ),
    }
}

#[cfg(test)]
mod tests;
