//! Instant-runoff voting: each ballot counts for its best-ranked continuing option; the option with
//! the fewest votes is eliminated, round by round, until one has a majority.
//!
//! Definition: Burlington, Vermont, city charter §5 (as in force in 2009), whose count of
//! 3 March 2009 the tests reproduce; the same procedure as Robert's Rules of Order, 12th edition,
//! 45:62, and Maine, 21-A M.R.S. §723-A.
//!
//! A rank with several marks (`overvote`):
//! - `exhaust-if-multiple-continuing`: ends the ballot if two or more of its options continue when it
//!   is reached, and counts for the one that does otherwise, as in Burlington;
//! - `exhaust`: always ends the ballot when it is reached;
//! - `skip`: is passed over.
//!
//! Ties: a tie for elimination is decided by the contest's tie-break, which eliminates the tied
//! option that stands last in its order. Where ties are only reported, every way to decide each of
//! them is followed (up to a bound); the winners are all options that win in one of them. A contest
//! has at most 256 options.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod count;
mod explain;
mod universes;

use alloc::format;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use count::{Ballots, Count};

/// Options of a contest, at most: with more, the rounds could exceed what an outcome may hold.
const OPTIONS_MAX: usize = 256;

/// The rule; see the crate's documentation.
pub struct InstantRunoff {
    contest: Contest,
    overvote: Overvote,
    batch_elimination: bool,
    until: Until,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overvote {
    ExhaustIfMultipleContinuing,
    Exhaust,
    Skip,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Majority,
    Two,
}

impl Rule for InstantRunoff {
    type Ballot = Ranking;
    type Tally = Profile<Ranking>;

    const MANIFEST: Manifest = Manifest::new(
        "instant-runoff",
        env!("CARGO_PKG_VERSION"),
        "The option with the fewest votes is eliminated and its ballots pass on, round by round.",
    )
    .licence("Apache-2.0")
    .definition("Burlington, Vermont, city charter §5 (2009); Robert's Rules of Order 45:62")
    .params(&[
        Param::choice(
            "overvote",
            &["exhaust-if-multiple-continuing", "exhaust", "skip"],
        )
        .default_text("exhaust-if-multiple-continuing")
        .about("What becomes of a ballot at a rank with several marks."),
        Param::flag("batch_elimination").default_flag(false).about(
            "Eliminate at once all last options that cannot overtake the next even together.",
        ),
        Param::choice("until", &["majority", "two"])
            .default_text("majority")
            .about(
                "Stop at a majority of the votes that still count, or when two options are left.",
            ),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        if options > OPTIONS_MAX {
            return Err(ConfigError::new(format!(
                "every round is listed: expected at most {OPTIONS_MAX} options, found {options}"
            )));
        }
        Ok(Self {
            contest: contest.clone(),
            overvote: match params.choice("overvote") {
                "exhaust" => Overvote::Exhaust,
                "skip" => Overvote::Skip,
                _ => Overvote::ExhaustIfMultipleContinuing,
            },
            batch_elimination: params.flag("batch_elimination"),
            until: match params.choice("until") {
                "two" => Until::Two,
                _ => Until::Majority,
            },
        })
    }

    fn validate(&self, _ballot: &Ranking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Profile<Ranking> {
        Profile::new()
    }

    fn fold(&self, profile: &mut Profile<Ranking>, ballot: &Ranking, weight: u64) {
        profile.add(ballot, weight);
    }

    fn merge(&self, profile: &mut Profile<Ranking>, other: Profile<Ranking>) {
        profile.merge(&other);
    }

    fn finish(&self, profile: Profile<Ranking>, ties: &mut TieBreak) -> Outcome {
        let ballots: Ballots<'_> = profile.iter().collect();
        let count = Count::run(self, &ballots, ties);
        let winners = if ties.only_reports() && !ties.ties().is_empty() {
            universes::winners(self, &ballots)
        } else {
            count.winner.into_iter().collect()
        };
        let votes: Vec<u64> = count.last_totals.clone();
        let mut outcome = self.contest.outcome(&votes, winners);
        outcome.explanation = explain::paragraph(&self.contest, &count, &outcome.winners);
        outcome.rounds = count.rounds;
        outcome
    }
}
