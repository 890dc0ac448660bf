//! How many voters prefer each option to each other.

use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// What ballots add up to. Preferences over unranked options, of which there are many on truncated
/// ballots, are left to be derived: a ballot takes the square of what it ranks.
pub struct Counts {
    /// By option, ballots that rank it.
    ranked: Vec<u64>,
    /// Row by row: ballots that rank both, the column's option at least as high as the row's.
    at_least: Vec<u64>,
    /// All ballots. As no count exceeds it, it alone is checked to fit.
    ballots: u64,
}

tabella_sdk::wire!(Counts {
    ranked,
    at_least,
    ballots
});

impl Counts {
    pub(crate) fn new(options: usize) -> Self {
        Self {
            ranked: vec![0; options],
            at_least: vec![0; options * options],
            ballots: 0,
        }
    }

    pub(crate) fn add(&mut self, ballot: &Ranking, weight: u64) {
        self.ballots += weight;
        let options = self.ranked.len();
        let mut earlier: Vec<usize> = Vec::new();
        let mut rank_start = 0;
        for entry in ballot.entries() {
            let option = entry.option;
            self.ranked[option] += weight;
            if !entry.tied {
                rank_start = earlier.len();
            }
            let row = &mut self.at_least[option * options..][..options];
            for other in &earlier {
                row[*other] = row[*other].wrapping_add(weight);
            }
            for other in &earlier[rank_start..] {
                self.at_least[other * options + option] += weight;
            }
            earlier.push(option);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.ranked.iter_mut().zip(&other.ranked) {
            *count += more;
        }
        for (count, more) in self.at_least.iter_mut().zip(&other.at_least) {
            *count += more;
        }
        self.ballots += other.ballots;
    }

    /// Whether no ballot ranks anything.
    pub(crate) fn is_blank(&self) -> bool {
        self.ranked.iter().all(|count| *count == 0)
    }

    pub(crate) fn zeros(&self) -> Vec<u64> {
        vec![0; self.ranked.len()]
    }
}

/// How to measure a majority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// By its votes.
    Winning,
    /// By how many more they are than the votes against.
    Margins,
}

/// Every option against every other.
pub struct Duels {
    options: usize,
    /// Row by row: ballots that prefer the row's option to the column's.
    prefer: Vec<u64>,
    measure: Measure,
}

impl Duels {
    pub(crate) fn new(counts: &Counts, options: usize, measure: Measure) -> Self {
        let mut prefer = vec![0; options * options];
        for row in 0..options {
            for column in (0..options).filter(|column| *column != row) {
                let place = row * options + column;
                // Every ballot that ranks the row's option prefers it, unless it ranks the other
                // at least as high.
                prefer[place] = counts.ranked[row] - counts.at_least[place];
            }
        }
        Self {
            options,
            prefer,
            measure,
        }
    }

    /// How many options there are.
    pub fn len(&self) -> usize {
        self.options
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.options == 0
    }

    /// How many prefer the first to the second.
    pub fn prefer(&self, first: usize, second: usize) -> u64 {
        self.prefer[first * self.options + second]
    }

    /// Whether more prefer the first to the second than the reverse.
    pub fn beats(&self, first: usize, second: usize) -> bool {
        self.prefer(first, second) > self.prefer(second, first)
    }

    /// The strength of the majority for the first against the second, 0 where there is none.
    pub fn strength(&self, first: usize, second: usize) -> u64 {
        let (votes, against) = (self.prefer(first, second), self.prefer(second, first));
        match self.measure {
            Measure::Winning if votes > against => votes,
            Measure::Winning => 0,
            Measure::Margins => votes.saturating_sub(against),
        }
    }

    pub(crate) fn preferences(&self) -> Vec<Number> {
        self.prefer.iter().map(|count| (*count).into()).collect()
    }
}
