//! What every count keeps: who is elected, who continues, and its stages.

use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::Transfer;
use tabella_sdk::prelude::*;

/// Totals and transfers that an outcome lists, at most; later rounds name only who is elected and
/// eliminated, so that the largest contests fit the host's limit.
const ROUND_ENTRIES_MAX: usize = 40_000;

/// What became of an option so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Continuing,
    Elected,
    Excluded,
}

/// A count under way. Votes are in units of the last place.
pub(crate) struct Election {
    pub(crate) status: Vec<Status>,
    /// By option, what it holds now.
    pub(crate) votes: Vec<u128>,
    /// In order of election.
    pub(crate) elected: Vec<usize>,
    /// By stage, everybody's votes at its end.
    pub(crate) history: Vec<Vec<u128>>,
    pub(crate) rounds: Vec<Round>,
    pub(crate) seats: usize,
    /// Positions of rounds that ended before surpluses had passed on whole.
    cut_short: Vec<usize>,
    places: u8,
    /// All votes cast.
    cast: u128,
    /// By option, the votes it had when it last took part.
    last_votes: Vec<u128>,
    round_entries: usize,
}

/// A finished count.
pub(crate) struct Count {
    /// In order of election.
    pub(crate) elected: Vec<usize>,
    /// By option, the votes it had when it last took part.
    pub(crate) votes: Vec<Number>,
    pub(crate) quota: Number,
    pub(crate) rounds: Vec<Round>,
    /// Positions of rounds that ended before surpluses had passed on whole.
    pub(crate) cut_short: Vec<usize>,
}

impl Election {
    pub(crate) fn new(options: usize, seats: usize, places: u8, cast: u128) -> Self {
        Self {
            status: vec![Status::Continuing; options],
            votes: vec![0; options],
            elected: Vec::new(),
            history: Vec::new(),
            rounds: Vec::new(),
            seats,
            cut_short: Vec::new(),
            places,
            cast,
            last_votes: vec![0; options],
            round_entries: 0,
        }
    }

    pub(crate) fn of(&self, status: Status) -> Vec<usize> {
        (0..self.status.len())
            .filter(|option| self.status[*option] == status)
            .collect()
    }

    /// Whether no seat is left, or no choice between those who continue.
    pub(crate) fn is_over(&self) -> bool {
        self.elected.len() >= self.seats
            || self.of(Status::Continuing).len() <= self.seats - self.elected.len()
    }

    /// These become elected, most votes first; at equal votes in the paper's order.
    pub(crate) fn elect(&mut self, mut options: Vec<usize>) -> Vec<usize> {
        options.sort_by(|a, b| self.votes[*b].cmp(&self.votes[*a]));
        for option in &options {
            self.status[*option] = Status::Elected;
        }
        self.elected.extend(&options);
        options
    }

    /// Those who continue take the seats left where there is one for each.
    pub(crate) fn elect_rest(&mut self) -> Vec<usize> {
        let rest = self.of(Status::Continuing);
        if rest.len() <= self.seats.saturating_sub(self.elected.len()) {
            self.elect(rest)
        } else {
            Vec::new()
        }
    }

    /// Votes as they are shown.
    pub(crate) fn number(&self, units: u128) -> Number {
        // Votes are at most 64 bits times ten to the ninth.
        let units = units as i128;
        match self.places {
            0 => Number::Integer(units),
            places => Number::Decimal { units, places },
        }
    }

    /// Opens a round with the votes as they stand.
    pub(crate) fn open_round(&mut self) {
        let mut round = Round::default();
        let mut held = 0;
        for option in 0..self.votes.len() {
            let votes = self.votes[option];
            held += votes;
            let takes_part = self.status[option] != Status::Excluded;
            if takes_part {
                self.last_votes[option] = votes;
            }
            if takes_part || votes > 0 {
                round.totals.push((option, self.number(votes)));
            }
        }
        round.exhausted = self.number(self.cast.saturating_sub(held));
        self.round_entries += round.totals.len();
        if self.round_entries > ROUND_ENTRIES_MAX {
            round.totals.clear();
        }
        self.rounds.push(round);
    }

    /// The round under way.
    pub(crate) fn round(&mut self) -> &mut Round {
        if self.rounds.is_empty() {
            self.open_round();
        }
        let last = self.rounds.len() - 1;
        &mut self.rounds[last]
    }

    /// Notes that the round under way ends before surpluses have passed on whole.
    pub(crate) fn note_cut_short(&mut self) {
        self.cut_short.push(self.rounds.len() - 1);
    }

    /// Notes in the round under way where an option's votes went.
    pub(crate) fn note_transfers(&mut self, from: usize, to: &[u128], exhausted: u128) {
        let mut transfers = Vec::new();
        for (option, votes) in to.iter().enumerate().filter(|(_, votes)| **votes > 0) {
            transfers.push(Transfer {
                from,
                to: Some(option),
                votes: self.number(*votes),
            });
        }
        if exhausted > 0 {
            transfers.push(Transfer {
                from,
                to: None,
                votes: self.number(exhausted),
            });
        }
        self.round_entries += transfers.len();
        if self.round_entries <= ROUND_ENTRIES_MAX {
            self.round().transfers.append(&mut transfers);
        }
    }

    pub(crate) fn finish(self, quota: u128) -> Count {
        Count {
            votes: (self.last_votes.iter())
                .map(|votes| self.number(*votes))
                .collect(),
            quota: self.number(quota),
            elected: self.elected,
            rounds: self.rounds,
            cut_short: self.cut_short,
        }
    }
}
