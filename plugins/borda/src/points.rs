//! What places on a ballot are worth, in whole units.

use alloc::vec::Vec;

use tabella_sdk::Number;

/// Up to here the points of eight thousand million voters fit 128 bits.
pub(crate) const DOWDALL_OPTIONS_MAX: usize = 36;

/// The worth of every place on a ballot.
pub(crate) struct Scale {
    /// Units of a point.
    unit: i128,
    /// By place, the units of all places before it; one more than there are places. So chosen that
    /// the mean of any run of places is whole.
    before: Vec<i128>,
}

impl Scale {
    pub(crate) fn borda(options: usize) -> Self {
        Self::new(2, (1..=options).map(|place| 2 * (options - place) as i128))
    }

    /// `None` beyond [`DOWDALL_OPTIONS_MAX`].
    pub(crate) fn dowdall(options: usize) -> Option<Self> {
        if options > DOWDALL_OPTIONS_MAX {
            return None;
        }
        let common = (1..=options as i128).fold(1, |common, place| {
            common / greatest_common_divisor(common, place) * place
        });
        // Each place is a multiple of `common`, and so is a sum of places; as a run is no longer
        // than there are places, its length divides `common`.
        let unit = common * common;
        Some(Self::new(
            unit,
            (1..=options as i128).map(|place| unit / place),
        ))
    }

    fn new(unit: i128, places: impl Iterator<Item = i128>) -> Self {
        let mut before = Vec::from([0]);
        let mut sum = 0;
        for place in places {
            sum += place;
            before.push(sum);
        }
        Self { unit, before }
    }

    /// The mean worth of the places from `start`, counted from 0, up to but without `end`.
    pub(crate) fn mean(&self, start: usize, end: usize) -> i128 {
        let sum = self.before[end] - self.before[start];
        // Dividing 128 bits costs a plugin hundreds of instructions, for every rank of every ballot.
        match (end - start, i64::try_from(sum)) {
            (1, _) => sum,
            (places, Ok(sum)) => (sum / places as i64).into(),
            (places, Err(_)) => sum / places as i128,
        }
    }

    /// So many units in points.
    pub(crate) fn number(&self, units: i128) -> Number {
        let divisor = greatest_common_divisor(units, self.unit);
        let (numerator, denominator) = (units / divisor, self.unit / divisor);
        match denominator {
            1 => Number::Integer(numerator),
            2 => Number::Decimal {
                units: numerator * 5,
                places: 1,
            },
            _ => Number::Ratio {
                numerator,
                denominator,
            },
        }
    }
}

fn greatest_common_divisor(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
