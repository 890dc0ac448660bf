//! Looking up how many times the generator a point is, below a bound: baby steps and giant steps.

use alloc::vec;
use alloc::vec::Vec;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};

use crate::{form::COUNTER_TOTAL_MAX, group};

/// Baby steps of a table, at most: 32 MiB.
const STEPS_MAX: u64 = 1 << 20;

/// Points that are encoded together, because that costs one inversion.
const TOGETHER: usize = 256;

/// A place of the table that holds nothing.
const EMPTY: u32 = u32::MAX;

/// A table of the first multiples of the generator.
pub struct Logarithms {
    /// The largest logarithm that is found.
    bound: u64,
    /// The length of a giant step: how many multiples are in the table.
    steps: u64,
    /// Open addressing by the first bytes of a doubled multiple's encoding.
    places: Vec<(u64, u32)>,
}

impl Logarithms {
    /// A table for that many totals of 0 to `bound`, which is at most [`COUNTER_TOTAL_MAX`].
    pub fn new(bound: u64, totals: usize) -> Self {
        let bound = bound.min(COUNTER_TOTAL_MAX);
        // As many steps to make the table as to look the totals up.
        let work = bound.saturating_mul(totals.max(1) as u64).saturating_add(1);
        let steps = work.isqrt().next_power_of_two();
        let steps = steps.min((bound + 1).next_power_of_two()).min(STEPS_MAX);
        let mut table = Self {
            bound,
            steps,
            places: vec![(0, EMPTY); 2 * steps as usize],
        };
        table.fill();
        table
    }

    fn fill(&mut self) {
        let mut next = group::identity();
        let mut number = 0;
        while number < self.steps as u32 {
            let left = (self.steps as usize - number as usize).min(TOGETHER);
            let points = multiples(&mut next, &group::base(), left);
            for prefix in prefixes(&points) {
                let mut place = self.place(prefix);
                while self.places[place].1 != EMPTY {
                    place = (place + 1) % self.places.len();
                }
                self.places[place] = (prefix, number);
                number += 1;
            }
        }
    }

    /// Where a prefix is looked for first.
    fn place(&self, prefix: u64) -> usize {
        (prefix % self.places.len() as u64) as usize
    }

    /// How many times the generator the point is; `None` where that is more than the bound.
    pub(crate) fn of(&self, point: &RistrettoPoint) -> Option<u64> {
        let giant = -(Scalar::from(self.steps) * group::base());
        let mut next = *point;
        let mut below = 0u64;
        // A small total is found without encoding points of larger ones.
        let mut together = 1;
        while below <= self.bound {
            let left = (self.bound - below) / self.steps + 1;
            let count = left.min(together as u64) as usize;
            let points = multiples(&mut next, &giant, count);
            for prefix in prefixes(&points) {
                if let Some(found) = self.found(prefix, below, point) {
                    return (found <= self.bound).then_some(found);
                }
                below += self.steps;
            }
            together = (together * 2).min(TOGETHER);
        }
        None
    }

    /// The logarithm that a prefix stands for, where it is the point's.
    fn found(&self, prefix: u64, below: u64, point: &RistrettoPoint) -> Option<u64> {
        let mut place = self.place(prefix);
        loop {
            match self.places[place] {
                (_, EMPTY) => return None,
                (of, number) if of == prefix => {
                    let found = below + u64::from(number);
                    if RistrettoPoint::mul_base(&Scalar::from(found)) == *point {
                        return Some(found);
                    }
                }
                _ => {}
            }
            place = (place + 1) % self.places.len();
        }
    }
}

/// The next points, each a step from the one before.
fn multiples(
    next: &mut RistrettoPoint,
    step: &RistrettoPoint,
    count: usize,
) -> Vec<RistrettoPoint> {
    let mut points = Vec::with_capacity(count);
    for _ in 0..count {
        points.push(*next);
        *next += step;
    }
    points
}

/// The first bytes of each point's double: doubling maps points one to one, and doubles are encoded together.
fn prefixes(points: &[RistrettoPoint]) -> impl Iterator<Item = u64> {
    let encoded = RistrettoPoint::double_and_compress_batch(points);
    encoded.into_iter().map(|encoded| {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&encoded.as_bytes()[..8]);
        u64::from_le_bytes(prefix)
    })
}
