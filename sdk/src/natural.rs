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
        match u32::try_from(factor) {
            Ok(factor) => self.add_times_short(other, factor),
            Err(_) => self.add_times_long(other, factor),
        }
        self.trim();
    }

    /// 64 bits hold every step, which is several times faster in a plugin than 128.
    fn add_times_short(&mut self, other: &Self, factor: u32) {
        if self.limbs.len() < other.limbs.len() {
            self.limbs.resize(other.limbs.len(), 0);
        }
        let mut carry = 0;
        for (limb, more) in self.limbs.iter_mut().zip(&other.limbs) {
            let sum = u64::from(*limb) + u64::from(*more) * u64::from(factor) + carry;
            *limb = sum as u32;
            carry = sum >> 32;
        }
        for limb in self.limbs.iter_mut().skip(other.limbs.len()) {
            if carry == 0 {
                return;
            }
            let sum = u64::from(*limb) + carry;
            *limb = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            self.limbs.push(carry as u32);
        }
    }

    fn add_times_long(&mut self, other: &Self, factor: u64) {
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
    }

    /// This number so many times.
    #[must_use]
    pub fn times(&self, factor: u64) -> Self {
        let mut product = Self {
            limbs: Vec::with_capacity(self.limbs.len() + 2),
        };
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

impl Natural {
    /// Below this lies the error of [`Natural::share_of`].
    pub const SHARE_ERROR: i64 = 3;

    /// About which share of a whole this number is, from 0 to 2^31: too low by less than
    /// [`Natural::SHARE_ERROR`], never too high. This number must not exceed the whole.
    pub fn share_of(&self, whole: &Self) -> i64 {
        let top = whole.limbs.len();
        let limb = |number: &Self, below: usize| {
            let position = top.checked_sub(below);
            let limb = position.and_then(|position| number.limbs.get(position));
            u64::from(limb.copied().unwrap_or(0))
        };
        // The whole's highest 32 bits, and this number's bits in the same places.
        let unused = whole.limbs.last().map_or(0, |limb| limb.leading_zeros());
        let high = |number: &Self| ((limb(number, 1) << 32 | limb(number, 2)) << unused) >> 32;
        ((high(self) << 31) / (high(whole) + 1)) as i64
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
    fn shares_are_a_little_too_low() {
        for (whole, part) in numbers().zip(numbers().skip(1)) {
            let (whole, part) = (whole >> 40, (part >> 40).min(whole >> 40));
            let share = natural(part).share_of(&natural(whole));
            // In 2^-31 and cut: the whole part of the true share.
            let exact = (part << 31).checked_div(whole).unwrap_or(0);
            let error = exact as i64 - share;
            assert!(
                (0..=Natural::SHARE_ERROR).contains(&error),
                "{part} of {whole}: {share}"
            );
        }
        let long = natural(u128::MAX).times(u64::MAX).times(12_345);
        let third = long.divided(3);
        assert!((0..Natural::SHARE_ERROR).contains(&((1 << 31) / 3 - third.share_of(&long))));
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
