//! Checks an exported election: executes the chain again from genesis, every ballot through its
//! rule, and counts the board again.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use tabella_contest::OutcomeError;
use tabella_follower::{Replay, ReplayError};
use tabella_ledger::{Election, ElectionTallyError, Ledger, LedgerError};
use tabella_protocol::{Attestation, ExportLine, Genesis, Hash, rpc::ElectionStatus};
use tabella_runtime::TallyError;

use crate::{
    lines::{Lines, LinesError},
    scratch::{Scratch, ScratchError},
};

/// How an error about a line ends.
const EXPECTED: &str = " is not of an export, as /api/elections/ID/export answers it";

/// What a check that found nothing wrong found.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The election.
    pub election_id: u64,
    /// Its name.
    pub title: String,
    /// How far the chain has brought it.
    pub status: ElectionStatus,
    /// Blocks executed again.
    pub blocks: u64,
    /// Signatures that hold: of certificates and of transactions.
    pub signatures: u64,
    /// Ballots on the election's board.
    pub ballots: u64,
    /// Voters whose ballot counts.
    pub turnout: u64,
    /// The root of the board.
    pub board_root: Hash,
    /// The count, made again here.
    pub contests: Vec<ContestCount>,
    /// Who certified this very count; nobody yet where it is absent.
    pub certified: Option<Certified>,
}

/// One contest's outcome.
#[derive(Debug, Serialize)]
pub struct ContestCount {
    /// The contest.
    pub id: String,
    /// Its name.
    pub title: String,
    /// SHA-256 of the rule's Wasm bytes, which the chain holds.
    pub plugin: Hash,
    /// SHA-256 of the canonical outcome bytes, which is what validators sign.
    pub outcome_sha256: Hash,
    /// The outcome as people read it.
    pub outcome: Value,
}

/// The quorum behind a result.
#[derive(Debug, Serialize)]
pub struct Certified {
    /// Validators that attested this outcome.
    pub by: usize,
    /// Validators of that height.
    pub of: usize,
    /// The block that made them a quorum.
    pub height: u64,
}

/// What a check is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The block at this height was executed.
    Executed(u64),
    /// All blocks were; the board is counted.
    Counting,
}

/// What does not hold in an export, and where.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A line cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// It does not begin as an export does.
    #[error("expected the genesis of a network on the first line; is this an export?")]
    NoGenesis,
    /// It is another network's.
    #[error("the export is of network {found}, expected {expected}")]
    OtherNetwork {
        /// The export's.
        found: Hash,
        /// That of the genesis given.
        expected: Hash,
    },
    /// It has a second beginning.
    #[error("unexpected second genesis line")]
    SecondGenesis,
    /// A block does not hold.
    #[error("block {height} does not hold")]
    Block {
        /// Its height.
        height: u64,
        /// Why.
        source: ReplayError,
    },
    /// It has no end.
    #[error("the export breaks off before its end; fetch it again")]
    BreaksOff,
    /// Its end speaks of another number of blocks.
    #[error("expected {expected} blocks, got {found}")]
    Blocks {
        /// What the end says.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// It goes on after its end.
    #[error("expected nothing after the end")]
    AfterEnd,
    /// The chain does not have the election.
    #[error("the chain has no election {0}")]
    NoElection(u64),
    /// A rule cannot count its board.
    #[error("the rule of contest {contest:?} cannot count this board: {error}")]
    Rule {
        /// The contest's id.
        contest: String,
        /// Why.
        error: TallyError,
    },
    /// The validators certified another count; the text says which part of it.
    #[error("the validators certified another result than the ballots and rules give: {0}")]
    OtherResult(String),
    /// An outcome cannot be shown.
    #[error(transparent)]
    Outcome(#[from] OutcomeError),
    /// There is nowhere to execute the chain.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// This machine failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Checks the export in `file`, which must be of the network of `genesis`; `on_step` is called after each step.
pub fn check(
    file: &Path,
    genesis: &Genesis,
    mut on_step: impl FnMut(Step),
) -> Result<Verified, CheckError> {
    let mut lines = Lines::open(file, EXPECTED)?;
    let Some(ExportLine::Genesis {
        election_id,
        genesis: exported,
    }) = lines.next()?
    else {
        return Err(CheckError::NoGenesis);
    };
    if exported.hash() != genesis.hash() {
        return Err(CheckError::OtherNetwork {
            found: exported.hash(),
            expected: genesis.hash(),
        });
    }
    let directory = Scratch::new()?;
    let mut replay = Replay::start(directory.path(), *exported)?;
    loop {
        let next = lines.next()?;
        let found = replay.ledger().tip().height;
        match next.ok_or(CheckError::BreaksOff)? {
            ExportLine::Block { block, certificate } => {
                let height = found + 1;
                replay
                    .apply(&block.0, &certificate)
                    .map_err(|source| CheckError::Block { height, source })?;
                on_step(Step::Executed(height));
            }
            ExportLine::End { blocks } if blocks == found => break,
            ExportLine::End { blocks: expected } => {
                return Err(CheckError::Blocks { expected, found });
            }
            ExportLine::Genesis { .. } => return Err(CheckError::SecondGenesis),
        }
    }
    if lines.next()?.is_some() {
        return Err(CheckError::AfterEnd);
    }
    on_step(Step::Counting);
    let ledger = replay.ledger();
    let election = ledger.election(election_id);
    let election = election.ok_or(CheckError::NoElection(election_id))?;
    let counted = count(ledger, &election)?;
    Ok(Verified {
        blocks: ledger.tip().height,
        signatures: replay.signatures(),
        ..counted
    })
}

fn count(ledger: &Ledger, election: &Election) -> Result<Verified, CheckError> {
    let tally = ledger.tally(election).map_err(|error| match error {
        ElectionTallyError::Rule { contest, error } => {
            let id = election.spec().contests.get(contest).map(|c| c.id.as_str());
            CheckError::Rule {
                contest: id.unwrap_or_default().to_owned(),
                error,
            }
        }
        ElectionTallyError::Ledger(error) => error.into(),
    })?;
    let certified = match (election.result(), election.result_height()) {
        (Some(result), Some(height)) => {
            if *result != tally.attestation {
                let difference = difference(result, &tally.attestation);
                return Err(CheckError::OtherResult(difference));
            }
            let set = ledger.validators().at(height).clone();
            let by = election
                .attestations()
                .filter(|(key, attestation, _)| set.contains(key) && *attestation == result)
                .count();
            Some(Certified {
                by,
                of: set.validators.len(),
                height,
            })
        }
        _ => None,
    };
    let contests = election.spec().contests.iter();
    let outcomes = election.contests().iter().zip(&tally.outcomes);
    let contests = contests.zip(outcomes).map(|(spec, (contest, outcome))| {
        Ok(ContestCount {
            id: spec.id.clone(),
            title: spec.title.clone(),
            plugin: spec.plugin,
            outcome_sha256: Hash::of(outcome),
            outcome: contest.outcome_json(outcome)?,
        })
    });
    Ok(Verified {
        election_id: election.id(),
        title: election.spec().title.clone(),
        status: election.status(),
        blocks: 0,
        signatures: 0,
        ballots: election.board().size,
        turnout: election.turnout(),
        board_root: election.board().root,
        contests: contests.collect::<Result<_, OutcomeError>>()?,
        certified,
    })
}

fn difference(certified: &Attestation, counted: &Attestation) -> String {
    let outcomes = certified.outcomes.iter().zip(&counted.outcomes);
    let differing = outcomes
        .enumerate()
        .find(|(_, (certified, counted))| certified != counted);
    match differing {
        Some((contest, (certified, counted))) => format!(
            "outcome {certified} of contest {}, expected {counted}",
            contest + 1
        ),
        None => "they speak of another board".to_owned(),
    }
}
