//! Distinct ballot papers, ready to be counted.

use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// Distinct rankings with how often each was cast, up to the first rank with several marks.
pub(crate) struct Papers {
    /// All papers' preferences, one paper after another.
    preferences: Vec<u16>,
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
            for entry in ballot.entries() {
                if entry.tied {
                    // The preference before it shares its rank.
                    papers.preferences.pop();
                    break;
                }
                // The host allows 4,096 options.
                papers.preferences.push(entry.option as u16);
            }
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

    /// How many preferences there are in all, which is how much work one count is.
    pub(crate) fn preferences(&self) -> usize {
        self.preferences.len()
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

    /// The preferences that were not read yet.
    #[inline]
    pub(crate) fn rest(&self, paper: u32) -> &[u16] {
        let end = self.papers.starts[paper as usize + 1];
        &self.papers.preferences[self.next[paper as usize] as usize..end as usize]
    }

    /// Whether the paper has such a preference; it is not passed on.
    pub(crate) fn peek(&self, paper: u32, wanted: impl Fn(usize) -> bool) -> bool {
        self.rest(paper)
            .iter()
            .any(|option| wanted(usize::from(*option)))
    }
}
