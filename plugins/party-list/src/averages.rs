//! Highest averages: each seat goes to the party with the most votes for each seat it would have.

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::TieBreak;

use crate::Seats;

/// By what a party's votes are divided for its next seat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Divisors {
    /// 1, 2, 3 ...
    All,
    /// 1, 3, 5 ...
    Odd,
}

impl Divisors {
    fn next(self, seats: u64) -> u64 {
        match self {
            Self::All => seats + 1,
            Self::Odd => 2 * seats + 1,
        }
    }
}

/// A party's average for its next seat.
#[derive(Clone, Copy, Debug)]
struct Average {
    votes: u64,
    divisor: u64,
    party: usize,
}

impl Ord for Average {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u128::from(self.votes) * u128::from(other.divisor);
        let right = u128::from(other.votes) * u128::from(self.divisor);
        left.cmp(&right)
    }
}

impl PartialOrd for Average {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Average {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Average {}

pub(crate) fn share(
    divisors: Divisors,
    parties: &[usize],
    votes: &[u64],
    seats: u64,
    given: &mut Seats,
    ties: &mut TieBreak,
) {
    let average = |party: usize, seats: u64| Average {
        votes: votes[party],
        divisor: divisors.next(seats),
        party,
    };
    let mut averages: BinaryHeap<Average> =
        parties.iter().map(|party| average(*party, 0)).collect();
    let mut left = seats;
    while left > 0
        && let Some(highest) = averages.pop()
    {
        let mut tied: Vec<usize> = alloc::vec![highest.party];
        while let Some(next) = averages.peek()
            && *next == highest
        {
            tied.push(next.party);
            averages.pop();
        }
        tied.sort_unstable();
        let question = match left {
            1 => String::from("the last seat, at equal averages"),
            _ => format!("the last {left} seats, at equal averages"),
        };
        left = given.give_tied(&tied, left, &question, ties);
        averages.extend(
            tied.iter()
                .map(|party| average(*party, given.given[*party])),
        );
    }
}
