//! How each paper's vote passes on below its place in the tree: a chain of elected options and, at
//! its end, the first that continues.

use alloc::vec;
use alloc::vec::Vec;

use crate::election::Status;
use crate::papers::{Papers, Preference};

pub(super) struct Chains {
    /// Of all papers. Chains are written over what was read, without the options left out.
    preferences: Vec<Preference>,
    papers: Vec<Paper>,
    /// By option that continues, the papers whose chain has ended there.
    by_last: Vec<Vec<u32>>,
}

struct Paper {
    count: u64,
    start: u32,
    end: u32,
    /// What was not read yet.
    next: u32,
    stop: u32,
}

impl Chains {
    /// Every chain is empty.
    pub(super) fn new(papers: &Papers, options: usize) -> Self {
        let paper = |paper: u32| {
            let range = papers.range(paper);
            Paper {
                count: papers.count(paper),
                start: range.start,
                end: range.start,
                next: range.start,
                stop: range.end,
            }
        };
        Self {
            preferences: papers.preferences().to_vec(),
            papers: (0..papers.len() as u32).map(paper).collect(),
            by_last: vec![Vec::new(); options],
        }
    }

    /// How often a paper was cast.
    #[inline]
    pub(super) fn count(&self, paper: u32) -> u64 {
        self.papers[paper as usize].count
    }

    /// A paper's chain.
    #[inline]
    pub(super) fn of(&self, paper: u32) -> &[Preference] {
        let Paper { start, end, .. } = self.papers[paper as usize];
        &self.preferences[start as usize..end as usize]
    }

    /// What of a paper comes after its chain, options left out included.
    #[inline]
    pub(super) fn unread(&self, paper: u32) -> &[Preference] {
        let Paper { next, stop, .. } = self.papers[paper as usize];
        &self.preferences[next as usize..stop as usize]
    }

    /// The papers whose chain ends at this option.
    pub(super) fn ending_at(&self, option: usize) -> impl Iterator<Item = u32> {
        let papers = self.by_last[option].iter().copied();
        // Those that were used up by nodes have ended there.
        papers.filter(|paper| !self.of(*paper).is_empty())
    }

    /// Takes the first option of a paper's chain or, of an empty one, the paper's next that is not
    /// excluded.
    pub(super) fn first(&mut self, paper: u32, status: &[Status]) -> Option<usize> {
        let fields = &mut self.papers[paper as usize];
        if fields.start < fields.end {
            fields.start += 1;
            return Some(usize::from(self.preferences[fields.start as usize - 1]));
        }
        while fields.next < fields.stop {
            let option = usize::from(self.preferences[fields.next as usize]);
            fields.next += 1;
            if status[option] != Status::Excluded {
                return Some(option);
            }
        }
        None
    }

    /// Makes an empty chain as long as the paper and the options' status allow.
    pub(super) fn make(&mut self, paper: u32, status: &[Status]) {
        let fields = &mut self.papers[paper as usize];
        if fields.start == fields.end {
            (fields.start, fields.end) = (fields.next, fields.next);
            self.extend(paper, status);
        }
    }

    fn extend(&mut self, paper: u32, status: &[Status]) {
        let fields = &mut self.papers[paper as usize];
        while fields.next < fields.stop {
            let preference = self.preferences[fields.next as usize];
            let option = usize::from(preference);
            fields.next += 1;
            if status[option] == Status::Excluded {
                continue;
            }
            self.preferences[fields.end as usize] = preference;
            fields.end += 1;
            if status[option] == Status::Continuing {
                self.by_last[option].push(paper);
                return;
            }
        }
    }

    /// Makes the chains that end at this option longer, for it has become elected or excluded.
    pub(super) fn pass(&mut self, option: usize, status: &[Status]) {
        for paper in core::mem::take(&mut self.by_last[option]) {
            let fields = &mut self.papers[paper as usize];
            // Those that were used up by nodes have ended there.
            if fields.start < fields.end {
                if status[option] == Status::Excluded {
                    fields.end -= 1;
                }
                self.extend(paper, status);
            }
        }
    }
}
