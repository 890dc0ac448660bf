//! Score voting.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// The highest sum of scores wins; see the crate's documentation.
pub struct Score {
    contest: Contest,
    max: u64,
}

/// Points of each option, and how many ballots there are.
pub struct Sums {
    points: Vec<i128>,
    ballots: u64,
}

tabella_sdk::wire!(Sums { points, ballots });

impl Rule for Score {
    type Ballot = Scores;
    type Tally = Sums;

    const MANIFEST: Manifest = Manifest::new(
        "score",
        env!("CARGO_PKG_VERSION"),
        "A voter scores each option, and the highest sum of scores wins.",
    )
    .licence("Apache-2.0")
    .definition("W. D. Smith, Range voting, 2000")
    .params(&[crate::MAX]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it from below, so it fits.
            max: params.integer("max") as u64,
        })
    }

    fn validate(&self, ballot: &Scores) -> Verdict {
        crate::check_scores(&self.contest, self.max, ballot)
    }

    fn start(&self) -> Sums {
        Sums {
            points: vec![0; self.contest.len()],
            ballots: 0,
        }
    }

    fn fold(&self, sums: &mut Sums, ballot: &Scores, weight: u64) {
        for (option, score) in ballot.values() {
            sums.points[option] += i128::from(score) * i128::from(weight);
        }
        sums.ballots += weight;
    }

    fn merge(&self, sums: &mut Sums, other: Sums) {
        for (points, more) in sums.points.iter_mut().zip(other.points) {
            *points += more;
        }
        sums.ballots += other.ballots;
    }

    fn finish(&self, sums: Sums, ties: &mut TieBreak) -> Outcome {
        let best = self.contest.highest(&sums.points);
        let winners = ties.choose(&best, 1, "the highest score");
        let mut outcome = self.contest.outcome(&sums.points, winners);
        outcome.explanation = self.explain(&sums, &best, &outcome.winners, ties);
        outcome
    }
}

impl Score {
    fn explain(&self, sums: &Sums, best: &[usize], winners: &[usize], ties: &TieBreak) -> String {
        let Some(first) = best.first() else {
            return String::from("No option has a point, so nobody wins.");
        };
        let (most, ballots) = (sums.points[*first], sums.ballots);
        let names = self.contest.list(best);
        match (best, winners) {
            ([_], _) => format!(
                "{names} has the highest score, {most} points from {ballots} ballots, and wins."
            ),
            (_, [winner]) => {
                let (winner, how) = (self.contest.title(*winner), ties.how());
                format!("{names} tie with {most} points; {winner} wins, {how}.")
            }
            _ => format!("{names} tie with {most} points; the tie is not decided."),
        }
    }
}
