//! Plurality: each mark is a vote, and the most votes win ("first past the post"; block vote where
//! several options may be marked).
//!
//! Definition: the most votes cast elect, as in the Representation of the People Act 1983 (UK),
//! schedule 1, rules 18 and 50. Ties: the act draws lots; here the contest's tie-break decides.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// The rule; see the crate's documentation.
pub struct Plurality {
    contest: Contest,
    choices_max: usize,
}

/// Marks for each option, and blank ballots.
pub struct Marks {
    votes: Vec<u64>,
    blank: u64,
}

tabella_sdk::wire!(Marks { votes, blank });

impl Rule for Plurality {
    type Ballot = Choices;
    type Tally = Marks;

    const MANIFEST: Manifest = Manifest::new(
        "plurality",
        env!("CARGO_PKG_VERSION"),
        "Each mark is a vote, and the most votes win.",
    )
    .licence("Apache-2.0")
    .definition("Representation of the People Act 1983 (UK), schedule 1, rules 18 and 50")
    .params(&[Param::integer("max_choices", 1, 4_096)
        .default_integer(1)
        .about("How many options a voter may mark.")]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        // The manifest bounds it, so it fits.
        let choices_max = params.integer("max_choices") as usize;
        Ok(Self {
            contest: contest.clone(),
            choices_max,
        })
    }

    fn validate(&self, ballot: &Choices) -> Verdict {
        let marked = ballot.len();
        if marked > self.choices_max {
            let options = if self.choices_max == 1 {
                "option"
            } else {
                "options"
            };
            return Verdict::reject(
                2,
                format!("mark at most {} {options}, not {marked}", self.choices_max),
            );
        }
        Verdict::Accept
    }

    fn start(&self) -> Marks {
        Marks {
            votes: vec![0; self.contest.len()],
            blank: 0,
        }
    }

    fn fold(&self, marks: &mut Marks, ballot: &Choices, weight: u64) {
        if ballot.is_empty() {
            marks.blank += weight;
        }
        for option in ballot.options() {
            marks.votes[option] += weight;
        }
    }

    fn merge(&self, marks: &mut Marks, other: Marks) {
        for (votes, more) in marks.votes.iter_mut().zip(other.votes) {
            *votes += more;
        }
        marks.blank += other.blank;
    }

    fn finish(&self, marks: Marks, ties: &mut TieBreak) -> Outcome {
        let best = self.contest.highest(&marks.votes);
        let winners = ties.choose(&best, 1, "the most votes");
        let mut outcome = self.contest.outcome(&marks.votes, winners);
        outcome.explanation = self.explain(&marks, &best, &outcome.winners, ties);
        outcome
    }
}

impl Plurality {
    fn explain(&self, marks: &Marks, best: &[usize], winners: &[usize], ties: &TieBreak) -> String {
        let Some(first) = best.first() else {
            return String::from("No option has a vote, so nobody wins.");
        };
        let most = marks.votes[*first];
        let all: u64 = marks.votes.iter().sum();
        let names = self.contest.list(best);
        let blank = match marks.blank {
            0 => String::new(),
            blank => format!(" {blank} ballots were blank."),
        };
        match (best, winners) {
            ([_], _) => format!("{names} has the most votes, {most} of {all}, and wins.{blank}"),
            (_, [winner]) => {
                let (winner, how) = (self.contest.title(*winner), ties.how());
                format!("{names} tie with {most} of {all} votes; {winner} wins, {how}.{blank}")
            }
            _ => format!("{names} tie with {most} of {all} votes; the tie is not decided.{blank}"),
        }
    }
}
