//! Who approves what.

use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

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
    pub(crate) fn by_class(&self, option: usize, assigned: &Assigned, classes: usize) -> Vec<u64> {
        if classes == 1 {
            return vec![self.approvals[option]];
        }
        let mut weights = vec![0u64; classes];
        // This is most of the work of a count, and its fuel. The weight of all ballots together
        // fits 64 bits, so that no sum is checked again.
        for ballot in &self.supporters[option] {
            let Ballot { weight, class } = assigned.ballots[*ballot as usize];
            let sum = &mut weights[class as usize];
            *sum = sum.wrapping_add(weight);
        }
        weights
    }
}

/// Which class each ballot is in.
pub(crate) struct Assigned {
    ballots: Vec<Ballot>,
}

#[derive(Clone, Copy)]
struct Ballot {
    weight: u64,
    class: u32,
}

impl Assigned {
    /// All ballots are in one class.
    pub(crate) fn all_to(class: u32, voters: &Voters) -> Self {
        let ballot = |weight: &u64| Ballot {
            weight: *weight,
            class,
        };
        Self {
            ballots: voters.weights.iter().map(ballot).collect(),
        }
    }

    pub(crate) fn class_mut(&mut self, ballot: u32) -> &mut u32 {
        &mut self.ballots[ballot as usize].class
    }

    /// Drops classes that no ballot is in, but for the first `kept`, so that there are never more
    /// than ballots and those.
    pub(crate) fn forget_unused<T>(&mut self, classes: &mut Vec<T>, kept: usize) {
        let mut used = vec![false; classes.len()];
        used[..kept].fill(true);
        for ballot in &self.ballots {
            used[ballot.class as usize] = true;
        }
        let mut new = vec![0; used.len()];
        let mut next = 0;
        for (class, used) in used.iter().enumerate() {
            new[class] = next;
            next += u32::from(*used);
        }
        let mut used = used.iter();
        classes.retain(|_| used.next() == Some(&true));
        self.renumber(&new);
    }

    /// Gives classes the numbers in `new`.
    pub(crate) fn renumber(&mut self, new: &[u32]) {
        for ballot in &mut self.ballots {
            ballot.class = new[ballot.class as usize];
        }
    }
}

/// The options whose values `compare` puts first, ascending. `open` has the value that each had when
/// it was last looked at; `now` answers its value now, or none where it is out for good.
///
/// Values only become worse from step to step: what was worse when it was last looked at than the
/// best is now need not be looked at again.
pub(crate) fn best_now<T>(
    open: &mut Vec<(usize, T)>,
    mut now: impl FnMut(usize) -> Option<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Vec<usize> {
    open.sort_by(|(_, a), (_, b)| compare(a, b));
    // Positions in `open`.
    let mut tied: Vec<usize> = Vec::new();
    let mut position = 0;
    while let Some((option, last)) = open.get(position) {
        let best = tied.first().map(|first| &open[*first].1);
        if best.is_some_and(|best| compare(last, best).is_gt()) {
            break;
        }
        let Some(value) = now(*option) else {
            open.remove(position);
            continue;
        };
        match best.map_or(Ordering::Less, |best| compare(&value, best)) {
            Ordering::Less => tied = vec![position],
            Ordering::Equal => tied.push(position),
            Ordering::Greater => {}
        }
        open[position].1 = value;
        position += 1;
    }
    let mut options: Vec<usize> = tied.iter().map(|position| open[*position].0).collect();
    options.sort_unstable();
    options
}

/// Takes an option that is open out, with its value.
pub(crate) fn take<T>(open: &mut Vec<(usize, T)>, option: usize) -> Option<T> {
    let position = open.iter().position(|(other, _)| *other == option)?;
    Some(open.swap_remove(position).1)
}
