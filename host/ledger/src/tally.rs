//! Counting a board through the rules of its contests.

use redb::ReadableDatabase;
use tabella_protocol::{Attestation, Hash, Revote, codec};
use tabella_runtime::TallyError;

use crate::{
    Election, Ledger, LedgerError,
    read::{BoardIter, decode},
    store::{OUTCOMES, VOTERS, begin_write},
};

/// The outcomes of one election, one per contest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionTally {
    /// What this node attests.
    pub attestation: Attestation,
    /// Canonical outcome bytes, one per contest.
    pub outcomes: Vec<Vec<u8>>,
}

/// Why an election has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ElectionTallyError {
    /// The rule failed on this board; every honest validator sees the same.
    #[error("contest {contest}: {error}")]
    Rule {
        /// The contest's place.
        contest: usize,
        /// How the rule failed.
        error: TallyError,
    },
    /// The host failed; the node must stop.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ledger {
    /// Counts the board of an election as it stands: deterministic in the board alone.
    ///
    /// Ties are decided from the board's root. Takes time in the number of ballots; commits and
    /// reads go on meanwhile, and ballots that come in meanwhile are not counted.
    pub fn tally(&self, election: &Election) -> Result<ElectionTally, ElectionTallyError> {
        let head = election.board();
        let mut outcomes = Vec::with_capacity(election.contests().len());
        for (place, contest) in election.contests().iter().enumerate() {
            let mut ballots = CountingBallots::new(self, election, place)?;
            let tally = contest.tally(&mut ballots, head.root.0);
            if let Some(error) = ballots.error {
                return Err(error.into());
            }
            match tally {
                Ok(tally) => outcomes.push(tally.outcome),
                Err(TallyError::Host(fault)) => return Err(LedgerError::Host(fault).into()),
                Err(error) => {
                    return Err(ElectionTallyError::Rule {
                        contest: place,
                        error,
                    });
                }
            }
        }
        let attestation = Attestation {
            election_id: election.id(),
            board_root: head.root,
            board_size: head.size,
            plugins: election
                .spec()
                .contests
                .iter()
                .map(|contest| contest.plugin)
                .collect(),
            outcomes: outcomes.iter().map(|outcome| Hash::of(outcome)).collect(),
        };
        Ok(ElectionTally {
            attestation,
            outcomes,
        })
    }

    /// Keeps this node's own tally of a closed election.
    pub fn store_tally(&self, tally: &ElectionTally) -> Result<(), LedgerError> {
        let transaction = begin_write(&self.database)?;
        let bytes = codec::encode(&(&tally.attestation, &tally.outcomes));
        transaction
            .open_table(OUTCOMES)?
            .insert(tally.attestation.election_id, bytes.as_slice())?;
        transaction.commit()?;
        Ok(())
    }

    /// This node's own tally of a closed election, once it has one.
    pub fn stored_tally(&self, election_id: u64) -> Result<Option<ElectionTally>, LedgerError> {
        let table = self.database.begin_read()?.open_table(OUTCOMES)?;
        let Some(bytes) = table.get(election_id)? else {
            return Ok(None);
        };
        let (attestation, outcomes) = decode("stored tally", bytes.value())?;
        Ok(Some(ElectionTally {
            attestation,
            outcomes,
        }))
    }
}

/// The ballots of one contest that count, with their weights, in board order.
struct CountingBallots {
    board: BoardIter,
    voters: redb::ReadOnlyTable<(u64, [u8; 32]), u64>,
    revote: Revote,
    contest: usize,
    error: Option<LedgerError>,
}

impl CountingBallots {
    fn new(ledger: &Ledger, election: &Election, contest: usize) -> Result<Self, LedgerError> {
        let reads = ledger.database.begin_read()?;
        Ok(Self {
            board: BoardIter::new(&reads, election.id(), 0, election.board().size)?,
            voters: reads.open_table(VOTERS)?,
            revote: election.spec().revote,
            contest,
            error: None,
        })
    }

    /// The next counting ballot, or nothing at the end of the board.
    fn next_counting(&mut self) -> Result<Option<(u64, Vec<u8>)>, LedgerError> {
        for record in self.board.by_ref() {
            let record = record?;
            let entry = &record.entry;
            if self.revote == Revote::Last {
                let counting = self.voters.get((entry.election_id, entry.voter.0))?;
                if counting.map(|position| position.value()) != Some(entry.position) {
                    continue;
                }
            }
            let ballot = record.ballots.into_iter().nth(self.contest);
            let ballot = ballot.ok_or_else(|| {
                LedgerError::Corrupt(format!("ballot {} lacks a contest", entry.position))
            })?;
            return Ok(Some((u64::from(entry.weight), ballot)));
        }
        Ok(None)
    }
}

impl Iterator for CountingBallots {
    type Item = (u64, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_counting() {
            Ok(next) => next,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}
