//! Who approves what.

use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// Distinct ballots with how often each was cast.
pub(crate) struct Voters {
    pub(crate) weights: Vec<u64>,
    /// By option, the ballots that approve it.
    pub(crate) supporters: Vec<Vec<u32>>,
    /// By option, the approvals.
    pub(crate) approvals: Vec<u64>,
    /// All ballots, blank ones too.
    pub(crate) total: u64,
}

impl Voters {
    pub(crate) fn new(profile: &Profile<Approvals>, options: usize) -> Self {
        let mut voters = Self {
            weights: Vec::new(),
            supporters: vec![Vec::new(); options],
            approvals: vec![0; options],
            total: profile.weight(),
        };
        for (ballot, weight) in profile.iter().filter(|(_, weight)| *weight > 0) {
            // The host bounds the tally's memory far below 4 GiB.
            let position = voters.weights.len() as u32;
            voters.weights.push(weight);
            for option in ballot.options() {
                voters.supporters[option].push(position);
                voters.approvals[option] += weight;
            }
        }
        voters
    }

    /// How many pairs of ballot and approved option there are, which is how much work a step is.
    pub(crate) fn pairs(&self) -> usize {
        self.supporters.iter().map(Vec::len).sum()
    }

    /// The weight of an option's supporters, by the class of their ballots.
    pub(crate) fn by_class(&self, option: usize, class: &[u32], classes: usize) -> Vec<u64> {
        let mut weights = vec![0; classes];
        for ballot in &self.supporters[option] {
            let ballot = *ballot as usize;
            weights[class[ballot] as usize] += self.weights[ballot];
        }
        weights
    }
}

/// The options that `compare` puts first, in the order given.
pub(crate) fn best<T>(
    candidates: impl Iterator<Item = (usize, T)>,
    compare: impl Fn(&T, &T) -> core::cmp::Ordering,
) -> Option<(Vec<usize>, Vec<T>)> {
    let mut options: Vec<usize> = Vec::new();
    let mut values: Vec<T> = Vec::new();
    for (option, value) in candidates {
        if let Some(first) = values.first() {
            match compare(&value, first) {
                core::cmp::Ordering::Less => {
                    options.clear();
                    values.clear();
                }
                core::cmp::Ordering::Equal => {}
                core::cmp::Ordering::Greater => continue,
            }
        }
        options.push(option);
        values.push(value);
    }
    (!options.is_empty()).then_some((options, values))
}
