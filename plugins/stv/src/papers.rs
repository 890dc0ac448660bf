//! Distinct ballot papers, ready to be counted.

use alloc::vec::Vec;
use core::ops::Range;

use tabella_sdk::prelude::*;

/// An option's number: the rule takes at most 256 options.
pub(crate) type Preference = u8;

/// Distinct rankings with how often each was cast, up to the first rank with several marks.
pub(crate) struct Papers {
    /// All papers' preferences, one paper after another.
    preferences: Vec<Preference>,
    /// By paper, where its preferences start; one more for the end.
    starts: Vec<u32>,
    counts: Vec<u64>,
}

impl Papers {
    /// Leaves out ballots without a clear first preference.
    pub(crate) fn new(profile: &Profile<Ranking>) -> Self {
        let mut papers = Self {
            preferences: Vec::new(),
            starts: alloc::vec![0],
            counts: Vec::new(),
        };
        for (ballot, count) in profile.iter() {
            let start = papers.preferences.len();
            papers.read(ballot);
            if papers.preferences.len() > start && count > 0 {
                papers.counts.push(count);
                // Both fit: the host bounds the tally's memory far below 4 GiB.
                papers.starts.push(papers.preferences.len() as u32);
            } else {
                papers.preferences.truncate(start);
            }
        }
        papers
    }

    /// Appends a ballot's preferences.
    fn read(&mut self, ballot: &Ranking) {
        let bytes = ballot.as_bytes();
        // Nearly all ballots are of this form, which takes less fuel to read: every entry is a
        // byte, and none shares a rank.
        if bytes.iter().all(|byte| byte & 0x81 == 0) {
            self.preferences.extend(bytes.iter().map(|byte| byte >> 1));
            return;
        }
        for entry in ballot.entries() {
            if entry.tied {
                // The preference before it shares its rank.
                self.preferences.pop();
                break;
            }
            self.preferences.push(entry.option as Preference);
        }
    }

    /// How many distinct papers there are.
    pub(crate) fn len(&self) -> usize {
        self.counts.len()
    }

    /// How often a paper was cast.
    pub(crate) fn count(&self, paper: u32) -> u64 {
        self.counts[paper as usize]
    }

    /// How many papers were cast.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All preferences, one paper after another.
    pub(crate) fn preferences(&self) -> &[Preference] {
        &self.preferences
    }

    /// Where a paper's preferences start and end among all.
    pub(crate) fn range(&self, paper: u32) -> Range<u32> {
        self.starts[paper as usize]..self.starts[paper as usize + 1]
    }

    /// Each paper's next preference, from the first.
    pub(crate) fn cursor(&self) -> Cursor<'_> {
        Cursor {
            papers: self,
            next: self.starts[..self.len()].to_vec(),
        }
    }
}

/// How far each paper was read; it is never read twice.
pub(crate) struct Cursor<'a> {
    papers: &'a Papers,
    next: Vec<u32>,
}

impl Cursor<'_> {
    /// The paper's next preference for which `wanted` holds; those before it are passed over.
    #[inline]
    pub(crate) fn advance(&mut self, paper: u32, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        let next = &mut self.next[paper as usize];
        let end = self.papers.starts[paper as usize + 1];
        while *next < end {
            let option = usize::from(self.papers.preferences[*next as usize]);
            *next += 1;
            if wanted(option) {
                return Some(option);
            }
        }
        None
    }

    /// Whether the paper has such a preference; it is not passed on.
    pub(crate) fn peek(&self, paper: u32, wanted: impl Fn(usize) -> bool) -> bool {
        let (next, end) = (self.next[paper as usize], self.papers.range(paper).end);
        let rest = &self.papers.preferences[next as usize..end as usize];
        rest.iter().any(|option| wanted(usize::from(*option)))
    }
}
