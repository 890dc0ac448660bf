//! Borda count: each rank is worth points, and the most points win.
//!
//! Definition: J.-C. de Borda, "Mémoire sur les élections au scrutin", Histoire de l'Académie Royale
//! des Sciences, Paris, 1781: of n options the first on a ballot has n−1 points, the next n−2, the
//! last none. With `dowdall` the first has 1 point, the next 1/2, then 1/3 and so on, as in the
//! Electoral Act of Nauru (B. Reilly, "Social choice in the South Seas", International Political
//! Science Review 23(4), 2002).
//!
//! Options that share a rank have the mean of the points of the places they fill. Options that a
//! ballot does not rank fill its last places: with `unranked` = `average` they have the mean of the
//! points of those, with `zero` none.
//!
//! Arithmetic: exact. Points are counted in units of 1/2, with `dowdall` of 1/L², where L is the least
//! common multiple of 1 to n; `dowdall` therefore takes at most 36 options.
//!
//! Ties are decided by the contest's tie-break. Where no ballot ranks any option, nobody wins.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod points;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use points::Scale;

/// The rule; see the crate's documentation.
pub struct Borda {
    contest: Contest,
    unranked: Unranked,
    scale: Scale,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unranked {
    Average,
    Zero,
}

/// Points in units of the scale.
pub struct Points {
    /// By option, what its ranks are worth beyond what it would have where it is not ranked. The
    /// latter is the same for all options of a ballot, so a ballot takes as long as its ranks.
    ranked: Vec<i128>,
    /// What any option would have if no ballot ranked it.
    unranked: i128,
    /// Ballots that rank an option, and those that rank none.
    ballots: u64,
    blank: u64,
}

tabella_sdk::wire!(Points {
    ranked,
    unranked,
    ballots,
    blank
});

impl Rule for Borda {
    type Ballot = Ranking;
    type Tally = Points;

    const MANIFEST: Manifest = Manifest::new(
        "borda",
        env!("CARGO_PKG_VERSION"),
        "Each rank is worth points, and the most points win.",
    )
    .licence("Apache-2.0")
    .definition("Borda, Mémoire sur les élections au scrutin, 1781; dowdall: Electoral Act of Nauru")
    .params(&[
        Param::choice("unranked", &["average", "zero"])
            .default_text("average")
            .about("What options that a ballot does not rank get: the mean of its last places' points, or none."),
        Param::flag("dowdall")
            .default_flag(false)
            .about("Count 1, 1/2, 1/3 ... points instead of n-1, n-2 ... 0."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        let scale = if params.flag("dowdall") {
            Scale::dowdall(options).ok_or_else(|| {
                ConfigError::new(format!(
                    "dowdall is exact for at most {} options, the contest has {options}",
                    points::DOWDALL_OPTIONS_MAX
                ))
            })?
        } else {
            Scale::borda(options)
        };
        Ok(Self {
            contest: contest.clone(),
            unranked: match params.choice("unranked") {
                "zero" => Unranked::Zero,
                _ => Unranked::Average,
            },
            scale,
        })
    }

    fn validate(&self, _ballot: &Ranking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Points {
        Points {
            ranked: vec![0; self.contest.len()],
            unranked: 0,
            ballots: 0,
            blank: 0,
        }
    }

    fn fold(&self, points: &mut Points, ballot: &Ranking, weight: u64) {
        let (options, ranked) = (self.contest.len(), ballot.len());
        let unranked = match self.unranked {
            Unranked::Average if ranked < options => self.scale.mean(ranked, options),
            _ => 0,
        };
        let times = i128::from(weight);
        let mut place = 0;
        for rank in ballot.ranks() {
            let end = place + rank.len();
            let gain = (self.scale.mean(place, end) - unranked) * times;
            for option in rank.options() {
                points.ranked[option] += gain;
            }
            place = end;
        }
        points.unranked += unranked * times;
        if ranked == 0 {
            points.blank += weight;
        } else {
            points.ballots += weight;
        }
    }

    fn merge(&self, points: &mut Points, other: Points) {
        for (ranked, more) in points.ranked.iter_mut().zip(other.ranked) {
            *ranked += more;
        }
        points.unranked += other.unranked;
        points.ballots += other.ballots;
        points.blank += other.blank;
    }

    fn finish(&self, points: Points, ties: &mut TieBreak) -> Outcome {
        let ranked = points.ranked.iter();
        let sums: Vec<i128> = ranked.map(|ranked| ranked + points.unranked).collect();
        let most = sums.iter().copied().max().unwrap_or(0);
        let best: Vec<usize> = (0..sums.len())
            .filter(|option| points.ballots > 0 && sums[*option] == most)
            .collect();
        let winners = ties.choose(&best, 1, "the most points");
        let shown: Vec<Number> = sums.iter().map(|sum| self.scale.number(*sum)).collect();
        let mut outcome = self.contest.outcome(&shown, winners);
        outcome.explanation = self.explain(&points, &best, most, &outcome.winners, ties);
        outcome
    }
}

impl Borda {
    fn explain(
        &self,
        points: &Points,
        best: &[usize],
        most: i128,
        winners: &[usize],
        ties: &TieBreak,
    ) -> String {
        if best.is_empty() {
            return String::from("No ballot ranks an option, so nobody wins.");
        }
        let (most, names) = (self.scale.number(most), self.contest.list(best));
        let blank = match points.blank {
            0 => String::new(),
            blank => format!(" {blank} ballots were blank."),
        };
        let ballots = points.ballots;
        match (best, winners) {
            ([_], _) => format!(
                "{names} has the most points, {most} from {ballots} ballots, and wins.{blank}"
            ),
            (_, [winner]) => {
                let (winner, how) = (self.contest.title(*winner), ties.how());
                format!("{names} tie with {most} points; {winner} wins, {how}.{blank}")
            }
            _ => format!("{names} tie with {most} points; the tie is not decided.{blank}"),
        }
    }
}
