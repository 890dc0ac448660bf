//! Rankings: for each option ranked, best first, twice its number, plus one where it shares the
//! rank of the option before it. Options of one rank ascend.

use alloc::vec;
use alloc::vec::Vec;

use super::{Ballot, BallotKind, Malformed, view};
use crate::codec::{Reader, put_varint};

view! {
    /// Options in a voter's order of preference, best first; may be cut short, and options may
    /// share a rank.
    Ranking
}

/// One option of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which option.
    pub option: usize,
    /// Whether it shares the rank of the entry before it.
    pub tied: bool,
}

impl Ranking {
    /// The bytes of the ballot with these ranks, best first. Empty ranks are left out.
    pub fn encode<R: AsRef<[usize]>>(ranks: &[R]) -> Vec<u8> {
        let mut out = Vec::new();
        for rank in ranks {
            let mut sorted = rank.as_ref().to_vec();
            sorted.sort_unstable();
            for (position, option) in sorted.into_iter().enumerate() {
                put_varint(&mut out, (option as u64) << 1 | u64::from(position > 0));
            }
        }
        out
    }

    /// The options ranked, best first.
    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let mut reader = Reader::new(&self.0);
        core::iter::from_fn(move || {
            let value = reader.size()?;
            Some(Entry {
                option: value >> 1,
                tied: value & 1 == 1,
            })
        })
    }

    /// The ranks, best first.
    pub fn ranks(&self) -> Ranks<'_> {
        Ranks { rest: &self.0 }
    }

    /// How many options it ranks.
    pub fn len(&self) -> usize {
        self.entries().count()
    }

    /// Whether it is blank.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some options share a rank.
    pub fn has_shared_ranks(&self) -> bool {
        self.entries().any(|entry| entry.tied)
    }
}

/// The options that share one rank, in ascending order; one option where none are tied.
#[derive(Clone, Copy, Debug)]
pub struct Rank<'a> {
    pub(super) bytes: &'a [u8],
}

impl<'a> Rank<'a> {
    /// Its options.
    #[inline]
    pub fn options(&self) -> impl Iterator<Item = usize> + use<'a> {
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || Some(reader.size()? >> 1))
    }

    /// How many options share it.
    pub fn len(&self) -> usize {
        self.options().count()
    }

    /// Never true of a rank that [`Ranking::ranks`] gives.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Iterates over the ranks of a ballot, best first.
#[derive(Clone, Debug)]
pub struct Ranks<'a> {
    rest: &'a [u8],
}

impl<'a> Ranks<'a> {
    /// The ballot without the ranks that were read.
    pub fn rest(&self) -> &'a Ranking {
        Ranking::cast(self.rest)
    }
}

impl<'a> Iterator for Ranks<'a> {
    type Item = Rank<'a>;

    #[inline]
    fn next(&mut self) -> Option<Rank<'a>> {
        let mut reader = Reader::new(self.rest);
        reader.varint()?;
        let end = loop {
            let end = self.rest.len() - reader.rest().len();
            match reader.varint() {
                Some(value) if value & 1 == 1 => {}
                _ => break end,
            }
        };
        let (bytes, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Rank { bytes })
    }
}

/// Whether it is a ranking of a small contest, in which every option takes one byte.
#[inline]
fn is_in_short_form(bytes: &[u8], options: usize) -> bool {
    if options > 64 || bytes.len() > options {
        return false;
    }
    let (mut seen, mut is_wrong) = (0u64, false);
    // No option is above this, so that the first entry cannot share a rank.
    let mut last = u8::MAX;
    for value in bytes {
        let (option, is_tied) = (value >> 1, value & 1 == 1);
        let bit = 1 << (option % 64);
        // No branches but the loop's: what voters write is hard to predict.
        is_wrong |=
            (usize::from(option) >= options) | (seen & bit != 0) | (is_tied & (last >= option));
        seen |= bit;
        last = option;
    }
    !is_wrong
}

/// Whether it is a ranking, of however many options.
#[inline(never)]
fn check(bytes: &[u8], options: usize) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let mut seen = vec![0u64; options.div_ceil(64)];
    let mut last = None;
    while !reader.is_empty() {
        let value = reader.size().ok_or(Malformed::Integer)?;
        let option = value >> 1;
        if option >= options {
            return Err(Malformed::UnknownOption);
        }
        let (word, bit) = (&mut seen[option / 64], 1 << (option % 64));
        let in_order = value & 1 == 0 || last.is_some_and(|last| last < option);
        if !in_order || *word & bit != 0 {
            return Err(Malformed::Order);
        }
        *word |= bit;
        last = Some(option);
    }
    Ok(())
}

impl Ballot for Ranking {
    const KIND: BallotKind = BallotKind::Ranking;

    #[inline]
    fn view(bytes: &[u8], options: usize) -> Result<&Self, Malformed> {
        if !is_in_short_form(bytes, options) {
            check(bytes, options)?;
        }
        Ok(Self::cast(bytes))
    }

    #[inline]
    fn view_again(bytes: &[u8]) -> &Self {
        Self::cast(bytes)
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(bytes: &[u8]) -> Vec<Vec<usize>> {
        Ranking::view(bytes, 100)
            .unwrap()
            .ranks()
            .map(|rank| rank.options().collect())
            .collect()
    }

    #[test]
    fn ranks_come_back() {
        let bytes = Ranking::encode(&[vec![99], vec![7, 2], vec![1]]);
        assert_eq!(ranks(&bytes), [vec![99], vec![2, 7], vec![1]]);
        assert!(ranks(&[]).is_empty());
    }

    #[test]
    fn the_short_form_and_the_general_check_agree() {
        for bytes in (0..=255u8).flat_map(|a| (0..=255u8).map(move |b| [a, b])) {
            for options in [0, 1, 2, 63, 64] {
                assert_eq!(
                    is_in_short_form(&bytes, options),
                    check(&bytes, options).is_ok(),
                    "{bytes:?} of {options}"
                );
            }
        }
    }

    #[test]
    fn other_forms_of_the_same_ballot_are_refused() {
        let refused = |bytes: &[u8], options| Ranking::view(bytes, options).unwrap_err();
        assert_eq!(
            refused(&[1], 9),
            Malformed::Order,
            "tied with nothing before it"
        );
        assert_eq!(
            refused(&[4, 3], 9),
            Malformed::Order,
            "descending within a rank"
        );
        assert_eq!(refused(&[2, 4, 2], 9), Malformed::Order, "twice");
        assert_eq!(refused(&[18], 9), Malformed::UnknownOption);
        assert_eq!(refused(&[0x82, 0x00], 9), Malformed::Integer);
        let twice = Ranking::encode(&[[80], [70], [80]]);
        assert_eq!(
            refused(&twice, 100),
            Malformed::Order,
            "twice in a large contest"
        );
    }

    #[test]
    fn meaningless_bytes_end_the_iteration() {
        assert_eq!(Ranking::view_again(&[0xff, 0xff]).ranks().count(), 0);
        assert_eq!(Ranking::view_again(&[2, 0x80]).entries().count(), 1);
        assert_eq!(Ranking::view_again(&[2, 0x80]).ranks().count(), 1);
    }
}
