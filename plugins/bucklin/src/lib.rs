//! Bucklin voting: first ranks are counted; as long as no option is on the ballots of a majority,
//! the next ranks are added.
//!
//! Definition: the charter of Grand Junction, Colorado, of 1909, article II, written by J. W. Bucklin;
//! described by C. G. Hoag and G. H. Hallett, "Proportional Representation", 1926, §§485 to 490. Here
//! voters may rank any number of options, and every rank is counted where it is needed.
//!
//! A majority is more than half of the ballots that rank at least one option. In the first round in
//! which options have one, the option with the most votes wins. Where all ranks are counted and none
//! has a majority, the most votes win. Options that share a rank are all counted in its round, and
//! the next rank in the next round.
//!
//! Ties are decided by the contest's tie-break. Where no ballot ranks an option, nobody wins. A
//! contest has at most 256 options: the rounds are kept for all.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// Options of a contest, at most.
const OPTIONS_MAX: usize = 256;

/// The rule; see the crate's documentation.
pub struct Bucklin {
    contest: Contest,
}

/// How often each option has each rank.
pub struct Ranks {
    /// By rank, then by option. As many ranks as occurred.
    votes: Vec<Vec<u64>>,
    /// Ballots that rank an option, and those that rank none.
    ballots: u64,
    blank: u64,
}

tabella_sdk::wire!(Ranks {
    votes,
    ballots,
    blank
});

impl Rule for Bucklin {
    type Ballot = Ranking;
    type Tally = Ranks;

    const MANIFEST: Manifest = Manifest::new(
        "bucklin",
        env!("CARGO_PKG_VERSION"),
        "First ranks are counted, then the next ranks added, until an option has a majority.",
    )
    .licence("Apache-2.0")
    .definition("Charter of Grand Junction, Colorado, 1909, article II");

    fn configure(_params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        if options > OPTIONS_MAX {
            return Err(ConfigError::new(format!(
                "every rank of every option is shown: expected at most {OPTIONS_MAX} options, \
                 found {options}"
            )));
        }
        Ok(Self {
            contest: contest.clone(),
        })
    }

    fn validate(&self, _ballot: &Ranking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Ranks {
        Ranks {
            votes: Vec::new(),
            ballots: 0,
            blank: 0,
        }
    }

    fn fold(&self, ranks: &mut Ranks, ballot: &Ranking, weight: u64) {
        for (position, rank) in ballot.ranks().enumerate() {
            if position == ranks.votes.len() {
                ranks.votes.push(vec![0; self.contest.len()]);
            }
            for option in rank.options() {
                ranks.votes[position][option] += weight;
            }
        }
        if ballot.is_empty() {
            ranks.blank += weight;
        } else {
            ranks.ballots += weight;
        }
    }

    fn merge(&self, ranks: &mut Ranks, other: Ranks) {
        for (position, row) in other.votes.into_iter().enumerate() {
            if position == ranks.votes.len() {
                ranks.votes.push(row);
                continue;
            }
            for (votes, more) in ranks.votes[position].iter_mut().zip(row) {
                *votes += more;
            }
        }
        ranks.ballots += other.ballots;
        ranks.blank += other.blank;
    }

    fn finish(&self, ranks: Ranks, ties: &mut TieBreak) -> Outcome {
        let mut votes = vec![0; self.contest.len()];
        let mut rounds = Vec::new();
        let mut has_majority = false;
        for row in &ranks.votes {
            for (votes, more) in votes.iter_mut().zip(row) {
                *votes += more;
            }
            let totals = votes.iter().enumerate();
            rounds.push(Round {
                totals: totals
                    .map(|(option, votes)| (option, (*votes).into()))
                    .collect(),
                ..Round::default()
            });
            has_majority = votes.iter().any(|votes| *votes > ranks.ballots / 2);
            if has_majority {
                break;
            }
        }
        let best = self.contest.highest(&votes);
        let question = format!("the most votes in round {}", rounds.len());
        let winners = ties.choose(&best, 1, &question);
        if let Some(last) = rounds.last_mut() {
            last.elected = winners.clone();
        }
        let mut outcome = self.contest.outcome(&votes, winners);
        outcome.explanation = self.explain(
            &ranks,
            &votes,
            rounds.len(),
            has_majority,
            &outcome,
            &ties.how(),
        );
        outcome.rounds = rounds;
        outcome
    }
}

impl Bucklin {
    fn explain(
        &self,
        ranks: &Ranks,
        votes: &[u64],
        rounds: usize,
        has_majority: bool,
        outcome: &Outcome,
        how: &str,
    ) -> String {
        let best = self.contest.highest(votes);
        let Some(first) = best.first() else {
            return String::from("No ballot ranks an option, so nobody wins.");
        };
        let (most, ballots) = (votes[*first], ranks.ballots);
        let when = match (rounds, has_majority) {
            (1, true) => String::from("With first ranks counted"),
            (_, true) => format!("With ranks 1 to {rounds} counted, and not before"),
            (1, false) => String::from("Nobody has a majority; with first ranks counted"),
            (_, false) => format!("Nobody has a majority; with ranks 1 to {rounds} counted"),
        };
        let names = self.contest.list(&best);
        let end = match (&best[..], &outcome.winners[..]) {
            ([_], _) => String::from("and wins"),
            (_, [winner]) => format!("and {} wins, {how}", self.contest.title(*winner)),
            _ => String::from("and the tie is not decided"),
        };
        let verb = if best.len() == 1 { "is" } else { "are each" };
        let what = if has_majority {
            "a majority and the most"
        } else {
            "the most"
        };
        format!("{when}, {names} {verb} on {most} of {ballots} ballots, {what}, {end}.")
    }
}
