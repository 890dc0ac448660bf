//! Exact numbers of fixed size: decimals with fixed places, and fractions.
//!
//! Every operation is checked: what does not fit 128 bits is `None`, never a wrapped number.

use core::cmp::Ordering;

use crate::{Natural, Number};

/// A decimal with `PLACES` digits after the point, at most 18.
///
/// ```
/// use tabella_sdk::{Fixed, Number};
/// let third = Fixed::<5>::from_integer(1).unwrap().checked_div(Fixed::from_integer(3).unwrap());
/// assert_eq!(Number::from(third.unwrap()).to_string(), "0.33333");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed<const PLACES: u8> {
    units: i128,
}

impl<const PLACES: u8> Fixed<PLACES> {
    const SCALE: i128 = {
        assert!(PLACES <= 18, "at most 18 places");
        10i128.pow(PLACES as u32)
    };

    /// A whole number.
    pub fn from_integer(value: i64) -> Option<Self> {
        let units = i128::from(value).checked_mul(Self::SCALE)?;
        Some(Self { units })
    }

    /// So many units of the last place.
    pub const fn from_units(units: i128) -> Self {
        Self { units }
    }

    /// How many units of the last place it is.
    pub const fn units(self) -> i128 {
        self.units
    }

    /// The sum.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.units.checked_add(other.units).map(Self::from_units)
    }

    /// The difference.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.units.checked_sub(other.units).map(Self::from_units)
    }

    /// The product, cut towards zero to the last place.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = self.units.checked_mul(other.units)?;
        Some(Self::from_units(product / Self::SCALE))
    }

    /// The quotient, cut towards zero to the last place; `None` where the divisor is 0.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        let scaled = self.units.checked_mul(Self::SCALE)?;
        scaled.checked_div(other.units).map(Self::from_units)
    }
}

impl<const PLACES: u8> From<Fixed<PLACES>> for Number {
    fn from(fixed: Fixed<PLACES>) -> Self {
        Self::Decimal {
            units: fixed.units,
            places: PLACES,
        }
    }
}

/// A fraction in lowest terms.
///
/// ```
/// use tabella_sdk::{Number, Ratio};
/// let half = Ratio::new(2, 4).unwrap();
/// let sum = half.checked_add(Ratio::new(1, 3).unwrap()).unwrap();
/// assert_eq!(Number::from(sum).to_string(), "5/6");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: i128,
    /// Above 0.
    denominator: i128,
}

impl Ratio {
    /// `None` where the denominator is 0, or nothing that fits is equal.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let (mut divisor, mut rest) = (numerator.unsigned_abs(), denominator.unsigned_abs());
        while rest > 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let divisor = i128::try_from(divisor).ok()?;
        let (above, below) = (numerator.checked_div(divisor)?, denominator / divisor);
        let sign = if below < 0 { -1 } else { 1 };
        (below != 0).then_some(())?;
        Some(Self {
            numerator: above.checked_mul(sign)?,
            denominator: below.checked_mul(sign)?,
        })
    }

    /// Above the line.
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// Below the line; above 0.
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The sum.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        let denominator = self.denominator.checked_mul(other.denominator)?;
        Self::new(left.checked_add(right)?, denominator)
    }

    /// The difference.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let negative = Self {
            numerator: other.numerator.checked_neg()?,
            ..other
        };
        self.checked_add(negative)
    }

    /// The product.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(other.numerator)?,
            self.denominator.checked_mul(other.denominator)?,
        )
    }

    /// The quotient; `None` where the divisor is 0.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        Self::new(
            self.numerator.checked_mul(other.denominator)?,
            self.denominator.checked_mul(other.numerator)?,
        )
    }
}

impl Ord for Ratio {
    /// Exact for all values.
    fn cmp(&self, other: &Self) -> Ordering {
        let signs = self.numerator.signum().cmp(&other.numerator.signum());
        let magnitudes = product(self.numerator, other.denominator)
            .cmp(&product(other.numerator, self.denominator));
        signs.then(match self.numerator < 0 {
            true => magnitudes.reverse(),
            false => magnitudes,
        })
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The magnitude of a product that may need 256 bits.
fn product(left: i128, right: i128) -> Natural {
    let (left, right) = (left.unsigned_abs(), right.unsigned_abs());
    let split = |value: u128| ((value >> 64) as u64, value as u64);
    let ((left_high, left_low), (right_high, right_low)) = (split(left), split(right));
    let shifted = |natural: Natural| natural.times(1 << 32).times(1 << 32);
    let mut whole = shifted(Natural::from(left_high));
    whole.add(&Natural::from(left_low));
    let mut product = shifted(whole.times(right_high));
    product.add_times(&whole, right_low);
    product
}

impl From<Ratio> for Number {
    fn from(ratio: Ratio) -> Self {
        match ratio.denominator {
            1 => Self::Integer(ratio.numerator),
            denominator => Self::Ratio {
                numerator: ratio.numerator,
                denominator,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn ratio(numerator: i128, denominator: i128) -> Ratio {
        Ratio::new(numerator, denominator).unwrap()
    }

    #[test]
    fn decimals_are_cut_to_their_places() {
        let two = Fixed::<2>::from_integer(2).unwrap();
        let three = Fixed::<2>::from_integer(3).unwrap();
        let part = two.checked_div(three).unwrap();
        assert_eq!(Number::from(part).to_string(), "0.66");
        assert_eq!(part.checked_mul(part).unwrap().units(), 43);
        assert_eq!(two.checked_sub(three).unwrap().units(), -100);
        assert_eq!(two.checked_div(Fixed::default()), None);
        let most = Fixed::<2>::from_units(i128::MAX);
        assert_eq!(most.checked_add(two), None);
        assert_eq!(most.checked_mul(two), None);
    }

    #[test]
    fn fractions_are_in_lowest_terms() {
        assert_eq!(ratio(-6, -4), ratio(3, 2));
        assert_eq!(
            (ratio(6, -4).numerator(), ratio(6, -4).denominator()),
            (-3, 2)
        );
        assert_eq!(ratio(0, 7), ratio(0, -1));
        assert_eq!(Ratio::new(1, 0), None);
        assert_eq!(Ratio::new(0, 0), None);
        assert_eq!(Ratio::new(1, i128::MIN), None);
        assert_eq!(ratio(1, 2).checked_sub(ratio(1, 3)), Some(ratio(1, 6)));
        assert_eq!(ratio(1, 2).checked_div(ratio(0, 1)), None);
        assert_eq!(ratio(i128::MAX, 1).checked_add(ratio(1, 1)), None);
    }

    #[test]
    fn fractions_compare_beyond_128_bits() {
        let (most, next) = (i128::MAX, i128::MAX - 1);
        assert!(ratio(most, next) > ratio(1, 1));
        assert!(ratio(next, most) < ratio(most, next));
        assert!(ratio(-most, next) < ratio(-1, 1));
        assert!(ratio(-1, most) < ratio(1, most));
        assert!(ratio(2, 3) < ratio(3, 4));
    }
}
