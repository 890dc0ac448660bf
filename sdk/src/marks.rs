//! What marks on a ranked paper mean: skipped ranks, repeated options, ranks with several marks.

use alloc::vec;
use alloc::vec::Vec;

use tabella_abi::ballot::{MarkedRanking, RankMarks, Ranking};

/// How a rule reads a [`MarkedRanking`] into the plain ranking that it counts.
///
/// Ranks are read from the best down. A rule that counts plain rankings exports itself with
/// `export!(Rule, marks)`, and reads ballots so when it folds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRules {
    /// Skipped ranks in a row that are passed over; one more ends the ballot. `None`: any number.
    pub skipped_max: Option<u64>,
    /// What becomes of a ballot at an option that stood at a better rank.
    pub repeated: Repeated,
    /// What becomes of a ballot at a rank with several marks.
    pub several: Several,
    /// How many ranks are read, the best first. `None`: all.
    pub ranks_max: Option<u64>,
}

/// What becomes of a ballot at an option that stood at a better rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// The repetition is passed over.
    Skip,
    /// The ballot ends.
    Exhaust,
}

/// What becomes of a ballot at a rank with several marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Several {
    /// The options share the rank; the rule itself looks at it. Where nobody recorded which options
    /// were marked, the ballot ends.
    Share,
    /// The rank is passed over, and its options count where they stand again.
    Skip,
    /// The ballot ends.
    Exhaust,
}

impl MarkRules {
    /// The ballot itself, where it says the same as a plain ranking.
    #[inline]
    pub fn as_plain<'a>(&self, ballot: &'a MarkedRanking) -> Option<&'a Ranking> {
        let plain = ballot.as_plain()?;
        let is_read_whole = self.ranks_max.is_none()
            && (self.several != Several::Skip || !plain.has_shared_ranks());
        is_read_whole.then_some(plain)
    }

    /// The bytes of the plain ranking that the ballot means. Of options that share a rank under
    /// [`Several::Exhaust`] the rank is the last, so that the rule can see why the ballot ends.
    pub fn plain_bytes(&self, ballot: &MarkedRanking, options: usize) -> Vec<u8> {
        let mut ranks: Vec<Vec<usize>> = Vec::new();
        let mut seen = vec![false; options];
        let mut skipped = 0;
        for (position, marks) in (0u64..).zip(ballot.ranks()) {
            if self.ranks_max.is_some_and(|most| position >= most) {
                break;
            }
            if let RankMarks::Skipped = marks {
                skipped += 1;
                if self.skipped_max.is_some_and(|most| skipped > most) {
                    break;
                }
                continue;
            }
            skipped = 0;
            let marked: Vec<usize> = match marks {
                RankMarks::Options(marked) => marked.iter().collect(),
                RankMarks::Overvote if self.several != Several::Skip => break,
                _ => continue,
            };
            if marked.len() > 1 && self.several == Several::Skip {
                continue;
            }
            let again = |option: &usize| seen.get(*option).copied().unwrap_or(false);
            if self.repeated == Repeated::Exhaust && marked.iter().any(again) {
                break;
            }
            if marked.len() > 1 && self.several == Several::Exhaust {
                // A repeated option may stand in it; the rank ends the ballot all the same.
                let fresh: Vec<usize> = marked.iter().copied().filter(|o| !again(o)).collect();
                if fresh.len() > 1 {
                    ranks.push(fresh);
                }
                break;
            }
            let fresh: Vec<usize> = marked.into_iter().filter(|o| !again(o)).collect();
            for option in &fresh {
                if let Some(seen) = seen.get_mut(*option) {
                    *seen = true;
                }
            }
            if !fresh.is_empty() {
                ranks.push(fresh);
            }
        }
        Ranking::encode(&ranks)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec::Vec;

    use tabella_abi::ballot::{Ballot, Marks};

    use super::*;

    const RULES: MarkRules = MarkRules {
        skipped_max: Some(1),
        repeated: Repeated::Skip,
        several: Several::Share,
        ranks_max: None,
    };

    /// Reads `a - bc ?` as ranks: `-` skipped, `?` marks nobody recorded, `*` somebody else.
    fn read(rules: MarkRules, text: &str) -> String {
        let ranks = text.split(' ').map(|rank| match rank {
            "-" => Marks::Skipped,
            "?" => Marks::Overvote,
            "*" => Marks::Other,
            options => Marks::Options(options.bytes().map(|b| usize::from(b - b'a')).collect()),
        });
        let bytes = MarkedRanking::encode(&ranks.collect::<Vec<_>>());
        let ballot = MarkedRanking::view_again(&bytes);
        let plain = rules.plain_bytes(ballot, 5);
        let ranks = Ranking::view(&plain, 5).unwrap().ranks();
        let shown = |rank: tabella_abi::ballot::Rank<'_>| {
            let options = rank.options().map(|option| char::from(b'a' + option as u8));
            options.collect::<String>()
        };
        ranks.map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn skipped_ranks() {
        assert_eq!(read(RULES, "a - b"), "a b");
        assert_eq!(read(RULES, "a - - b"), "a");
        assert_eq!(read(RULES, "- - a"), "");
        assert_eq!(read(RULES, "- a - b - c"), "a b c");
        assert_eq!(
            read(RULES, "- * - a"),
            "a",
            "a mark for somebody else is no skip"
        );
        let none = MarkRules {
            skipped_max: Some(0),
            ..RULES
        };
        assert_eq!(read(none, "a - b"), "a");
        let any = MarkRules {
            skipped_max: None,
            ..RULES
        };
        assert_eq!(read(any, "- - - a"), "a");
    }

    #[test]
    fn repeated_options() {
        assert_eq!(read(RULES, "a a b"), "a b");
        let exhaust = MarkRules {
            repeated: Repeated::Exhaust,
            ..RULES
        };
        assert_eq!(read(exhaust, "a a b"), "a");
        assert_eq!(read(exhaust, "a b c"), "a b c");
    }

    #[test]
    fn ranks_with_several_marks() {
        assert_eq!(read(RULES, "ac a b"), "ac b");
        assert_eq!(read(RULES, "a ? b"), "a");
        let skip = MarkRules {
            several: Several::Skip,
            ..RULES
        };
        assert_eq!(read(skip, "ac a b"), "a b");
        assert_eq!(read(skip, "? a"), "a");
        let exhaust = MarkRules {
            several: Several::Exhaust,
            ..RULES
        };
        assert_eq!(read(exhaust, "a bc d"), "a bc");
        assert_eq!(read(exhaust, "a ab d"), "a");
    }

    #[test]
    fn ranks_at_most() {
        let three = MarkRules {
            ranks_max: Some(3),
            ..RULES
        };
        assert_eq!(read(three, "a b c d"), "a b c");
        assert_eq!(read(three, "- a b c"), "a b");
    }
}
