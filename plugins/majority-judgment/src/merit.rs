//! The grades of one option, and how two options' grades compare.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The grades of one option: a line of all its grades from the worst to the best.
pub(crate) struct Merit {
    /// By grade, how many grades of the line are that grade or worse. The last is all of them.
    up_to: Vec<u64>,
}

impl Merit {
    /// From the number of each grade but the worst.
    pub(crate) fn new(better: &[u64], ballots: u64) -> Self {
        let graded: u64 = better.iter().sum();
        let mut sum = ballots - graded;
        let mut up_to = Vec::from([sum]);
        for count in better {
            sum += count;
            up_to.push(sum);
        }
        Self { up_to }
    }

    fn ballots(&self) -> u64 {
        self.up_to[self.up_to.len() - 1]
    }

    /// The grade at a place of the line, counted from 0.
    fn grade_at(&self, place: u64) -> usize {
        let worse = self.up_to.iter().filter(|up_to| **up_to <= place);
        worse.count()
    }

    /// The place of the median; of an even number, the lower of the two in the middle.
    fn middle(&self) -> u64 {
        (self.ballots() - 1) / 2
    }

    pub(crate) fn median(&self) -> usize {
        self.grade_at(self.middle())
    }

    /// How many grades are better than the median.
    pub(crate) fn above(&self) -> u64 {
        self.ballots() - self.up_to[self.median()]
    }

    /// How many grades are worse than the median.
    pub(crate) fn below(&self) -> u64 {
        match self.median() {
            0 => 0,
            median => self.up_to[median - 1],
        }
    }

    pub(crate) fn compare_gauges(&self, other: &Self) -> Ordering {
        let rises = |merit: &Self| merit.above() > merit.below();
        let by_sign = rises(self).cmp(&rises(other));
        let within = || match rises(self) {
            true => self.above().cmp(&other.above()),
            false => other.below().cmp(&self.below()),
        };
        self.median()
            .cmp(&other.median())
            .then(by_sign)
            .then_with(within)
    }

    /// Compares the medians, and those that are left after taking one median from each, and so on.
    ///
    /// Taking medians away leaves the line from the middle outwards, to both sides in turn: of an
    /// odd number first the place below the middle, of an even number first the one above. So the
    /// nearest places to both sides decide, in that order, where two lines differ.
    pub(crate) fn compare_values(&self, other: &Self) -> Ordering {
        let middle = self.middle();
        let by_median = self.grade_at(middle).cmp(&other.grade_at(middle));
        if by_median != Ordering::Equal {
            return by_median;
        }
        let below = self.differs_below(other, middle);
        let above = self.differs_above(other, middle);
        let below_first = self.ballots() % 2 == 1;
        let place = match (below, above) {
            (None, None) => return Ordering::Equal,
            (Some(place), None) | (None, Some(place)) => place,
            (Some(below), Some(above)) => match (middle - below).cmp(&(above - middle)) {
                Ordering::Less => below,
                Ordering::Greater => above,
                Ordering::Equal if below_first => below,
                Ordering::Equal => above,
            },
        };
        self.grade_at(place).cmp(&other.grade_at(place))
    }

    /// The nearest place below the middle where two lines differ. They can begin to differ only next
    /// to where a grade of one of them ends.
    fn differs_below(&self, other: &Self, middle: u64) -> Option<u64> {
        let ends = self.up_to.iter().chain(&other.up_to);
        let places = ends.filter(|end| 0 < **end && **end <= middle);
        places
            .map(|end| end - 1)
            .filter(|place| self.grade_at(*place) != other.grade_at(*place))
            .max()
    }

    /// The nearest place above the middle where two lines differ.
    fn differs_above(&self, other: &Self, middle: u64) -> Option<u64> {
        let ends = self.up_to.iter().chain(&other.up_to);
        let places = ends
            .copied()
            .filter(|end| middle < *end && *end < self.ballots());
        places
            .filter(|place| self.grade_at(*place) != other.grade_at(*place))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// The definition, word by word: take medians away one at a time.
    fn by_definition(first: &[u64], second: &[u64]) -> Ordering {
        let line = |counts: &[u64]| {
            let grades = counts.iter().enumerate();
            let grades = grades.flat_map(|(grade, count)| vec![grade; *count as usize]);
            grades.collect::<Vec<_>>()
        };
        let (mut first, mut second) = (line(first), line(second));
        while !first.is_empty() {
            let middle = (first.len() - 1) / 2;
            let order = first.remove(middle).cmp(&second.remove(middle));
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }

    /// Every way to give up to 6 ballots 3 grades.
    #[test]
    fn values_compare_as_defined() {
        for ballots in 1..=6u64 {
            let mut all = Vec::new();
            for best in 0..=ballots {
                all.extend((0..=ballots - best).map(|good| [ballots - best - good, good, best]));
            }
            for first in &all {
                for second in &all {
                    let merit = |counts: &[u64; 3]| Merit::new(&counts[1..], ballots);
                    assert_eq!(
                        merit(first).compare_values(&merit(second)),
                        by_definition(first, second),
                        "{first:?} {second:?}"
                    );
                }
            }
        }
    }
}
