//! Phragmén's sequential method.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::voters::{Assigned, Voters, best_now, take};

/// What voters bear already, in fractions of one denominator.
///
/// There may be about as many classes as ballots, so that only their parts are exact numbers.
pub(crate) struct Loads {
    denominator: Natural,
    /// What loads are made of.
    parts: Vec<Natural>,
    /// By class, which parts its load is made of.
    classes: Vec<Vec<u16>>,
    assigned: Assigned,
    /// How many classes there may be before those that no ballot is in are dropped.
    classes_max: usize,
}

/// Classes without ballots to put up with, beside as many as have some.
const UNUSED_MAX: usize = 64;

impl Loads {
    pub(crate) fn none(voters: &Voters) -> Self {
        let classes = vec![Vec::new()];
        let assigned = Assigned::all_to(0, voters);
        Self::new(Natural::from(1), Vec::new(), classes, assigned)
    }

    pub(crate) fn new(
        denominator: Natural,
        parts: Vec<Natural>,
        classes: Vec<Vec<u16>>,
        assigned: Assigned,
    ) -> Self {
        Self {
            denominator,
            parts,
            classes_max: classes.len() + UNUSED_MAX,
            classes,
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
        let weights = voters.by_class(option, &self.assigned, self.classes.len());
        let mut counts = vec![0; self.parts.len()];
        for (weight, class) in weights.iter().zip(&self.classes) {
            if *weight > 0 {
                for part in class {
                    counts[usize::from(*part)] += weight;
                }
            }
        }
        let mut burden = self.denominator.clone();
        for (part, count) in self.parts.iter().zip(counts) {
            burden.add_times(part, count);
        }
        burden
    }

    /// An option's supporters share their loads and its own equally.
    fn bear(&mut self, voters: &Voters, option: usize) {
        let burden = self.with(voters, option);
        let number = voters.approvals[option];
        self.denominator = self.denominator.times(number);
        for part in &mut self.parts {
            *part = part.times(number);
        }
        // There are at most 4,096 options, each of which was paid for or borne once.
        self.classes.push(vec![self.parts.len() as u16]);
        self.parts.push(burden);
        let class = self.classes.len() as u32 - 1;
        for ballot in &voters.supporters[option] {
            *self.assigned.class_mut(*ballot) = class;
        }
        if self.classes.len() > self.classes_max {
            self.forget_unused();
        }
    }

    fn forget_unused(&mut self) {
        self.assigned.forget_unused(&mut self.classes, 0);
        self.classes_max = self.classes.len() + UNUSED_MAX;
        let mut used = vec![false; self.parts.len()];
        for part in self.classes.iter().flatten() {
            used[usize::from(*part)] = true;
        }
        for (part, used) in self.parts.iter_mut().zip(used) {
            if !used {
                *part = Natural::default();
            }
        }
    }
}
