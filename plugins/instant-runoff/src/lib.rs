//! Instant-runoff voting: each ballot counts for its best-ranked continuing option; the option with
//! the fewest votes is eliminated, round by round, until one has a majority.
//!
//! Definition: Burlington, Vermont, city charter §5 (as in force in 2009), whose count of
//! 3 March 2009 the tests reproduce; in what it does not decide otherwise, Robert's Rules of Order,
//! 12th edition, 45:62. `law` sets all parameters as one statute does: Maine, 21-A M.R.S. §723-A;
//! Alaska Statutes 15.15.350; New York City Charter §1057-g; Minneapolis Code of Ordinances §167.60;
//! San Francisco Charter §13.102. A parameter that is given replaces the statute's.
//!
//! A rank with several marks (`overvote`):
//! - `exhaust-if-multiple-continuing`: ends the ballot if two or more of its options continue when it
//!   is reached, and counts for the one that does otherwise, as in Burlington; where nobody recorded
//!   which options were marked, it ends the ballot;
//! - `exhaust`: always ends the ballot when it is reached;
//! - `skip`: is passed over, and its options count where they stand again.
//!
//! `skipped_ranks`: how many skipped ranks in a row are passed over, 1 unless said otherwise; one more
//! ends the ballot. Ranks that are skipped after the last mark do not matter. `repeated`: an option
//! that stood at a better rank is passed over (`skip`) or ends the ballot (`exhaust`). `ranks_max`:
//! how many ranks are read. `undeclared`: options that leave first and cannot win. `minimum_votes`: who has fewer
//! first votes leaves after round 1.
//!
//! `seats`: more than one are filled by `several_seats`: `block`, one after another, each by a count of all
//! ballots without those who are elected; or `bottoms-up`, by one count in which the last leave until as many
//! are left as there are seats. Neither shares seats among groups of voters, as `stv` does.
//!
//! Ties (`ties`): with `earlier-rounds` the tied option leaves that had the fewest votes in the round before,
//! and so on back. A tie for elimination that is left is decided by the contest's tie-break, which eliminates the tied
//! option that stands last in its order. Where ties are only reported, every way to decide each of
//! them is followed (up to a bound); the winners are all options that win in one of them. A contest
//! has at most 256 options.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod count;
mod explain;
mod law;
mod universes;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::MarkRules;
use tabella_sdk::prelude::*;

use count::{Ballots, Count};
use law::Law;

/// Options of a contest, at most: with more, the rounds could exceed what an outcome may hold.
const OPTIONS_MAX: usize = 256;

/// The rule; see the crate's documentation.
pub struct InstantRunoff {
    contest: Contest,
    law: Law,
    marks: MarkRules,
    /// By option, whether it stands for write-ins who did not declare.
    undeclared: Vec<bool>,
    /// First votes without which an option leaves after round 1.
    minimum_votes: u64,
    seats: usize,
    several: Several,
    ties: Ties,
}

/// What is looked at where votes are equal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    /// The tie-break at once.
    TieBreak,
    /// The rounds before, the last one first.
    EarlierRounds,
}

/// How several seats are filled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Several {
    /// One after another, each by a count of all ballots without those who are elected.
    Block,
    /// By one count, until as many are left.
    BottomsUp,
}

impl InstantRunoff {
    /// Whether a further count fills a further seat.
    pub(crate) fn has_more_seats(&self, elected: &[usize]) -> bool {
        let is_by_counts = self.several == Several::Block;
        is_by_counts && elected.len() < self.seats && elected.len() < self.contest.len()
    }
}

impl Rule for InstantRunoff {
    type Ballot = MarkedRanking;
    type Tally = Profile<Ranking>;

    const MANIFEST: Manifest = Manifest::new(
        "instant-runoff",
        env!("CARGO_PKG_VERSION"),
        "The option with the fewest votes is eliminated and its ballots pass on, round by round.",
    )
    .licence("Apache-2.0")
    .definition("Burlington, Vermont, city charter §5 (2009); Robert's Rules of Order 45:62")
    .params(law::PARAMS);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        if options > OPTIONS_MAX {
            return Err(ConfigError::new(format!(
                "every round is listed: expected at most {OPTIONS_MAX} options, found {options}"
            )));
        }
        let law = Law::of(params);
        let mut undeclared = vec![false; options];
        for id in params.texts("undeclared") {
            match (0..options).find(|option| contest.id(*option) == id) {
                Some(option) => undeclared[option] = true,
                None => {
                    return Err(ConfigError::new(format!(
                        "undeclared: expected the id of an option, found {id:?}"
                    )));
                }
            }
        }
        Ok(Self {
            contest: contest.clone(),
            law,
            marks: law.marks(),
            undeclared,
            // The manifest bounds it from below by 0.
            minimum_votes: params.integer("minimum_votes").unsigned_abs(),
            seats: params.integer("seats").unsigned_abs() as usize,
            several: match params.choice("several_seats") {
                "bottoms-up" => Several::BottomsUp,
                _ => Several::Block,
            },
            ties: match params.choice("ties") {
                "earlier-rounds" => Ties::EarlierRounds,
                _ => Ties::TieBreak,
            },
        })
    }

    fn validate(&self, _ballot: &MarkedRanking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Profile<Ranking> {
        Profile::new()
    }

    fn fold(&self, profile: &mut Profile<Ranking>, ballot: &MarkedRanking, weight: u64) {
        match self.marks.as_plain(ballot) {
            Some(plain) => profile.add(plain, weight),
            None => {
                let plain = self.marks.plain_bytes(ballot, self.contest.len());
                profile.add(Ranking::view_again(&plain), weight);
            }
        }
    }

    fn merge(&self, profile: &mut Profile<Ranking>, other: Profile<Ranking>) {
        profile.merge(&other);
    }

    fn finish(&self, profile: Profile<Ranking>, ties: &mut TieBreak) -> Outcome {
        let ballots: Ballots<'_> = profile.iter().collect();
        let count = Count::run(self, &ballots, ties);
        let mut winners = count.winners();
        let is_undecided = ties.ties().iter().any(|tie| tie.decided_by == "report");
        if ties.only_reports() && is_undecided {
            let possible = universes::winners(self, &ballots);
            // Where the ties make no difference, the order of election stays.
            if possible.len() != winners.len() || possible.iter().any(|o| !winners.contains(o)) {
                winners = possible;
            }
        }
        let votes: Vec<u64> = count.last_totals.clone();
        let mut outcome = self.contest.outcome(&votes, winners);
        outcome.explanation =
            explain::paragraph(&self.contest, &count, &outcome.winners, ties.ties());
        outcome.rounds = count.rounds;
        outcome
    }
}
