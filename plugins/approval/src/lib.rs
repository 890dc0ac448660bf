//! Approval voting: a voter approves of any number of options, and the most approvals win.
//!
//! Definition: S. J. Brams and P. C. Fishburn, "Approval Voting", American Political Science Review
//! 72(3), 1978, pp. 831 to 847. The tests reproduce the mayoral primary of St. Louis, Missouri, of
//! 2 March 2021, held under Proposition D (2020).
//!
//! Ties are decided by the contest's tie-break. Where no option is approved of, nobody wins.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// The rule; see the crate's documentation.
pub struct Approval {
    contest: Contest,
    choices_min: usize,
    choices_max: Option<usize>,
}

/// Approvals of each option, and how many ballots gave them.
pub struct Count {
    approvals: Vec<u64>,
    ballots: u64,
}

tabella_sdk::wire!(Count { approvals, ballots });

impl Rule for Approval {
    type Ballot = Approvals;
    type Tally = Count;

    const MANIFEST: Manifest = Manifest::new(
        "approval",
        env!("CARGO_PKG_VERSION"),
        "A voter approves of any number of options, and the most approvals win.",
    )
    .licence("Apache-2.0")
    .definition(
        "Brams and Fishburn, Approval Voting, American Political Science Review 72(3), 1978",
    )
    .params(&[
        Param::integer("min_choices", 0, 4_096)
            .default_integer(0)
            .about("How many options a voter must approve of at least."),
        Param::integer("max_choices", 1, 4_096)
            .optional()
            .about("How many options a voter may approve of at most; all of them when left out."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        // The manifest bounds both, so they fit.
        let choices_min = params.integer("min_choices") as usize;
        let choices_max = params
            .optional_integer("max_choices")
            .map(|max| max as usize);
        let options = contest.len();
        if choices_min > options {
            return Err(ConfigError::new(format!(
                "min_choices is {choices_min}, but there are only {options} options to approve of"
            )));
        }
        match choices_max {
            Some(max) if max < choices_min => Err(ConfigError::new(format!(
                "max_choices is {max}, expected at least min_choices, which is {choices_min}"
            ))),
            _ => Ok(Self {
                contest: contest.clone(),
                choices_min,
                choices_max,
            }),
        }
    }

    fn validate(&self, ballot: &Approvals) -> Verdict {
        let approved = ballot.len();
        match self.choices_max {
            Some(max) if approved > max => Verdict::reject(
                2,
                format!("approve of at most {}, not {approved}", options(max)),
            ),
            _ if approved < self.choices_min => Verdict::reject(
                3,
                format!(
                    "approve of at least {}, not {approved}",
                    options(self.choices_min)
                ),
            ),
            _ => Verdict::Accept,
        }
    }

    fn start(&self) -> Count {
        Count {
            approvals: vec![0; self.contest.len()],
            ballots: 0,
        }
    }

    fn fold(&self, count: &mut Count, ballot: &Approvals, weight: u64) {
        for option in ballot.options() {
            count.approvals[option] += weight;
        }
        count.ballots += weight;
    }

    fn merge(&self, count: &mut Count, other: Count) {
        for (approvals, more) in count.approvals.iter_mut().zip(other.approvals) {
            *approvals += more;
        }
        count.ballots += other.ballots;
    }

    fn finish(&self, count: Count, ties: &mut TieBreak) -> Outcome {
        let best = self.contest.highest(&count.approvals);
        let winners = ties.choose(&best, 1, "the most approvals");
        let mut outcome = self.contest.outcome(&count.approvals, winners);
        outcome.explanation = self.explain(&count, &best, &outcome.winners, ties);
        outcome
    }
}

impl Approval {
    fn explain(&self, count: &Count, best: &[usize], winners: &[usize], ties: &TieBreak) -> String {
        let Some(first) = best.first() else {
            return String::from("No option is approved of, so nobody wins.");
        };
        let (most, ballots) = (count.approvals[*first], count.ballots);
        let names = self.contest.list(best);
        match (best, winners) {
            ([_], _) => {
                format!("{names} has the most approvals, on {most} of {ballots} ballots, and wins.")
            }
            (_, [winner]) => {
                let (winner, how) = (self.contest.title(*winner), ties.how());
                format!(
                    "{names} tie with approvals on {most} of {ballots} ballots; \
                     {winner} wins, {how}."
                )
            }
            _ => format!(
                "{names} tie with approvals on {most} of {ballots} ballots; the tie is not decided."
            ),
        }
    }
}

/// So many options, in words that agree.
fn options(count: usize) -> String {
    match count {
        1 => String::from("1 option"),
        _ => format!("{count} options"),
    }
}
