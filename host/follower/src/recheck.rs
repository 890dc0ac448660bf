//! Reading the whole copy again: every certificate, link, signature and root, and an election's
//! board rebuilt from its ballots.

use std::collections::HashMap;

use rayon::prelude::*;
use tabella_ledger::{Election, LedgerError};
use tabella_protocol::{
    Block, BoardEntry, Eligibility, Hash, Payload, Transaction, ValidatorHistory, VoterId,
    merkle::Frontier,
};

use crate::Follower;

/// Problems kept; more than these say nothing new.
const PROBLEMS_MAX: usize = 100;

/// What a re-check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recheck {
    /// Blocks checked.
    pub blocks: u64,
    /// Signatures checked: of certificates and of transactions.
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

impl Recheck {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl Follower {
    /// Checks every stored block against genesis, and the board of an election against the chain's
    /// ballots. Blocks: it reads the whole chain, one block in memory at a time.
    pub fn recheck(&self, election_id: u64) -> Result<Recheck, RecheckError> {
        // In this order: ballots that come in between are in blocks up to the tip.
        let election = self.ledger.election(election_id);
        let election = election.ok_or(RecheckError::UnknownElection(election_id))?;
        let tip = self.tip();
        let mut history = ValidatorHistory::new(self.ledger.genesis());
        let mut found = Recheck::default();
        if let Err(error) = history.extend_all(&self.ledger.validator_sets()?) {
            found.problem(error.to_string());
        }
        let mut walk = Walk {
            follower: self,
            history,
            board: Board::new(&election),
            parent: self.ledger.genesis_hash(),
            found,
        };
        for height in 1..=tip.height {
            walk.block(height)?;
            walk.found.height = height;
        }
        if walk.parent != tip.block_hash {
            let problem = format!("block {} is not the newest one", walk.parent);
            walk.found.problem(problem);
        }
        Ok(walk.finish(&election))
    }
}

struct Walk<'f> {
    follower: &'f Follower,
    history: ValidatorHistory,
    board: Board,
    parent: Hash,
    found: Recheck,
}

impl Walk<'_> {
    fn block(&mut self, height: u64) -> Result<(), LedgerError> {
        let ledger = &self.follower.ledger;
        let Some(stored) = ledger.block(height)? else {
            self.found.problem(format!("block {height} is missing"));
            return Ok(());
        };
        let header = &stored.block.header;
        if header.height != height || header.parent != self.parent {
            self.found
                .problem(format!("block {height} does not follow the one before it"));
        }
        if let Err(error) = self.history.verify_header(header, &stored.certificate) {
            self.found.problem(format!("block {height}: {error}"));
        }
        self.parent = header.hash();
        self.found.blocks += 1;
        self.found.signatures += stored.certificate.signatures.len() as u64;
        let bytes_max = usize::try_from(ledger.genesis().block_bytes_max).unwrap_or(usize::MAX);
        match Block::decode(&stored.bytes, bytes_max) {
            Ok((_, transactions)) => self.transactions(height, transactions),
            Err(error) => self.found.problem(format!("block {height}: {error}")),
        }
        Ok(())
    }

    fn transactions(&mut self, height: u64, transactions: Vec<(Hash, Transaction)>) {
        let chain_id = self.follower.ledger.genesis().chain_id;
        let unsigned: Vec<_> = transactions
            .par_iter()
            .filter(|(_, t)| t.body.chain_id != chain_id || !t.verify())
            .map(|(id, _)| *id)
            .collect();
        for id in unsigned {
            self.found.problem(format!(
                "transaction {id} in block {height} is not signed by its signer for this chain"
            ));
        }
        for (id, transaction) in transactions {
            self.found.signatures += 1;
            match transaction.body.payload {
                Payload::CastBallot {
                    election_id,
                    voter,
                    ballots,
                } if election_id == self.board.election_id => {
                    self.found.ballots += 1;
                    let appended = self
                        .board
                        .append(&id, voter, &ballots, transaction.signer.0);
                    if let Err(problem) = appended {
                        self.found
                            .problem(format!("ballot {id} in block {height} {problem}"));
                    }
                }
                Payload::ExtendRoll {
                    election_id,
                    entries,
                } if election_id == self.board.election_id => {
                    let entries = entries.iter().map(|entry| (entry.voter, entry.weight));
                    self.board.roll.extend(entries);
                }
                _ => {}
            }
        }
    }

    fn finish(mut self, election: &Election) -> Recheck {
        let stated = election.board();
        // Ballots that came after the election was read are no contradiction.
        if self.board.root_at_stated_size != Some(stated.root) {
            self.found.problem(format!(
                "the board of election {} holds {} ballots under {}, but the chain's ballots make {} under {}",
                election.id(),
                stated.size,
                stated.root,
                self.board.frontier.size(),
                self.board.frontier.root(),
            ));
        }
        self.found
    }
}

/// An election's board, rebuilt.
struct Board {
    election_id: u64,
    eligibility: Eligibility,
    stated_size: u64,
    frontier: Frontier,
    /// The root at the moment when the rebuilt board had the stated size.
    root_at_stated_size: Option<Hash>,
    roll: HashMap<VoterId, u32>,
}

impl Board {
    fn new(election: &Election) -> Self {
        let frontier = Frontier::default();
        let stated_size = election.board().size;
        Self {
            election_id: election.id(),
            eligibility: election.spec().eligibility.clone(),
            stated_size,
            root_at_stated_size: (stated_size == 0).then(|| frontier.root()),
            frontier,
            roll: HashMap::new(),
        }
    }

    fn append(
        &mut self,
        transaction_id: &Hash,
        voter: VoterId,
        ballots: &[Vec<u8>],
        signer: [u8; 32],
    ) -> Result<(), &'static str> {
        let entitled = match self.eligibility.registrar() {
            Some(registrar) => registrar.0 == signer,
            None => voter.0 == signer,
        };
        let weight = match self.eligibility.roll() {
            None => Some(1),
            Some(_) => self.roll.get(&voter).copied(),
        };
        let entry = BoardEntry {
            election_id: self.election_id,
            position: self.frontier.size(),
            transaction_id: *transaction_id,
            voter,
            weight: weight.unwrap_or(0),
            ballot_hash: BoardEntry::ballot_hash(ballots),
        };
        self.frontier.push(entry.leaf());
        if self.frontier.size() == self.stated_size {
            self.root_at_stated_size = Some(self.frontier.root());
        }
        if weight.is_none() {
            return Err("is of a voter who is not on the roll");
        }
        if !entitled {
            return Err("is not signed by the party entitled to cast it");
        }
        Ok(())
    }
}
