//! Exact numbers in results.

use alloc::vec::Vec;
use core::fmt;

use crate::codec::{Reader, Wire};

/// An exact number, written as people check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// A whole number.
    Integer(i128),
    /// A decimal: units of ten to the minus `places`. Shown with all its places.
    Decimal {
        /// The number times ten to the power of `places`.
        units: i128,
        /// Digits after the point, at most 18.
        places: u8,
    },
    /// A fraction in lowest terms with a denominator above 1.
    Ratio {
        /// Above the line.
        numerator: i128,
        /// Below the line.
        denominator: i128,
    },
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self::Integer(0);

    /// The whole number, where it is one.
    pub fn integer(&self) -> Option<i128> {
        match *self {
            Self::Integer(value) => Some(value),
            Self::Decimal { units, places } => {
                let scale = 10i128.pow(u32::from(places));
                (units % scale == 0).then_some(units / scale)
            }
            Self::Ratio { .. } => None,
        }
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Integer(value.into())
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Self {
        Self::Integer(value)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal { units, places: 0 } => write!(f, "{units}"),
            Self::Decimal { units, places } => {
                let scale = 10u128.pow(u32::from(places));
                let sign = if units < 0 { "-" } else { "" };
                let (whole, part) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
                write!(
                    f,
                    "{sign}{whole}.{part:0places$}",
                    places = usize::from(places)
                )
            }
            Self::Ratio {
                numerator,
                denominator,
            } => write!(f, "{numerator}/{denominator}"),
        }
    }
}

impl Wire for Number {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(value) => {
                out.push(0);
                value.put(out);
            }
            Self::Decimal { units, places } => {
                out.push(1);
                units.put(out);
                out.push(*places);
            }
            Self::Ratio {
                numerator,
                denominator,
            } => {
                out.push(2);
                numerator.put(out);
                denominator.put(out);
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.byte()? {
            0 => Some(Self::Integer(Wire::take(reader)?)),
            1 => {
                let (units, places) = (Wire::take(reader)?, reader.byte()?);
                (places <= 18).then_some(Self::Decimal { units, places })
            }
            2 => {
                let (numerator, denominator) = (Wire::take(reader)?, Wire::take(reader)?);
                (denominator > 1).then_some(Self::Ratio {
                    numerator,
                    denominator,
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_are_shown_exactly() {
        assert_eq!(
            Number::Decimal {
                units: -1_005,
                places: 2
            }
            .to_string(),
            "-10.05"
        );
        assert_eq!(
            Number::Decimal {
                units: 7,
                places: 5
            }
            .to_string(),
            "0.00007"
        );
        assert_eq!(
            Number::Ratio {
                numerator: 7,
                denominator: 3
            }
            .to_string(),
            "7/3"
        );
        assert_eq!(
            Number::Decimal {
                units: 700,
                places: 2
            }
            .integer(),
            Some(7)
        );
    }

    #[test]
    fn senseless_numbers_are_refused() {
        assert_eq!(Number::from_wire(&[1, 0, 19]), None);
        assert_eq!(Number::from_wire(&[2, 2, 2]), None, "a denominator of 1");
        assert_eq!(Number::from_wire(&[3]), None);
    }
}
