//! Phragmén's sequential method.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::voters::{Voters, best};

/// What voters bear already, as fractions of one denominator.
pub(crate) struct Loads {
    pub(crate) denominator: Natural,
    /// By class.
    pub(crate) loads: Vec<Natural>,
    /// By ballot.
    pub(crate) class: Vec<u32>,
}

impl Loads {
    pub(crate) fn none(voters: &Voters) -> Self {
        Self {
            denominator: Natural::from(1),
            loads: vec![Natural::default()],
            class: vec![0; voters.weights.len()],
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
    while elected.len() < seats {
        let open = (0..voters.supporters.len())
            .filter(|option| !elected.contains(option) && voters.approvals[*option] > 0);
        // What an option's supporters bear together with it, over their number.
        let burdens = open.map(|option| {
            let mut burden = loads.denominator.clone();
            let weights = voters.by_class(option, &loads.class, loads.loads.len());
            for (weight, load) in weights.iter().zip(&loads.loads) {
                if *weight > 0 {
                    burden.add_times(load, *weight);
                }
            }
            (option, (burden, voters.approvals[option]))
        });
        let Some((tied, _)) = best(burdens, |a, b| a.0.times(b.1).cmp(&b.0.times(a.1))) else {
            break;
        };
        let question = format!("seat {}", elected.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        loads.bear(voters, option);
        elected.push(option);
    }
    elected
}

impl Loads {
    /// An option's supporters share their loads and its own equally.
    fn bear(&mut self, voters: &Voters, option: usize) {
        let mut burden = self.denominator.clone();
        let weights = voters.by_class(option, &self.class, self.loads.len());
        for (weight, load) in weights.iter().zip(&self.loads) {
            burden.add_times(load, *weight);
        }
        let number = voters.approvals[option];
        self.denominator = self.denominator.times(number);
        for load in &mut self.loads {
            *load = load.times(number);
        }
        let class = self.loads.len() as u32;
        self.loads.push(burden);
        for ballot in &voters.supporters[option] {
            self.class[*ballot as usize] = class;
        }
        self.forget_unused();
    }

    /// Drops classes that no ballot is in, so that there are never more than ballots.
    fn forget_unused(&mut self) {
        let mut used = vec![false; self.loads.len()];
        for class in &self.class {
            used[*class as usize] = true;
        }
        let mut new = vec![0; used.len()];
        let mut next = 0;
        for (class, used) in used.iter().enumerate() {
            new[class] = next;
            next += u32::from(*used);
        }
        let mut used = used.iter();
        self.loads.retain(|_| used.next() == Some(&true));
        for class in &mut self.class {
            *class = new[*class as usize];
        }
    }
}
