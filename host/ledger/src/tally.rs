//! Counting a board through the rules of its contests.

use borsh::{BorshDeserialize, BorshSerialize};
use redb::ReadableDatabase;
use tabella_protocol::{Attestation, BoardEntry, BoardHead, Hash, Revote, codec, merkle::Frontier};
use tabella_runtime::TallyError;

use crate::{
    BallotRecord, Damage, Election, Ledger, LedgerError, board_log,
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
    /// What the ballots that count weigh together.
    pub weight: u64,
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
    /// The host failed, or what is stored is damaged.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Damage> for ElectionTallyError {
    fn from(damage: Damage) -> Self {
        Self::Ledger(damage.into())
    }
}

impl Ledger {
    /// Counts the board of an election as it stands: deterministic in the board alone.
    ///
    /// Ties are decided from the board's root. Takes time in the number of ballots; commits and
    /// reads go on meanwhile, and ballots that come in meanwhile are not counted.
    ///
    /// The board's root is recomputed of the ballots that are counted: those of a changed disk are
    /// [damaged](LedgerError::Damaged), and no outcome comes of them.
    pub fn tally(&self, election: &Election) -> Result<ElectionTally, ElectionTallyError> {
        let tally = self.tally_contests(election);
        if let Err(ElectionTallyError::Ledger(LedgerError::Damaged(damage))) = &tally {
            self.note(damage);
        }
        tally
    }

    fn tally_contests(&self, election: &Election) -> Result<ElectionTally, ElectionTallyError> {
        let head = election.board();
        let mut outcomes = Vec::with_capacity(election.contests().len());
        let mut weight = 0;
        for (place, contest) in election.contests().iter().enumerate() {
            let mut ballots = CountingBallots::new(self, election, place)?;
            let tally = contest.tally(&mut ballots, head.root.0);
            // A rule that gave up may have met a ballot that nobody cast.
            ballots.by_ref().for_each(drop);
            if let Some(error) = ballots.error {
                return Err(self.located(election, error).into());
            }
            // The same in every contest.
            weight = ballots.weight;
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
        let hashes = outcomes.iter().map(|outcome| Hash::of(outcome));
        let attestation = attestation_of(election, hashes.collect());
        Ok(ElectionTally {
            attestation,
            outcomes,
            weight,
        })
    }

    /// Keeps this node's own tally of a closed election.
    pub fn store_tally(&self, tally: &ElectionTally) -> Result<(), LedgerError> {
        let transaction = begin_write(&self.database)?;
        let record = Record {
            attestation: tally.attestation.clone(),
            outcomes: tally.outcomes.clone(),
            weight: tally.weight,
            check: weight_check(&tally.attestation, tally.weight),
        };
        let bytes = codec::encode(&record);
        transaction
            .open_table(OUTCOMES)?
            .insert(tally.attestation.election_id, bytes.as_slice())?;
        transaction.commit()?;
        Ok(())
    }

    /// This node's own tally of a closed election, once it has one: of this board and these rules, and
    /// with the outcomes that it names. One that an earlier version stored does not say what the ballots weigh,
    /// and is none: the board is counted again.
    pub fn stored_tally(&self, election_id: u64) -> Result<Option<ElectionTally>, LedgerError> {
        let table = self.database.begin_read()?.open_table(OUTCOMES)?;
        let Some(bytes) = table.get(election_id)? else {
            return Ok(None);
        };
        self.noted(
            self.stored(election_id, bytes.value())
                .map_err(LedgerError::from),
        )
    }

    fn stored(&self, election_id: u64, bytes: &[u8]) -> Result<Option<ElectionTally>, Damage> {
        let at = format!("election {election_id}");
        let Record {
            attestation,
            outcomes,
            weight,
            check,
        } = match decode("outcomes", &at, bytes) {
            Ok(record) => record,
            Err(damage) => {
                let earlier = decode::<(Attestation, Vec<Vec<u8>>)>("outcomes", &at, bytes);
                return earlier.map(|_| None).map_err(|_| damage);
            }
        };
        let hashes = outcomes.iter().map(|outcome| Hash::of(outcome));
        let expected = self
            .election(election_id)
            .map(|election| attestation_of(&election, hashes.collect()));
        let is_whole = check == weight_check(&attestation, weight);
        if expected.as_ref() != Some(&attestation) || !is_whole {
            let what = "the stored outcomes are not those that were attested of this board";
            return Err(Damage::new("outcomes", at, what));
        }
        Ok(Some(ElectionTally {
            attestation,
            outcomes,
            weight,
        }))
    }

    /// Names the first ballot that is not as its board has it, where that is what is wrong.
    fn located(&self, election: &Election, error: LedgerError) -> LedgerError {
        let LedgerError::Damaged(damage) = &error else {
            return error;
        };
        if damage.table != BOARD_AS_A_WHOLE {
            return error;
        }
        let head = election.board();
        match self.first_that_differs(&head) {
            Ok(Some(damage)) => damage.into(),
            Ok(None) => error,
            Err(unreadable) => unreadable,
        }
    }

    fn first_that_differs(&self, head: &BoardHead) -> Result<Option<Damage>, LedgerError> {
        let reads = self.database.begin_read()?;
        let tiles = reads.open_table(board_log::TILES)?;
        for record in BoardIter::new(&reads, head.election_id, 0, head.size)? {
            let BallotRecord { entry, height, .. } = record?;
            let (id, position) = (entry.election_id, entry.position);
            if board_log::leaf(&tiles, id, position)? != Some(entry.leaf()) {
                let at = format!("election {id}, position {position}, block {height}");
                let what = "the ballot is not the one that the board commits to";
                // Where the block is damaged itself, this says so.
                self.whole_block(height)?;
                return Ok(Some(Damage::new("board", at, what)));
            }
        }
        Ok(None)
    }
}

/// What is stored of a tally.
#[derive(BorshSerialize, BorshDeserialize)]
struct Record {
    attestation: Attestation,
    outcomes: Vec<Vec<u8>>,
    weight: u64,
    /// The weight is in no attestation: this tells whether it is as it was stored.
    check: Hash,
}

fn weight_check(attestation: &Attestation, weight: u64) -> Hash {
    Hash::of(&codec::encode(&(attestation, weight)))
}

/// What a validator attests of an election with these outcomes.
fn attestation_of(election: &Election, outcomes: Vec<Hash>) -> Attestation {
    let head = election.board();
    let contests = election.spec().contests.iter();
    Attestation {
        election_id: election.id(),
        board_root: head.root,
        board_size: head.size,
        plugins: contests.map(|contest| contest.plugin).collect(),
        outcomes,
    }
}

/// The table that is named until the ballot is found that makes the board another.
const BOARD_AS_A_WHOLE: &str = "board";

/// The ballots of one contest that count, with their weights, in board order. The end of the board is
/// reached only with the root that the chain commits to.
struct CountingBallots {
    board: BoardIter,
    voters: redb::ReadOnlyTable<(u64, [u8; 32]), u64>,
    revote: Revote,
    contest: usize,
    head: BoardHead,
    /// Of all ballots so far, the counted and the others.
    frontier: Frontier,
    counted: u64,
    weight: u64,
    /// How many count in the end, where no more can come.
    turnout: Option<u64>,
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
            head: election.board(),
            frontier: Frontier::default(),
            counted: 0,
            weight: 0,
            turnout: election.is_closed().then_some(election.turnout()),
            error: None,
        })
    }

    /// The next counting ballot, or nothing at the end of the board.
    fn next_counting(&mut self) -> Result<Option<(u64, Vec<u8>)>, LedgerError> {
        for record in self.board.by_ref() {
            let record = record?;
            let entry = &record.entry;
            self.frontier.push(entry.leaf());
            if self.revote == Revote::Last {
                let voter = (entry.election_id, entry.voter.0);
                let counting = self.voters.get(voter)?.map(|position| position.value());
                match counting {
                    Some(position) if position == entry.position => {}
                    Some(position) if position > entry.position => continue,
                    _ => return Err(unnamed(entry).into()),
                }
            }
            self.counted += 1;
            self.weight += u64::from(entry.weight);
            let ballot = record.ballots.into_iter().nth(self.contest);
            let ballot = ballot.ok_or_else(|| {
                let at = format!(
                    "election {}, position {}",
                    entry.election_id, entry.position
                );
                Damage::new("blocks", at, "the ballot lacks a contest")
            })?;
            return Ok(Some((u64::from(entry.weight), ballot)));
        }
        self.check_end()?;
        Ok(None)
    }

    fn check_end(&self) -> Result<(), Damage> {
        let BoardHead {
            election_id,
            size,
            root,
        } = self.head;
        let at = format!("election {election_id}");
        let found = (self.frontier.size(), self.frontier.root());
        if found != (size, root) {
            let what = format!(
                "its {} ballots make {}, and the chain commits to {size} that make {root}",
                found.0, found.1
            );
            return Err(Damage::new(BOARD_AS_A_WHOLE, at, what));
        }
        match self.turnout {
            Some(turnout) if turnout != self.counted => {
                let counted = self.counted;
                let what = format!("they count {counted} ballots, and the chain {turnout} voters");
                Err(Damage::new("voters", at, what))
            }
            _ => Ok(()),
        }
    }
}

/// Damage of the entry of a voter that does not know a ballot of this voter.
fn unnamed(entry: &BoardEntry) -> Damage {
    let at = format!("election {}, voter {}", entry.election_id, entry.voter);
    let what = format!(
        "it does not know this voter's ballot at position {}",
        entry.position
    );
    Damage::new("voters", at, what)
}

impl Iterator for CountingBallots {
    type Item = (u64, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.error.is_some() {
            return None;
        }
        match self.next_counting() {
            Ok(next) => next,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}
