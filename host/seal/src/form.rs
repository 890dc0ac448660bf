//! The form of a contest: its slots, what they count for, and which sums are allowed.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Slots of one contest, at most.
pub const SEALED_SLOTS_MAX: usize = 512;

/// What a counter's total can be, at most: what logarithms are looked up for.
pub const COUNTER_TOTAL_MAX: u64 = 1 << 40;

/// The sum of the coefficients of a range stays below this.
const RANGE_SUM_END: u64 = 1 << 41;

/// The counter that the bytes of a form name for slack.
const NO_COUNTER: u32 = u32::MAX;

/// What a contest's ballots are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    counters: u32,
    slots: Vec<Slot>,
    ranges: Vec<Range>,
}

/// A place for 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A 1 adds the coefficient to the counter.
    Counted {
        /// The number of the counter, from 0.
        counter: u32,
        /// What a 1 is worth.
        coefficient: u64,
    },
    /// It fills up a range and is never summed.
    Slack,
}

/// A sum that every ballot has, exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Slots and their coefficients. The last has coefficient 1 and is in no other range.
    pub terms: Vec<(u32, u64)>,
    /// The sum of coefficient times slot.
    pub total: u64,
}

impl Range {
    /// The terms but for the last, and the slot of the last, whose randomness follows from theirs.
    pub(crate) fn fresh_and_last(&self) -> Option<(&[(u32, u64)], u32)> {
        let ((last, _), fresh) = self.terms.split_last()?;
        Some((fresh, *last))
    }
}

impl Form {
    /// A form that keeps what every form promises.
    pub fn new(counters: u32, slots: Vec<Slot>, ranges: Vec<Range>) -> Result<Self, FormError> {
        let form = Self {
            counters,
            slots,
            ranges,
        };
        form.check_slots()?;
        let mut uses = vec![0u32; form.slots.len()];
        for (slot, _) in form.ranges.iter().flat_map(|range| &range.terms) {
            if let Some(uses) = uses.get_mut(*slot as usize) {
                *uses += 1;
            }
        }
        for range in 0..form.ranges.len() {
            form.check_range(range, &uses)?;
        }
        Ok(form)
    }

    fn check_slots(&self) -> Result<(), FormError> {
        let count = self.slots.len();
        if count == 0 || count > SEALED_SLOTS_MAX {
            return Err(FormError::Slots { count });
        }
        if self.counters as usize > count {
            return Err(FormError::Counters);
        }
        let mut maxima = vec![0u64; self.counters as usize];
        for (slot, of) in self.slots.iter().enumerate() {
            if let Slot::Counted {
                counter,
                coefficient,
            } = of
            {
                let max = maxima.get_mut(*counter as usize);
                let max = max.ok_or(FormError::UnknownCounter { slot })?;
                let sum = max.checked_add(*coefficient);
                let sum = sum.filter(|sum| *coefficient > 0 && *sum <= COUNTER_TOTAL_MAX);
                *max = sum.ok_or(FormError::Coefficient { slot })?;
            }
        }
        match maxima.iter().all(|max| *max > 0) && !maxima.is_empty() {
            true => Ok(()),
            false => Err(FormError::Counters),
        }
    }

    /// Checks one range, where each slot is in as many ranges as `uses` says.
    fn check_range(&self, number: usize, uses: &[u32]) -> Result<(), FormError> {
        let range = &self.ranges[number];
        let mut seen = vec![false; self.slots.len()];
        let mut sum = 0u64;
        for (slot, coefficient) in &range.terms {
            match seen.get_mut(*slot as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(FormError::RangeSlot { range: number }),
            }
            let next = sum.checked_add(*coefficient);
            let next = next.filter(|next| *coefficient > 0 && *next < RANGE_SUM_END);
            sum = next.ok_or(FormError::RangeSum { range: number })?;
        }
        if range.total > sum {
            return Err(FormError::RangeSum { range: number });
        }
        let Some((last, 1)) = range.terms.last() else {
            return Err(FormError::RangeLast { range: number });
        };
        let is_shared = uses.get(*last as usize) != Some(&1);
        if range.terms.len() < 2 || is_shared {
            return Err(FormError::RangeLast { range: number });
        }
        Ok(())
    }

    /// How many counters there are.
    pub fn counters(&self) -> u32 {
        self.counters
    }

    /// The slots, in the order of a ballot.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The sums that a ballot has.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// The most that one ballot adds to a counter: 0 for a counter that is not there.
    pub fn counter_max(&self, counter: u32) -> u64 {
        let worth = |slot: &Slot| match slot {
            Slot::Counted {
                counter: of,
                coefficient,
            } if *of == counter => *coefficient,
            _ => 0,
        };
        self.slots.iter().map(worth).sum()
    }

    /// Whether bits are one for each slot, and every range has its sum.
    pub fn admits(&self, bits: &[bool]) -> bool {
        let has_sum = |range: &Range| {
            let worth = |(slot, coefficient): &(u32, u64)| match bits.get(*slot as usize) {
                Some(true) => *coefficient,
                _ => 0,
            };
            range.terms.iter().map(worth).sum::<u64>() == range.total
        };
        bits.len() == self.slots.len() && self.ranges.iter().all(has_sum)
    }

    /// The slots of a ballot that adds these values to the counters; `None` where there is no such ballot.
    pub fn bits(&self, values: &[u64]) -> Option<Vec<bool>> {
        let mut left = values.to_vec();
        let mut bits = vec![false; self.slots.len()];
        for (bit, slot) in bits.iter_mut().zip(&self.slots) {
            if let Slot::Counted {
                counter,
                coefficient,
            } = slot
            {
                *bit = took(left.get_mut(*counter as usize)?, *coefficient);
            }
        }
        for range in &self.ranges {
            let is_slack = |slot: u32| self.slots.get(slot as usize) == Some(&Slot::Slack);
            let mut missing = range.total;
            for (slot, coefficient) in &range.terms {
                let bit = bits.get_mut(*slot as usize)?;
                match is_slack(*slot) {
                    true => *bit = took(&mut missing, *coefficient),
                    false if *bit => missing = missing.checked_sub(*coefficient)?,
                    false => {}
                }
            }
        }
        let is_whole = values.len() == self.counters as usize && left.iter().all(|left| *left == 0);
        (is_whole && self.admits(&bits)).then_some(bits)
    }

    /// The canonical bytes: counts as two bytes, numbers as four and coefficients as eight, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.counters.to_le_bytes());
        out.extend((self.slots.len() as u16).to_le_bytes());
        for slot in &self.slots {
            let (counter, coefficient) = match slot {
                Slot::Counted {
                    counter,
                    coefficient,
                } => (*counter, *coefficient),
                Slot::Slack => (NO_COUNTER, 0),
            };
            out.extend(counter.to_le_bytes());
            out.extend(coefficient.to_le_bytes());
        }
        out.extend((self.ranges.len() as u16).to_le_bytes());
        for range in &self.ranges {
            out.extend((range.terms.len() as u16).to_le_bytes());
            for (slot, coefficient) in &range.terms {
                out.extend(slot.to_le_bytes());
                out.extend(coefficient.to_le_bytes());
            }
            out.extend(range.total.to_le_bytes());
        }
        out
    }

    /// The form of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormError> {
        let mut rest = bytes;
        let form = Self::take(&mut rest).ok_or(FormError::Bytes)?;
        match rest {
            [] => Self::new(form.counters, form.slots, form.ranges),
            _ => Err(FormError::Bytes),
        }
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let counters = u32::from_le_bytes(taken(rest)?);
        let mut slots = Vec::new();
        for _ in 0..u16::from_le_bytes(taken(rest)?) {
            let (counter, coefficient) = pair(rest)?;
            slots.push(match (counter, coefficient) {
                (NO_COUNTER, 0) => Slot::Slack,
                (NO_COUNTER, _) => return None,
                _ => Slot::Counted {
                    counter,
                    coefficient,
                },
            });
        }
        let mut ranges = Vec::new();
        for _ in 0..u16::from_le_bytes(taken(rest)?) {
            let mut terms = Vec::new();
            for _ in 0..u16::from_le_bytes(taken(rest)?) {
                terms.push(pair(rest)?);
            }
            let total = u64::from_le_bytes(taken(rest)?);
            ranges.push(Range { terms, total });
        }
        Some(Self {
            counters,
            slots,
            ranges,
        })
    }
}

fn taken<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

fn pair(rest: &mut &[u8]) -> Option<(u32, u64)> {
    let number = u32::from_le_bytes(taken(rest)?);
    Some((number, u64::from_le_bytes(taken(rest)?)))
}

/// Coefficients whose subset sums are exactly 0 to `max`; the last is 1. None for 0.
///
/// Lipmaa, Asokan and Niemi, "Secure Vickrey auctions without threshold trust", 2002: the k-th of as many as `max`
/// has bits is (max + 2^k) / 2^(k + 1).
pub fn digits(max: u64) -> Vec<u64> {
    let bits = u64::BITS - max.leading_zeros();
    let digit = |k| (u128::from(max) + (1u128 << k)) >> (k + 1);
    (0..bits).map(|k| digit(k) as u64).collect()
}

/// Whether the coefficient is part of what is left, from which it is then taken.
fn took(left: &mut u64, coefficient: u64) -> bool {
    let fits = *left >= coefficient;
    if fits {
        *left -= coefficient;
    }
    fits
}

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormError {
    /// Too many slots, or none.
    Slots {
        /// How many.
        count: usize,
    },
    /// No counters, or counters that no slot counts for.
    Counters,
    /// A slot names a counter that is not there.
    UnknownCounter {
        /// Its number.
        slot: usize,
    },
    /// A slot's coefficient is 0, or its counter could exceed [`COUNTER_TOTAL_MAX`].
    Coefficient {
        /// Its number.
        slot: usize,
    },
    /// A range names a slot twice, or one that is not there.
    RangeSlot {
        /// Its number.
        range: usize,
    },
    /// A range's coefficients are 0 or too large, or they cannot reach its total.
    RangeSum {
        /// Its number.
        range: usize,
    },
    /// A range has a single slot, or its last is not one of coefficient 1 that no other range has.
    RangeLast {
        /// Its number.
        range: usize,
    },
    /// The bytes are not those of a form.
    Bytes,
    /// A declaration's bounds admit no ballot, or contradict each other.
    Bounds,
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slots { count } => write!(
                f,
                "expected 1 to {SEALED_SLOTS_MAX} slots, got {count}; offer fewer options or lower values"
            ),
            Self::Counters => f.write_str(
                "expected counters that each have a slot, got none or one without; leave out what no slot counts for",
            ),
            Self::UnknownCounter { slot } => write!(f, "slot {slot} counts for no known counter"),
            Self::Coefficient { slot } => write!(
                f,
                "the coefficient of slot {slot} is 0, or one ballot could exceed {COUNTER_TOTAL_MAX}"
            ),
            Self::RangeSlot { range } => {
                write!(f, "range {range} names a slot twice or one that is not there")
            }
            Self::RangeSum { range } => write!(
                f,
                "range {range} has a coefficient of 0, one too large, or a total that it cannot reach"
            ),
            Self::RangeLast { range } => write!(
                f,
                "range {range} needs two slots, and a last one of coefficient 1 that no other range has"
            ),
            Self::Bytes => f.write_str("expected the canonical bytes of a form, got others"),
            Self::Bounds => f.write_str(
                "the declared bounds leave nothing to decide or contradict each other; check minimum, maximum and blank",
            ),
        }
    }
}

impl core::error::Error for FormError {}
