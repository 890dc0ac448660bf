//! Rules in which voters spread credits over options, and the most votes win.
//!
//! - [`Cumulative`]: a vote costs one credit. Definition: Constitution of Illinois of 1870, article IV,
//!   §§7 and 8, by which voters could "distribute the same, or equal parts thereof, among the
//!   candidates"; here votes are whole.
//! - [`Quadratic`]: v votes for one option cost v² credits. Definition: S. P. Lalley and E. G. Weyl,
//!   "Quadratic voting", AEA Papers and Proceedings 108, 2018, pp. 33 to 37, with votes for options
//!   only, as held by the Democratic caucus of Colorado's House in 2019.
//!
//! Credits need not all be spent. Ties are decided by the contest's tie-break. Where no option has a
//! vote, nobody wins.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use tabella_sdk::prelude::*;

/// A vote costs one credit.
pub type Cumulative = Credits<OneEach>;
/// Votes for one option cost their square.
pub type Quadratic = Credits<Square>;

/// What votes cost.
pub trait Price {
    /// Name, version, parameters.
    const MANIFEST: Manifest;

    /// The credits that so many votes for one option cost; `None` where that exceeds 128 bits.
    fn of(votes: u64) -> Option<u128>;
}

/// The price of [`Cumulative`].
pub struct OneEach;

/// The price of [`Quadratic`].
pub struct Square;

const CREDITS: Param =
    Param::integer("credits", 1, 1_000_000_000).about("The credits that each voter can spend.");

impl Price for OneEach {
    const MANIFEST: Manifest = Manifest::new(
        "cumulative",
        env!("CARGO_PKG_VERSION"),
        "Voters spread a number of votes over the options as they like, and the most votes win.",
    )
    .licence("Apache-2.0")
    .definition("Constitution of Illinois of 1870, article IV, sections 7 and 8")
    .params(&[CREDITS]);

    fn of(votes: u64) -> Option<u128> {
        Some(votes.into())
    }
}

impl Price for Square {
    const MANIFEST: Manifest = Manifest::new(
        "quadratic",
        env!("CARGO_PKG_VERSION"),
        "Votes for an option cost their square in credits, and the most votes win.",
    )
    .licence("Apache-2.0")
    .definition("Lalley and Weyl, AEA Papers and Proceedings 108, 2018, pp. 33-37")
    .params(&[CREDITS]);

    fn of(votes: u64) -> Option<u128> {
        u128::from(votes).checked_mul(votes.into())
    }
}

/// A rule in which votes cost credits.
pub struct Credits<P> {
    contest: Contest,
    credits: u128,
    price: PhantomData<P>,
}

/// Votes of each option, and how many ballots there are.
pub struct Given {
    votes: Vec<i128>,
    ballots: u64,
}

tabella_sdk::wire!(Given { votes, ballots });

impl<P: Price> Rule for Credits<P> {
    type Ballot = Votes;
    type Tally = Given;

    const MANIFEST: Manifest = P::MANIFEST;

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it from below, so it fits.
            credits: params.integer("credits") as u128,
            price: PhantomData,
        })
    }

    fn validate(&self, ballot: &Votes) -> Verdict {
        let add = |sum: u128, (_, votes): (usize, u64)| sum.checked_add(P::of(votes)?);
        match ballot.values().try_fold(0, add) {
            Some(cost) if cost <= self.credits => Verdict::Accept,
            Some(cost) => Verdict::reject(
                2,
                format!(
                    "your votes cost {cost} credits, at most {} allowed",
                    self.credits
                ),
            ),
            None => Verdict::reject(
                2,
                format!(
                    "your votes cost too many credits, at most {} allowed",
                    self.credits
                ),
            ),
        }
    }

    fn start(&self) -> Given {
        Given {
            votes: vec![0; self.contest.len()],
            ballots: 0,
        }
    }

    fn fold(&self, given: &mut Given, ballot: &Votes, weight: u64) {
        for (option, votes) in ballot.values() {
            given.votes[option] += i128::from(votes) * i128::from(weight);
        }
        given.ballots += weight;
    }

    fn merge(&self, given: &mut Given, other: Given) {
        for (votes, more) in given.votes.iter_mut().zip(other.votes) {
            *votes += more;
        }
        given.ballots += other.ballots;
    }

    fn finish(&self, given: Given, ties: &mut TieBreak) -> Outcome {
        let best = self.contest.highest(&given.votes);
        let winners = ties.choose(&best, 1, "the most votes");
        let mut outcome = self.contest.outcome(&given.votes, winners);
        outcome.explanation = self.explain(&given, &best, &outcome.winners, ties);
        outcome
    }
}

impl<P> Credits<P> {
    fn explain(&self, given: &Given, best: &[usize], winners: &[usize], ties: &TieBreak) -> String {
        let Some(first) = best.first() else {
            return String::from("No option has a vote, so nobody wins.");
        };
        let (most, ballots) = (given.votes[*first], given.ballots);
        let names = self.contest.list(best);
        match (best, winners) {
            ([_], _) => {
                format!("{names} has the most votes, {most} from {ballots} ballots, and wins.")
            }
            (_, [winner]) => {
                let (winner, how) = (self.contest.title(*winner), ties.how());
                format!("{names} tie with {most} votes; {winner} wins, {how}.")
            }
            _ => format!("{names} tie with {most} votes; the tie is not decided."),
        }
    }
}
