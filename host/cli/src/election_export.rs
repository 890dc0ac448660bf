//! Checks an exported election: executes the chain again from genesis, every ballot through its
//! rule, and counts the board again.

use std::{fs::File, io::BufRead, path::Path};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use tabella_follower::Replay;
use tabella_ledger::{Election, ElectionTallyError, Ledger};
use tabella_protocol::{Attestation, ExportLine, Genesis, Hash, rpc::ElectionStatus};

use crate::scratch::Scratch;

/// What a check that found nothing wrong found.
#[derive(Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) election_id: u64,
    pub(crate) title: String,
    pub(crate) status: ElectionStatus,
    /// Blocks executed again.
    pub(crate) blocks: u64,
    /// Signatures that hold: of certificates and of transactions.
    pub(crate) signatures: u64,
    /// Ballots on the election's board.
    pub(crate) ballots: u64,
    /// Voters whose ballot counts.
    pub(crate) turnout: u64,
    /// The root of the board.
    pub(crate) board_root: Hash,
    /// The count, made again here.
    pub(crate) contests: Vec<ContestCount>,
    /// Who certified this very count; nobody yet where it is absent.
    pub(crate) certified: Option<Certified>,
}

/// One contest's outcome.
#[derive(Debug, Serialize)]
pub(crate) struct ContestCount {
    pub(crate) id: String,
    pub(crate) title: String,
    /// SHA-256 of the rule's Wasm bytes, which the chain holds.
    pub(crate) plugin: Hash,
    /// SHA-256 of the canonical outcome bytes, which is what validators sign.
    pub(crate) outcome_sha256: Hash,
    pub(crate) outcome: Value,
}

/// The quorum behind a result.
#[derive(Debug, Serialize)]
pub(crate) struct Certified {
    /// Validators that attested this outcome.
    pub(crate) by: usize,
    /// Validators of that height.
    pub(crate) of: usize,
    /// The block that made them a quorum.
    pub(crate) height: u64,
}

/// Checks the export in `file`, which must be of the network of `genesis`. An error says what does
/// not hold and where.
pub(crate) fn check(file: &Path, genesis: &Genesis) -> Result<Verified> {
    let mut lines = Lines::open(file)?;
    let Some(ExportLine::Genesis {
        election_id,
        genesis: exported,
    }) = lines.next()?
    else {
        bail!("expected the genesis of a network on the first line; is this an export?");
    };
    if exported.hash() != genesis.hash() {
        bail!(
            "the export is of network {}, expected {}",
            exported.hash(),
            genesis.hash()
        );
    }
    let directory = Scratch::new()?;
    let mut replay = Replay::start(directory.path(), *exported)?;
    let style = ProgressStyle::with_template("{spinner} {msg} {pos}")?;
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.set_message("executing block");
    loop {
        let next = lines.next()?;
        let height = replay.ledger().tip().height;
        match next.context("the export breaks off before its end; fetch it again")? {
            ExportLine::Block { block, certificate } => {
                replay
                    .apply(&block.0, &certificate)
                    .with_context(|| format!("block {} does not hold", height + 1))?;
                progress.inc(1);
            }
            ExportLine::End { blocks } if blocks == height => break,
            ExportLine::End { blocks } => bail!("expected {blocks} blocks, got {height}"),
            ExportLine::Genesis { .. } => bail!("unexpected second genesis line"),
        }
    }
    if lines.next()?.is_some() {
        bail!("expected nothing after the end");
    }
    progress.set_message("counting the board after block");
    let ledger = replay.ledger();
    let election = ledger.election(election_id);
    let election = election.with_context(|| format!("the chain has no election {election_id}"))?;
    let counted = count(ledger, &election)?;
    progress.finish_and_clear();
    Ok(Verified {
        blocks: ledger.tip().height,
        signatures: replay.signatures(),
        ..counted
    })
}

fn count(ledger: &Ledger, election: &Election) -> Result<Verified> {
    let tally = ledger.tally(election).map_err(|error| match error {
        ElectionTallyError::Rule { contest, error } => {
            let id = election.spec().contests.get(contest).map(|c| c.id.as_str());
            anyhow::anyhow!(
                "the rule of contest {:?} cannot count this board: {error}",
                id.unwrap_or_default()
            )
        }
        ElectionTallyError::Ledger(error) => error.into(),
    })?;
    let certified = match (election.result(), election.result_height()) {
        (Some(result), Some(height)) => {
            if *result != tally.attestation {
                bail!(
                    "the validators certified another result than the ballots and rules give: {}",
                    difference(result, &tally.attestation)
                );
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
        contests: contests.collect::<Result<_>>()?,
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

/// The lines of an export, with their numbers for errors.
struct Lines<'f> {
    file: &'f Path,
    lines: std::io::Lines<std::io::BufReader<File>>,
    number: u64,
}

impl<'f> Lines<'f> {
    fn open(file: &'f Path) -> Result<Self> {
        let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Self {
            file,
            lines: std::io::BufReader::new(opened).lines(),
            number: 0,
        })
    }

    fn next(&mut self) -> Result<Option<ExportLine>> {
        self.number += 1;
        let place = || {
            format!(
                "line {} of {} is not of an export, as /api/elections/ID/export answers it",
                self.number,
                self.file.display()
            )
        };
        let Some(line) = self.lines.next() else {
            return Ok(None);
        };
        let line = line.with_context(place)?;
        serde_json::from_str(&line).with_context(place).map(Some)
    }
}
