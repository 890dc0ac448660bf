//! Who of a few options is scored higher by more ballots.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::prelude::*;

/// How many ballots score each of a few options higher than each other of them.
pub(crate) struct Comparisons {
    contenders: Vec<usize>,
    /// Row by row, by position in `contenders`.
    prefer: Vec<u64>,
    ballots: u64,
}

impl Comparisons {
    pub(crate) fn new(options: usize, profile: &Profile<Scores>, contenders: Vec<usize>) -> Self {
        let count = contenders.len();
        let mut positions = vec![None; options];
        for (position, option) in contenders.iter().enumerate() {
            positions[*option] = Some(position);
        }
        let mut prefer = vec![0; count * count];
        let mut scores = vec![0; count];
        for (ballot, weight) in profile.iter() {
            scores.fill(0);
            for (option, score) in ballot.values() {
                if let Some(position) = positions[option] {
                    scores[position] = score;
                }
            }
            for (row, score) in scores.iter().enumerate() {
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
            ballots: profile.weight(),
        }
    }

    /// How many ballots score the first option higher than the second.
    fn prefer(&self, first: usize, second: usize) -> u64 {
        let position = |option: usize| {
            let position = self.contenders.iter().position(|other| *other == option);
            position.expect("only contenders are compared")
        };
        self.prefer[position(first) * self.contenders.len() + position(second)]
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

    /// The runoff of one or two contenders.
    pub(crate) fn runoff(&self, finalists: Vec<usize>) -> Runoff {
        let votes = match finalists[..] {
            [first, second] => vec![self.prefer(first, second), self.prefer(second, first)],
            _ => vec![self.ballots; finalists.len()],
        };
        Runoff {
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
}

impl Runoff {
    pub(crate) fn elect(&self, points: &[u64], ties: &mut TieBreak) -> Vec<usize> {
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
