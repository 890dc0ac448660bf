//! The rule `committee`.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;
use tabella_sdk::{Followed, Lots};

use crate::phragmen::{self, Loads};
use crate::shares::{self, Bounds, Purses};
use crate::thiele;
use crate::voters::Voters;

/// Counts to make of one election where ties are only reported, at most.
const COUNTS_MAX: usize = 256;

/// Pairs of ballot and approved option to look at in all those counts together, at most, if each
/// seat looks at all of them.
const PAIRS_MAX: usize = 2_000_000;

/// The rule `committee`; see the crate's documentation.
pub struct Committee {
    contest: Contest,
    seats: usize,
    method: Method,
}

#[derive(Clone, Copy)]
enum Method {
    SequentialPav,
    Phragmen,
    EqualShares(Completion),
}

#[derive(Clone, Copy)]
enum Completion {
    Phragmen,
    None,
}

/// Elected options in order, and how many of them were paid for by equal shares.
struct Count {
    elected: Vec<usize>,
    bought: usize,
}

impl Rule for Committee {
    type Ballot = Approvals;
    type Tally = Profile<Approvals>;

    const MANIFEST: Manifest = Manifest::new(
        "committee",
        env!("CARGO_PKG_VERSION"),
        "Seats are shared by approvals in proportion to groups of voters who agree.",
    )
    .licence("Apache-2.0")
    .definition(
        "Lackner and Skowron, Multi-Winner Voting with Approval Preferences (2023), chapter 2",
    )
    .params(&[
        Param::integer("seats", 1, 4_096).about("How many options are elected."),
        Param::choice("method", &["sequential-pav", "phragmen", "equal-shares"])
            .default_text("sequential-pav")
            .about("How approvals become seats."),
        Param::choice("completion", &["phragmen", "none"])
            .default_text("phragmen")
            .about("Who fills seats that nobody can pay for, in equal-shares."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let completion = match params.choice("completion") {
            "none" => Completion::None,
            _ => Completion::Phragmen,
        };
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it, so it fits.
            seats: params.integer("seats") as usize,
            method: match params.choice("method") {
                "phragmen" => Method::Phragmen,
                "equal-shares" => Method::EqualShares(completion),
                _ => Method::SequentialPav,
            },
        })
    }

    fn validate(&self, _ballot: &Approvals) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Profile<Approvals> {
        Profile::new()
    }

    fn fold(&self, profile: &mut Profile<Approvals>, ballot: &Approvals, weight: u64) {
        profile.add(ballot, weight);
    }

    fn merge(&self, profile: &mut Profile<Approvals>, other: Profile<Approvals>) {
        profile.merge(&other);
    }

    fn finish(&self, profile: Profile<Approvals>, ties: &mut TieBreak) -> Outcome {
        let voters = Voters::new(&profile, self.contest.len());
        drop(profile);
        let work = voters.pairs().max(1).saturating_mul(self.seats);
        let followed = Lots::follow(
            ties,
            COUNTS_MAX.min(PAIRS_MAX / work),
            |lots| self.count(&voters, lots),
            |count| &count.elected,
        );
        let explanation = self.explain(&voters, &followed, ties);
        let mut outcome = self.contest.outcome(&voters.approvals, followed.winners);
        outcome.explanation = explanation;
        let seat = |option: &usize| Round {
            elected: vec![*option],
            ..Round::default()
        };
        outcome.rounds = followed.count.elected.iter().map(seat).collect();
        outcome
    }
}

impl Committee {
    fn count(&self, voters: &Voters, lots: &mut Lots<'_>) -> Count {
        let seats = self.seats;
        match self.method {
            Method::SequentialPav => Count {
                elected: thiele::elect(voters, seats, lots),
                bought: 0,
            },
            Method::Phragmen => Count {
                elected: phragmen::elect(voters, seats, Vec::new(), Loads::none(voters), lots),
                bought: 0,
            },
            Method::EqualShares(completion) => {
                let mut purses = Purses::equal(voters, seats as u64, voters.total);
                let costs = vec![1; self.contest.len()];
                let mut bounds = Bounds {
                    work: u64::MAX,
                    spent_max: u128::MAX,
                };
                let bought = shares::buy(voters, &costs, &mut purses, &mut bounds, lots);
                let paid = bought.len();
                let elected = match completion {
                    Completion::None => bought,
                    Completion::Phragmen => {
                        phragmen::elect(voters, seats, bought, purses.into_loads(), lots)
                    }
                };
                Count {
                    elected,
                    bought: paid,
                }
            }
        }
    }

    fn explain(&self, voters: &Voters, followed: &Followed<Count>, ties: &TieBreak) -> String {
        let Count { elected, bought } = &followed.count;
        if elected.is_empty() {
            return String::from("No ballot approves of any option, so nobody wins.");
        }
        let list = |options: &[usize]| {
            let mut text = String::new();
            for (position, option) in options.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                let (title, votes) = (self.contest.title(*option), voters.approvals[*option]);
                text.push_str(&format!("{title} ({votes} approvals)"));
            }
            text
        };
        let total = voters.total;
        let mut text = match self.method {
            Method::SequentialPav => format!(
                "Of {total} ballots, each worth 1/(k+1) once k of its options are elected, the \
                 seats went in this order to {}.",
                list(elected)
            ),
            Method::Phragmen => format!(
                "With the least load for {total} ballots, the seats went in this order to {}.",
                list(elected)
            ),
            Method::EqualShares(_) if *bought == 0 => format!(
                "No supporters could pay for a seat from equal shares of {total} ballots; by \
                 Phragmén's method the seats went in this order to {}.",
                list(elected)
            ),
            Method::EqualShares(_) => format!(
                "From equal shares of {total} ballots their supporters paid for {}.",
                list(&elected[..*bought])
            ),
        };
        if *bought > 0 && elected.len() > *bought {
            let rest = list(&elected[*bought..]);
            text.push_str(&format!(
                " The other seats went by Phragmén's method to {rest}."
            ));
        }
        if elected.len() < self.seats {
            let empty = self.seats - elected.len();
            text.push_str(&format!(" Seats left empty: {empty}."));
        }
        text.push_str(&ties.told(&self.contest));
        if followed.winners.len() > elected.len() {
            let also = self.contest.list(&followed.winners[elected.len()..]);
            text.push_str(&format!(
                " Ties were left undecided; depending on them {also} can be elected instead."
            ));
        }
        if followed.cut_short {
            text.push_str(" There are more ways to decide the ties than were followed.");
        }
        text
    }
}
