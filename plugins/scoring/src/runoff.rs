//! Who of a few options is scored higher by more ballots.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::{Ordering, Reverse};

use tabella_sdk::prelude::*;

/// What decides a tie by [`Comparisons::best_by_tops`].
pub(crate) const TOPS: &str = "top scores";

/// How many ballots score each of a few options higher than each other of them.
pub(crate) struct Comparisons {
    contenders: Vec<usize>,
    /// Row by row, by position in `contenders`.
    prefer: Vec<u64>,
    /// By position in `contenders`, how many ballots give the highest score.
    tops: Vec<u64>,
    ballots: u64,
}

impl Comparisons {
    /// `max` is the highest score that a ballot can give.
    pub(crate) fn new(
        options: usize,
        max: u64,
        profile: &Profile<Scores>,
        contenders: Vec<usize>,
    ) -> Self {
        let count = contenders.len();
        let mut positions = vec![None; options];
        for (position, option) in contenders.iter().enumerate() {
            positions[*option] = Some(position);
        }
        let mut prefer = vec![0; count * count];
        let mut tops = vec![0; count];
        let mut scores = vec![0; count];
        for (ballot, weight) in profile.iter() {
            scores.fill(0);
            for (option, score) in ballot.values() {
                if let Some(position) = positions[option] {
                    scores[position] = score;
                }
            }
            for (row, score) in scores.iter().enumerate() {
                if *score == max {
                    tops[row] += weight;
                }
                for (column, other) in scores.iter().enumerate() {
                    if score > other {
                        prefer[row * count + column] += weight;
                    }
                }
            }
        }
        Self {
            contenders,
            prefer,
            tops,
            ballots: profile.weight(),
        }
    }

    fn position(&self, option: usize) -> usize {
        let position = self.contenders.iter().position(|other| *other == option);
        position.expect("only contenders are compared")
    }

    /// How many ballots score the first option higher than the second.
    fn prefer(&self, first: usize, second: usize) -> u64 {
        self.prefer[self.position(first) * self.contenders.len() + self.position(second)]
    }

    fn tops(&self, option: usize) -> u64 {
        self.tops[self.position(option)]
    }

    fn beats(&self, first: usize, second: usize) -> bool {
        self.prefer(first, second) > self.prefer(second, first)
    }

    /// Those of the tied options that are left after leaving out, again and again, those that lose
    /// the most comparisons with the others.
    pub(crate) fn best_head_to_head(&self, tied: &[usize]) -> Vec<usize> {
        let mut left = tied.to_vec();
        loop {
            let losses = |loser: usize| left.iter().filter(|o| self.beats(**o, loser)).count();
            let losses: Vec<usize> = left.iter().map(|option| losses(*option)).collect();
            let most = losses.iter().copied().max();
            if losses.iter().all(|count| Some(*count) == most) {
                return left;
            }
            let mut losses = losses.into_iter();
            left.retain(|_| losses.next() != most);
        }
    }

    /// The most of the tied options, up to so many places, that have more highest scores than the
    /// rest; where there are none, all that have the most.
    pub(crate) fn best_by_tops(&self, tied: &[usize], places: usize) -> Vec<usize> {
        let mut best = tied.to_vec();
        best.sort_by_key(|option| Reverse(self.tops(*option)));
        let leads = |size: &usize| self.tops(best[size - 1]) > self.tops(best[*size]);
        let size = (1..=places.min(best.len() - 1)).rev().find(leads);
        let equal = best.iter().filter(|o| self.tops(**o) == self.tops(best[0]));
        best.truncate(size.unwrap_or(equal.count()));
        best
    }

    /// The runoff of one or two contenders.
    pub(crate) fn runoff(&self, finalists: Vec<usize>) -> Runoff {
        let votes = match finalists[..] {
            [first, second] => vec![self.prefer(first, second), self.prefer(second, first)],
            _ => vec![self.ballots; finalists.len()],
        };
        Runoff {
            tops: finalists.iter().map(|option| self.tops(*option)).collect(),
            finalists,
            indifferent: self.ballots - votes.iter().sum::<u64>(),
            votes,
        }
    }
}

/// The second round of one or two options.
pub(crate) struct Runoff {
    pub(crate) finalists: Vec<usize>,
    /// Ballots that prefer each finalist.
    pub(crate) votes: Vec<u64>,
    pub(crate) indifferent: u64,
    /// Ballots that give each finalist the highest score.
    pub(crate) tops: Vec<u64>,
}

impl Runoff {
    pub(crate) fn elect(&self, points: &[i128], ties: &mut TieBreak) -> Vec<usize> {
        let [first, second] = self.finalists[..] else {
            return self.finalists.clone();
        };
        let higher = |order: Ordering| match order {
            Ordering::Greater => Some(first),
            Ordering::Less => Some(second),
            Ordering::Equal => None,
        };
        if let Some(winner) = higher(self.votes[0].cmp(&self.votes[1])) {
            return vec![winner];
        }
        if let Some(winner) = higher(points[first].cmp(&points[second])) {
            ties.record_decided(&self.finalists, "the runoff", "score");
            return vec![winner];
        }
        if let Some(winner) = higher(self.tops[0].cmp(&self.tops[1])) {
            ties.record_decided(&self.finalists, "the runoff", TOPS);
            return vec![winner];
        }
        ties.choose(&self.finalists, 1, "the runoff")
    }

    pub(crate) fn round(&self, elected: &[usize]) -> Round {
        let totals = self.finalists.iter().zip(&self.votes);
        Round {
            totals: totals
                .map(|(option, votes)| (*option, (*votes).into()))
                .collect(),
            elected: elected.to_vec(),
            exhausted: self.indifferent.into(),
            ..Round::default()
        }
    }
}
