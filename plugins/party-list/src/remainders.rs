//! Quotas: a seat for each full quota, then one for each of the largest remainders.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use tabella_sdk::{Number, TieBreak};

use crate::Seats;

/// What a seat costs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quota {
    /// votes / seats, exactly.
    Hare,
    /// votes / (seats + 1), cut to a whole number, plus one.
    Droop,
}

pub(crate) fn share(
    quota: Quota,
    parties: &[usize],
    votes: &[u64],
    seats: u64,
    given: &mut Seats,
    ties: &mut TieBreak,
) {
    let all: u128 = parties.iter().map(|party| u128::from(votes[*party])).sum();
    // A quota of price / factor votes: a party has votes x factor / price of them.
    let (price, factor) = match quota {
        Quota::Hare => (all, u128::from(seats)),
        Quota::Droop => (all / (u128::from(seats) + 1) + 1, 1),
    };
    given.quota = Some(ratio(price, factor));
    let mut by_votes = parties.to_vec();
    by_votes.sort_by(|a, b| votes[*b].cmp(&votes[*a]));
    let mut left = seats;
    let mut remainders: Vec<(u128, usize)> = Vec::new();
    for party in by_votes {
        // Votes are 64 bits and seats at most 100,000.
        let quotas = u128::from(votes[party]) * factor;
        // All full quotas together are at most the seats.
        let full = (quotas / price) as u64;
        if full > 0 {
            given.give(party, full);
            left -= full;
        }
        remainders.push((quotas % price, party));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    while left > 0 {
        let mut next = 0;
        while next < remainders.len() && left > 0 {
            let remainder = remainders[next].0;
            let tied: Vec<usize> = (remainders[next..].iter())
                .take_while(|(other, _)| *other == remainder)
                .map(|(_, party)| *party)
                .collect();
            next += tied.len();
            let question = match left {
                1 => String::from("the last seat, at equal remainders"),
                _ => format!("the last {left} seats, at equal remainders"),
            };
            left = given.give_tied(&tied, left, &question, ties);
        }
    }
}

/// A fraction in lowest terms.
fn ratio(above: u128, below: u128) -> Number {
    let (mut divisor, mut rest) = (above, below);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    // Both are votes or seats, far below 127 bits.
    let (numerator, denominator) = ((above / divisor) as i128, (below / divisor) as i128);
    match denominator {
        1 => Number::Integer(numerator),
        _ => Number::Ratio {
            numerator,
            denominator,
        },
    }
}
