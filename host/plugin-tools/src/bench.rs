//! Fuel and time per ballot, against the limits.

use std::time::Instant;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_runtime::{Contest, HostFault, PluginLimits, TallyError, Verdict};
use thiserror::Error;

/// Why there are no figures.
#[derive(Debug, Error)]
pub enum BenchError {
    /// No ballot is accepted.
    #[error(
        "the rule accepts none of {ballots} ballots, the first: {first}; give some with --ballots"
    )]
    NoBallots {
        /// How many were tried.
        ballots: usize,
        /// What the rule says of the first.
        first: String,
    },
    /// The tally failed.
    #[error(transparent)]
    Tally(#[from] TallyError),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

/// What was measured. Fuel is exact and the same everywhere; times are this machine's.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Ballots that the rule accepted and that were measured.
    pub ballots: usize,
    /// Mean fuel of one `validate`.
    pub validate_fuel: u64,
    /// The most fuel that one `validate` took.
    pub validate_fuel_most: u64,
    /// What one `validate` may take.
    pub validate_fuel_max: u64,
    /// Nanoseconds of one `validate`, fresh instance included, on one thread.
    pub validate_ns: u64,
    /// Ballots of the measured tally.
    pub tally_ballots: usize,
    /// Fuel of the tally by ballot.
    pub tally_fuel: u64,
    /// Fuel of a full batch, about.
    pub batch_fuel: u64,
    /// What a batch may take.
    pub batch_fuel_max: u64,
    /// Nanoseconds of the tally by ballot.
    pub tally_ns: u64,
}

impl Figures {
    /// All of it as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "ballots": self.ballots,
            "validate": {
                "fuel": self.validate_fuel, "fuel_most": self.validate_fuel_most,
                "fuel_max": self.validate_fuel_max, "ns": self.validate_ns,
                "per_second": per_second(self.validate_ns),
            },
            "tally": {
                "ballots": self.tally_ballots, "fuel_per_ballot": self.tally_fuel,
                "fuel_per_batch": self.batch_fuel, "fuel_per_batch_max": self.batch_fuel_max,
                "ns_per_ballot": self.tally_ns, "per_second": per_second(self.tally_ns),
            },
        })
    }
}

/// How many in a second.
pub fn per_second(ns: u64) -> u64 {
    1_000_000_000 / ns.max(1)
}

/// Measures a contest with these ballots; the tally repeats them up to `tally_ballots`.
pub fn measure(
    contest: &Contest,
    ballots: &[Vec<u8>],
    tally_ballots: usize,
    limits: &PluginLimits,
) -> Result<Figures, BenchError> {
    let mut accepted = Vec::new();
    let (mut fuel_sum, mut fuel_most) = (0, 0);
    let mut first = None;
    for ballot in ballots {
        let (verdict, fuel) = contest.validate_metered(ballot)?;
        if verdict == Verdict::Accept {
            fuel_sum += fuel;
            fuel_most = fuel_most.max(fuel);
            accepted.push(ballot);
        } else {
            first.get_or_insert(verdict);
        }
    }
    if accepted.is_empty() {
        return Err(BenchError::NoBallots {
            ballots: ballots.len(),
            first: first.map_or_else(|| "none fits the contest".into(), |first| first.to_string()),
        });
    }
    let count = accepted.len() as u64;
    let start = Instant::now();
    for ballot in &accepted {
        contest.validate(ballot)?;
    }
    let validate_ns = nanoseconds(start) / count;
    let board = accepted.iter().cycle().take(tally_ballots.max(1));
    let board: Vec<(u64, &Vec<u8>)> = board.map(|ballot| (1, *ballot)).collect();
    let start = Instant::now();
    let tally = contest.tally_with(board.iter().copied(), &TieBreak::Report)?;
    let tally_ns = nanoseconds(start) / board.len() as u64;
    let tally_fuel = tally.fuel / board.len() as u64;
    Ok(Figures {
        ballots: accepted.len(),
        validate_fuel: fuel_sum / count,
        validate_fuel_most: fuel_most,
        validate_fuel_max: limits.validate_fuel,
        validate_ns,
        tally_ballots: board.len(),
        tally_fuel,
        batch_fuel: tally_fuel.saturating_mul(limits.batch_ballots),
        batch_fuel_max: limits.fold_fuel,
        tally_ns,
    })
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
