//! The scrub: reads every table of the chain's database again, a block at a time, and names what is not
//! what the chain committed to.
//!
//! Headers stand under certificates, and everything else under headers; copies (places of transactions,
//! boards, rolls, heads, trees) are compared with the blocks that they were copied from. One [`Scrub`] is
//! one pass. It holds a frontier for each board and reads each block in a transaction of its own, so a
//! pass may take as long as it likes while blocks are committed.
//!
//! - `block`: a block, its certificate, acks and indexes; `boards`: the ballots of a block;
//!   `whole`: what is compared at the newest block; `place`: what is kept of a pass over a restart.

mod block;
mod boards;
mod place;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableDatabase;
use tabella_protocol::{Hash, merkle::Frontier};

use crate::{Damage, Ledger, LedgerError};

/// Findings of a pass that are kept; more than these say nothing new.
const FOUND_MAX: usize = 100;

/// Whether the signatures of transactions are verified again, which their block's certificate covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Those of certificates and acks alone: what a changed byte can have changed.
    OfValidators,
    /// Those of transactions, too: for whoever believes no quorum.
    All,
}

/// How far a pass is after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More steps are to come.
    Going,
    /// Everything up to the newest block was looked at.
    Done,
}

/// What a pass looked at so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Blocks, of which this is the height of the last.
    pub blocks: u64,
    /// Signatures.
    pub signatures: u64,
    /// Ballots.
    pub ballots: u64,
}

/// One pass through a ledger's tables.
pub struct Scrub {
    signatures: Signatures,
    /// The hash of the last block, where it is known.
    parent: Option<Hash>,
    boards: BTreeMap<u64, Frontier>,
    /// Boards that cannot be followed any further.
    lost: BTreeSet<u64>,
    /// Ballots that count, of the elections that were closed when the pass began.
    counting: BTreeMap<u64, u64>,
    checked: Checked,
    /// Damage that was known when the pass began.
    before: Vec<Damage>,
    damage: Vec<Damage>,
    problems: Vec<String>,
}

impl Scrub {
    /// A pass from the first block on.
    pub fn new(ledger: &Ledger, signatures: Signatures) -> Self {
        let elections = ledger.elections();
        let closed = elections.iter().filter(|election| election.is_closed());
        Self {
            signatures,
            parent: Some(ledger.genesis_hash()),
            boards: BTreeMap::new(),
            lost: BTreeSet::new(),
            counting: closed.map(|election| (election.id(), 0)).collect(),
            checked: Checked::default(),
            before: ledger.damage(),
            damage: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What was looked at so far.
    pub fn checked(&self) -> Checked {
        self.checked
    }

    /// How many ballots of an election were checked with its board.
    pub fn ballots_of(&self, election_id: u64) -> u64 {
        self.boards.get(&election_id).map_or(0, Frontier::size)
    }

    /// The damage found so far, at most a hundred.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// What is wrong beside damage: transactions that were never signed.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Looks at the next block or, past the newest, at what belongs to no block.
    ///
    /// The ledger [remembers](Ledger::damage) what is found. An error is the host's.
    pub fn step(&mut self, ledger: &Ledger) -> Result<Progress, LedgerError> {
        let state = ledger.state();
        let reads = ledger.database.begin_read()?;
        if self.checked.blocks < state.tip.height {
            let height = self.checked.blocks + 1;
            self.block(ledger, &reads, &state.validators, height)?;
            self.checked.blocks = height;
            return Ok(Progress::Going);
        }
        self.whole(ledger, &reads, &state)
    }

    fn found(&mut self, ledger: &Ledger, damage: Damage) {
        ledger.note(&damage);
        if self.damage.len() < FOUND_MAX {
            self.damage.push(damage);
        }
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < FOUND_MAX {
            self.problems.push(problem);
        }
    }
}
