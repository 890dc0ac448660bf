//! Phragmén's sequential method.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::voters::{Assigned, Voters, best_now, take};

/// What voters bear already, as fractions of one denominator.
pub(crate) struct Loads {
    denominator: Natural,
    /// By class.
    loads: Vec<Natural>,
    assigned: Assigned,
    /// How many classes there may be before those that no ballot is in are dropped.
    classes_max: usize,
}

/// Classes without ballots to put up with, beside as many as have some.
const UNUSED_MAX: usize = 64;

impl Loads {
    pub(crate) fn none(voters: &Voters) -> Self {
        let loads = vec![Natural::default()];
        Self::new(Natural::from(1), loads, Assigned::all_to(0, voters))
    }

    /// Loads by class, in fractions of the denominator.
    pub(crate) fn new(denominator: Natural, loads: Vec<Natural>, assigned: Assigned) -> Self {
        Self {
            denominator,
            classes_max: loads.len() + UNUSED_MAX,
            loads,
            assigned,
        }
    }
}

/// Elects options, the ones elected before first, until there are `seats`.
pub(crate) fn elect(
    voters: &Voters,
    seats: usize,
    mut elected: Vec<usize>,
    mut loads: Loads,
    lots: &mut Lots<'_>,
) -> Vec<usize> {
    // What an option's supporters bear together with it, and their number.
    let burden = |loads: &Loads, option: usize| Burden {
        load: loads.with(voters, option),
        supporters: voters.approvals[option],
    };
    let mut open: Vec<(usize, Burden)> = (0..voters.supporters.len())
        .filter(|option| !elected.contains(option) && voters.approvals[*option] > 0)
        .map(|option| (option, burden(&loads, option)))
        .collect();
    while elected.len() < seats {
        // Loads only grow.
        let burden_now = |option: usize| Some(burden(&loads, option));
        let tied = best_now(&mut open, burden_now, Burden::compare);
        if tied.is_empty() {
            break;
        }
        let question = format!("seat {}", elected.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        loads.bear(voters, option);
        take(&mut open, option);
        for (_, other) in &mut open {
            other.load = other.load.times(voters.approvals[option]);
        }
        elected.push(option);
    }
    elected
}

/// What each supporter of an option would bear together with it.
struct Burden {
    load: Natural,
    supporters: u64,
}

impl Burden {
    fn compare(&self, other: &Self) -> Ordering {
        let left = self.load.times(other.supporters);
        left.cmp(&other.load.times(self.supporters))
    }
}

impl Loads {
    /// The loads of an option's supporters together, and its own.
    fn with(&self, voters: &Voters, option: usize) -> Natural {
        let mut burden = self.denominator.clone();
        let weights = voters.by_class(option, &self.assigned, self.loads.len());
        for (weight, load) in weights.iter().zip(&self.loads) {
            if *weight > 0 {
                burden.add_times(load, *weight);
            }
        }
        burden
    }

    /// An option's supporters share their loads and its own equally.
    fn bear(&mut self, voters: &Voters, option: usize) {
        let burden = self.with(voters, option);
        let number = voters.approvals[option];
        self.denominator = self.denominator.times(number);
        for load in &mut self.loads {
            *load = load.times(number);
        }
        let class = self.loads.len() as u32;
        self.loads.push(burden);
        for ballot in &voters.supporters[option] {
            *self.assigned.class_mut(*ballot) = class;
        }
        if self.loads.len() > self.classes_max {
            self.assigned.forget_unused(&mut self.loads, 0);
            self.classes_max = self.loads.len() + UNUSED_MAX;
        }
    }
}
