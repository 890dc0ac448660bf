//! Rankings as they were marked: ranks may be empty, hold several options, or repeat an option.
//!
//! A ballot without such marks has the bytes of a [`Ranking`](super::Ranking), as it always had.
//! Any other starts with the byte 1, with which no ranking starts. Then follows each rank, best
//! first, by an unsigned head: 0, the voter skipped it; 1, it has several marks and nobody recorded
//! which; 2, it marks somebody who is not on the paper; from 3 on, it marks as many options as the
//! head less 2, and their numbers follow, ascending. The last rank is not a skipped one.

use alloc::vec;
use alloc::vec::Vec;

use super::{Ballot, BallotKind, Malformed, Ranking, view};
use crate::codec::{Reader, put_varint};

/// The first byte of a ballot with marks that a plain ranking cannot hold.
const TAG: u8 = 1;

const SKIPPED: u64 = 0;
const OVERVOTE: u64 = 1;
const OTHER: u64 = 2;

view! {
    /// Options as a voter marked them, rank by rank; what the marks mean is for the rule to say.
    MarkedRanking
}

/// What stands at one rank, to be encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Nothing.
    Skipped,
    /// Several marks, and nobody recorded which.
    Overvote,
    /// Somebody who is not on the paper, such as a write-in that is not counted.
    Other,
    /// These options: one, or several where the voter overvoted or ranked them alike.
    Options(Vec<usize>),
}

/// What stands at one rank of a ballot.
#[derive(Clone, Copy, Debug)]
pub enum RankMarks<'a> {
    /// Nothing.
    Skipped,
    /// Several marks, and nobody recorded which.
    Overvote,
    /// Somebody who is not on the paper.
    Other,
    /// These options, in ascending order.
    Options(MarkedOptions<'a>),
}

/// The options of one rank.
#[derive(Clone, Copy, Debug)]
pub struct MarkedOptions<'a> {
    bytes: &'a [u8],
    /// Plain rankings keep a flag beside each number.
    is_plain: bool,
}

impl<'a> MarkedOptions<'a> {
    /// In ascending order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<'a> {
        let shift = u32::from(self.is_plain);
        let mut reader = Reader::new(self.bytes);
        core::iter::from_fn(move || Some(reader.size()? >> shift))
    }
}

/// Iterates over the ranks of a ballot, best first.
#[derive(Clone, Debug)]
pub enum MarkedRanks<'a> {
    /// Of a ballot with a plain ranking's bytes.
    Plain(super::Ranks<'a>),
    /// Of any other: what follows its first byte.
    Marked(Reader<'a>),
}

impl<'a> Iterator for MarkedRanks<'a> {
    type Item = RankMarks<'a>;

    fn next(&mut self) -> Option<RankMarks<'a>> {
        let reader = match self {
            Self::Plain(ranks) => {
                let rank = ranks.next()?;
                return Some(RankMarks::Options(MarkedOptions {
                    bytes: rank.bytes,
                    is_plain: true,
                }));
            }
            Self::Marked(reader) => reader,
        };
        Some(match reader.varint()? {
            SKIPPED => RankMarks::Skipped,
            OVERVOTE => RankMarks::Overvote,
            OTHER => RankMarks::Other,
            head => {
                let start = reader.rest();
                for _ in OTHER..head {
                    reader.varint()?;
                }
                let bytes = &start[..start.len() - reader.rest().len()];
                RankMarks::Options(MarkedOptions {
                    bytes,
                    is_plain: false,
                })
            }
        })
    }
}

impl MarkedRanking {
    /// The bytes of the ballot with these ranks, best first. Skipped ranks at its end are left out,
    /// and a ballot that a plain ranking can hold has that ranking's bytes.
    pub fn encode(ranks: &[Marks]) -> Vec<u8> {
        let ends = |marks: &Marks| *marks != Marks::Skipped;
        let len = ranks.iter().rposition(ends).map_or(0, |last| last + 1);
        let ranks: Vec<Marks> = ranks[..len].iter().map(Marks::sorted).collect();
        if let Some(plain) = plain(&ranks) {
            return Ranking::encode(&plain);
        }
        let mut out = vec![TAG];
        for marks in &ranks {
            match marks {
                Marks::Skipped => put_varint(&mut out, SKIPPED),
                Marks::Overvote => put_varint(&mut out, OVERVOTE),
                Marks::Other => put_varint(&mut out, OTHER),
                Marks::Options(options) => {
                    put_varint(&mut out, OTHER + options.len() as u64);
                    for option in options {
                        put_varint(&mut out, *option as u64);
                    }
                }
            }
        }
        out
    }

    /// The ranks, best first.
    pub fn ranks(&self) -> MarkedRanks<'_> {
        match self.0.split_first() {
            Some((&TAG, rest)) => MarkedRanks::Marked(Reader::new(rest)),
            _ => MarkedRanks::Plain(Ranking::view_again(&self.0).ranks()),
        }
    }

    /// The ballot as a plain ranking, where it has no marks beyond one.
    #[inline]
    pub fn as_plain(&self) -> Option<&Ranking> {
        match self.0.first() {
            Some(&TAG) => None,
            _ => Some(Ranking::view_again(&self.0)),
        }
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Marks {
    /// Options in ascending order, each once; a rank of no options is skipped.
    fn sorted(&self) -> Self {
        match self {
            Self::Options(options) => {
                let mut options = options.clone();
                options.sort_unstable();
                options.dedup();
                match options.is_empty() {
                    true => Self::Skipped,
                    false => Self::Options(options),
                }
            }
            other => other.clone(),
        }
    }
}

/// The ranks of a plain ranking, where it can hold them.
fn plain(ranks: &[Marks]) -> Option<Vec<&[usize]>> {
    let mut seen: Vec<usize> = Vec::new();
    let mut plain = Vec::new();
    for marks in ranks {
        let Marks::Options(options) = marks else {
            return None;
        };
        seen.extend(options);
        plain.push(options.as_slice());
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    (seen.len() == all).then_some(plain)
}

/// Whether bytes after the tag are ranks that a plain ranking cannot hold, in their one form.
#[inline(never)]
fn check(bytes: &[u8], options: usize) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let mut seen = vec![0u64; options.div_ceil(64)];
    let mut needs_tag = false;
    let mut ends_skipped = true;
    while !reader.is_empty() {
        let head = reader.varint().ok_or(Malformed::Integer)?;
        ends_skipped = head == SKIPPED;
        if head <= OTHER {
            needs_tag = true;
            continue;
        }
        let mut above = 0;
        for _ in OTHER..head {
            let option = reader.size().ok_or(Malformed::Integer)?;
            if option >= options {
                return Err(Malformed::UnknownOption);
            }
            if option < above {
                return Err(Malformed::Order);
            }
            above = option + 1;
            let (word, bit) = (&mut seen[option / 64], 1 << (option % 64));
            needs_tag |= *word & bit != 0;
            *word |= bit;
        }
    }
    match needs_tag && !ends_skipped {
        true => Ok(()),
        false => Err(Malformed::Order),
    }
}

impl Ballot for MarkedRanking {
    const KIND: BallotKind = BallotKind::Ranking;

    #[inline]
    fn view(bytes: &[u8], options: usize) -> Result<&Self, Malformed> {
        match bytes.split_first() {
            Some((&TAG, rest)) => check(rest, options)?,
            _ => {
                Ranking::view(bytes, options)?;
            }
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

    fn options(options: &[usize]) -> Marks {
        Marks::Options(options.to_vec())
    }

    fn back(bytes: &[u8], count: usize) -> Vec<Marks> {
        let ballot = MarkedRanking::view(bytes, count).unwrap();
        let marks = |rank| match rank {
            RankMarks::Skipped => Marks::Skipped,
            RankMarks::Overvote => Marks::Overvote,
            RankMarks::Other => Marks::Other,
            RankMarks::Options(of) => Marks::Options(of.iter().collect()),
        };
        ballot.ranks().map(marks).collect()
    }

    #[test]
    fn marks_come_back_as_they_were_made() {
        for ranks in [
            vec![options(&[1]), Marks::Skipped, options(&[0])],
            vec![options(&[1]), options(&[1]), options(&[200])],
            vec![Marks::Overvote, options(&[0, 2]), Marks::Other],
            vec![Marks::Skipped, Marks::Skipped, Marks::Overvote],
            vec![options(&[2]), options(&[0, 1])],
        ] {
            assert_eq!(back(&MarkedRanking::encode(&ranks), 201), ranks);
        }
    }

    #[test]
    fn a_ballot_that_a_plain_ranking_holds_has_its_bytes() {
        let plain = MarkedRanking::encode(&[options(&[3]), options(&[2, 1]), Marks::Skipped]);
        assert_eq!(plain, Ranking::encode(&[vec![3], vec![1, 2]]));
        assert!(MarkedRanking::view(&plain, 4).unwrap().as_plain().is_some());
        assert!(MarkedRanking::encode(&[Marks::Skipped, Marks::Skipped]).is_empty());
    }

    #[test]
    fn plain_rankings_refuse_what_they_cannot_hold() {
        let marked = MarkedRanking::encode(&[options(&[1]), Marks::Skipped, options(&[0])]);
        assert_eq!(marked, [1, 3, 1, 0, 3, 0]);
        assert_eq!(Ranking::view(&marked, 2).unwrap_err(), Malformed::Order);
        for options in [2, 64, 65, 4_096] {
            assert!(Ranking::view(&marked, options).is_err(), "{options}");
        }
    }

    #[test]
    fn other_forms_of_the_same_ballot_are_refused() {
        let refused = |bytes: &[u8]| MarkedRanking::view(bytes, 9).unwrap_err();
        assert_eq!(refused(&[1]), Malformed::Order, "nothing marked");
        assert_eq!(refused(&[1, 3, 1]), Malformed::Order, "a plain ranking");
        assert_eq!(
            refused(&[1, 0, 3, 1, 0]),
            Malformed::Order,
            "skipped at the end"
        );
        assert_eq!(refused(&[1, 0, 4, 2, 1]), Malformed::Order, "descending");
        assert_eq!(
            refused(&[1, 0, 4, 1, 1]),
            Malformed::Order,
            "twice at a rank"
        );
        assert_eq!(refused(&[1, 0, 3, 9]), Malformed::UnknownOption);
        assert_eq!(refused(&[1, 0, 4, 1]), Malformed::Integer, "cut off");
        assert_eq!(refused(&[1, 0, 0x83, 0, 1]), Malformed::Integer);
        assert_eq!(
            refused(&[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1]),
            Malformed::Integer
        );
    }

    #[test]
    fn meaningless_bytes_end_the_iteration() {
        assert_eq!(MarkedRanking::view_again(&[1, 0xff]).ranks().count(), 0);
        assert_eq!(MarkedRanking::view_again(&[1, 0, 9, 1]).ranks().count(), 1);
    }
}
