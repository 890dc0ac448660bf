//! Reading the whole copy again: every value of every table, every certificate and signature.

use tabella_ledger::{LedgerError, Progress, Scrub, Signatures};

use crate::Follower;

/// Problems shown; more than these say nothing new.
const PROBLEMS_MAX: usize = 100;

/// What a re-check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recheck {
    /// Blocks checked.
    pub blocks: u64,
    /// Signatures checked: of certificates, acks and transactions.
    pub signatures: u64,
    /// Ballots of the election checked against its board.
    pub ballots: u64,
    /// The height up to which was checked.
    pub height: u64,
    /// What is wrong; nothing if all is well.
    pub problems: Vec<String>,
}

/// Why a re-check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecheckError {
    /// The proven chain has no such election.
    #[error("election {0} is not on the chain")]
    UnknownElection(u64),
    /// The copy cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Follower {
    /// Checks everything that is stored against genesis, and with it the board of an election. Blocks:
    /// it reads the whole chain, one block in memory at a time.
    pub fn recheck(&self, election_id: u64) -> Result<Recheck, RecheckError> {
        if self.ledger.election(election_id).is_none() {
            return Err(RecheckError::UnknownElection(election_id));
        }
        let mut scrub = Scrub::new(&self.ledger, Signatures::All);
        while scrub.step(&self.ledger)? == Progress::Going {}
        let damage = scrub.damage().iter().map(ToString::to_string);
        let mut problems: Vec<String> = damage.chain(scrub.problems().iter().cloned()).collect();
        problems.truncate(PROBLEMS_MAX);
        let checked = scrub.checked();
        Ok(Recheck {
            blocks: checked.blocks,
            signatures: checked.signatures,
            ballots: scrub.ballots_of(election_id),
            height: checked.blocks,
            problems,
        })
    }
}
