//! Ballots that are a set of options: the options' numbers in ascending order.

use alloc::vec::Vec;

use super::{Ballot, BallotKind, Malformed, view};
use crate::codec::{Reader, put_varint};

fn check(bytes: &[u8], options: usize) -> Result<(), Malformed> {
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
    }
    Ok(())
}

macro_rules! option_set {
    ($name:ident, $kind:expr, $doc:literal) => {
        view! {
            #[doc = $doc]
            $name
        }

        impl $name {
            /// The bytes of the ballot that names these options, in any order.
            pub fn encode(options: &[usize]) -> Vec<u8> {
                let mut sorted = options.to_vec();
                sorted.sort_unstable();
                let mut out = Vec::new();
                for option in sorted {
                    put_varint(&mut out, option as u64);
                }
                out
            }

            /// The options it names, in ascending order.
            pub fn options(&self) -> impl Iterator<Item = usize> + '_ {
                let mut reader = Reader::new(&self.0);
                core::iter::from_fn(move || reader.size())
            }

            /// How many options it names.
            pub fn len(&self) -> usize {
                self.options().count()
            }

            /// Whether it is blank.
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl Ballot for $name {
            const KIND: BallotKind = $kind;

            fn view(bytes: &[u8], options: usize) -> Result<&Self, Malformed> {
                check(bytes, options)?;
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

option_set!(
    Choices,
    BallotKind::Choice,
    "The options a voter marked; usually one."
);
option_set!(
    Approvals,
    BallotKind::Approval,
    "The options a voter approves of."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ascending_known_options() {
        let bytes = Choices::encode(&[200, 3]);
        let ballot = Choices::view(&bytes, 201).unwrap();
        assert_eq!(ballot.options().collect::<Vec<_>>(), [3, 200]);
        assert_eq!(
            Choices::view(&bytes, 200).unwrap_err(),
            Malformed::UnknownOption
        );
        assert_eq!(Choices::view(&[3, 3], 9).unwrap_err(), Malformed::Order);
        assert_eq!(Choices::view(&[0x80], 9).unwrap_err(), Malformed::Integer);
        assert!(Choices::view(&[], 9).unwrap().is_empty());
    }
}
