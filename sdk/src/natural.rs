//! Whole numbers of any size.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// A whole number from 0 up, of any size; for counts whose fractions grow beyond 128 bits.
///
/// Fractions are compared exactly by keeping them over one denominator, or crosswise:
/// `a/b < c/d` where `a x d < c x b`.
///
/// ```
/// use tabella_sdk::Natural;
/// let third = (Natural::from(1), 3);
/// let half = (Natural::from(1), 2);
/// assert!(third.0.times(half.1) < half.0.times(third.1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Natural {
    /// The lowest 32 bits first; no zeros at the end.
    limbs: Vec<u32>,
}

impl From<u64> for Natural {
    fn from(value: u64) -> Self {
        let mut natural = Self {
            limbs: alloc::vec![value as u32, (value >> 32) as u32],
        };
        natural.trim();
        natural
    }
}

impl Natural {
    /// Whether it is 0.
    pub fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// Adds another number.
    pub fn add(&mut self, other: &Self) {
        self.add_times(other, 1);
    }

    /// Adds another number so many times.
    pub fn add_times(&mut self, other: &Self, factor: u64) {
        let mut carry = 0u128;
        let mut position = 0;
        while position < other.limbs.len() || carry > 0 {
            if position == self.limbs.len() {
                self.limbs.push(0);
            }
            let limb = other.limbs.get(position).copied().unwrap_or(0);
            let sum =
                u128::from(self.limbs[position]) + u128::from(limb) * u128::from(factor) + carry;
            self.limbs[position] = sum as u32;
            carry = sum >> 32;
            position += 1;
        }
        self.trim();
    }

    /// This number so many times.
    #[must_use]
    pub fn times(&self, factor: u64) -> Self {
        let mut product = Self::default();
        product.add_times(self, factor);
        product
    }

    /// This number less another; `None` where the other is larger.
    #[must_use]
    pub fn checked_sub(&self, other: &Self) -> Option<Self> {
        if *self < *other {
            return None;
        }
        let mut difference = self.clone();
        let mut borrow = 0i64;
        for (position, limb) in difference.limbs.iter_mut().enumerate() {
            let taken = other.limbs.get(position).copied().unwrap_or(0);
            let rest = i64::from(*limb) - i64::from(taken) - borrow;
            // A negative rest borrows from the next limb; its low bits are right as they are.
            *limb = rest as u32;
            borrow = i64::from(rest < 0);
        }
        difference.trim();
        Some(difference)
    }

    /// This number divided by another, rounded down.
    ///
    /// # Panics
    /// When the divisor is 0.
    #[must_use]
    pub fn divided(&self, divisor: u32) -> Self {
        let mut quotient = self.clone();
        let mut rest = 0u64;
        for limb in quotient.limbs.iter_mut().rev() {
            let value = rest << 32 | u64::from(*limb);
            *limb = (value / u64::from(divisor)) as u32;
            rest = value % u64::from(divisor);
        }
        quotient.trim();
        quotient
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.limbs.len().cmp(&other.limbs.len()))
            .then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of 128 bits from a fixed sequence, small ones among them.
    fn numbers() -> impl Iterator<Item = u128> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        (0u32..400).map(move |round| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (u128::from(state) << 64 | u128::from(state.rotate_left(17))) >> (round % 128)
        })
    }

    fn natural(value: u128) -> Natural {
        let mut natural = Natural::from((value >> 64) as u64)
            .times(1 << 32)
            .times(1 << 32);
        natural.add(&Natural::from(value as u64));
        natural
    }

    #[test]
    fn agrees_with_128_bits() {
        let all: Vec<_> = numbers().collect();
        for pair in all.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            assert_eq!(natural(a).cmp(&natural(b)), a.cmp(&b));
            assert_eq!(
                natural(a).checked_sub(&natural(b)),
                a.checked_sub(b).map(natural)
            );
            let mut sum = natural(a >> 1);
            sum.add(&natural(b >> 1));
            assert_eq!(sum, natural((a >> 1) + (b >> 1)));
            let factor = b as u64;
            assert_eq!(
                natural(a >> 64).times(factor),
                natural((a >> 64) * u128::from(factor))
            );
            let divisor = (b as u32).max(1);
            assert_eq!(
                natural(a).divided(divisor),
                natural(a / u128::from(divisor))
            );
        }
    }

    #[test]
    fn grows_beyond_128_bits() {
        let mut power = Natural::from(1);
        for _ in 0..100 {
            power = power.times(u64::MAX);
        }
        for _ in 0..200 {
            power = power.divided(3).times(3);
        }
        assert!(power > natural(u128::MAX));
        assert!(power.checked_sub(&power).is_some_and(|zero| zero.is_zero()));
    }
}
