//! Ballots that give some options a value: pairs of option and value, options ascending.

use alloc::vec::Vec;

use super::{Ballot, BallotKind, Malformed, view};
use crate::codec::{Reader, put_varint};

/// Whether a ballot may spell out the value 0.
enum Zero {
    Meaningful,
    LeftOut,
}

fn check(bytes: &[u8], options: usize, zero: Zero) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let mut above = 0;
    while !reader.is_empty() {
        let option = reader.size().ok_or(Malformed::Integer)?;
        if option >= options {
            return Err(Malformed::UnknownOption);
        }
        if option < above {
            return Err(Malformed::Order);
        }
        above = option + 1;
        let value = reader.varint().ok_or(Malformed::Integer)?;
        if value == 0 && matches!(zero, Zero::LeftOut) {
            return Err(Malformed::Zero);
        }
    }
    Ok(())
}

macro_rules! values {
    ($name:ident, $kind:expr, $zero:expr, $keep:expr, $doc:literal) => {
        view! {
            #[doc = $doc]
            $name
        }

        impl $name {
            /// The bytes of the ballot with these pairs of option and value, in any order.
            pub fn encode(values: &[(usize, u64)]) -> Vec<u8> {
                let keep: fn(u64) -> bool = $keep;
                let mut sorted = values.to_vec();
                sorted.sort_unstable();
                let mut out = Vec::new();
                for (option, value) in sorted.into_iter().filter(|(_, value)| keep(*value)) {
                    put_varint(&mut out, option as u64);
                    put_varint(&mut out, value);
                }
                out
            }

            /// Pairs of option and value, options ascending.
            pub fn values(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
                let mut reader = Reader::new(&self.0);
                core::iter::from_fn(move || Some((reader.size()?, reader.varint()?)))
            }

            /// Whether it gives no option a value.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl Ballot for $name {
            const KIND: BallotKind = $kind;

            fn view(bytes: &[u8], options: usize) -> Result<&Self, Malformed> {
                check(bytes, options, $zero)?;
                Ok(Self::cast(bytes))
            }

            fn view_again(bytes: &[u8]) -> &Self {
                Self::cast(bytes)
            }

            fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

values!(
    Scores,
    BallotKind::Scores,
    Zero::LeftOut,
    |value| value > 0,
    "Points for options; an option that is absent has 0, and 0 is never spelled out."
);
values!(
    Votes,
    BallotKind::Votes,
    Zero::LeftOut,
    |value| value > 0,
    "Votes spread over options; an option that is absent has 0, and 0 is never spelled out."
);
values!(
    Grades,
    BallotKind::Grades,
    Zero::Meaningful,
    |_| true,
    "Grades for options, numbered from 0, the worst; an option may have none."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_absent_in_scores_and_a_grade_in_grades() {
        assert_eq!(Scores::encode(&[(1, 0), (0, 5)]), [0, 5]);
        assert_eq!(Scores::view(&[0, 0], 3).unwrap_err(), Malformed::Zero);
        let bytes = Grades::encode(&[(1, 0), (0, 5)]);
        let grades = Grades::view(&bytes, 3).unwrap();
        assert_eq!(grades.values().collect::<Vec<_>>(), [(0, 5), (1, 0)]);
        assert_eq!(Grades::view(&[1], 3).unwrap_err(), Malformed::Integer);
        assert_eq!(
            Grades::view(&[1, 1, 0, 1], 3).unwrap_err(),
            Malformed::Order
        );
        assert_eq!(
            Grades::view(&[3, 1], 3).unwrap_err(),
            Malformed::UnknownOption
        );
    }
}
