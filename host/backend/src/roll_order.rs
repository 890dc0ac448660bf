//! A roll in the order in which it goes on the chain: by pseudonym over the whole upload, whatever order its
//! file has, so that a voter's place tells nothing. In bounded memory: sorted runs stand in a file and are
//! merged from there.

use std::{cmp::Reverse, collections::BinaryHeap, fs::File, io, os::unix::fs::FileExt, path::Path};

use tabella_protocol::{RollEntry, VoterId};

/// Most lines of one upload that name a voter.
pub(crate) const LINES_MAX: u64 = 10_000_000;
/// Lines that are sorted in memory at once.
const RUN_LINES: usize = 100_000;
/// Lines of each run that are in memory while runs are merged.
const BUFFER_LINES: usize = 256;
/// One line in the file, in bytes: pseudonym, weight, number.
const LINE_BYTES: usize = 32 + 4 + 8;

/// A good line of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) voter: VoterId,
    /// Its number, from 1. Of two lines of one voter the first comes first.
    pub(crate) number: u64,
    pub(crate) weight: u32,
}

impl Line {
    pub(crate) fn entry(&self) -> RollEntry {
        RollEntry {
            voter: self.voter,
            weight: self.weight,
        }
    }

    fn to_bytes(self) -> [u8; LINE_BYTES] {
        let mut bytes = [0; LINE_BYTES];
        bytes[..32].copy_from_slice(&self.voter.0);
        bytes[32..36].copy_from_slice(&self.weight.to_le_bytes());
        bytes[36..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; LINE_BYTES]) -> Self {
        let mut line = Self {
            voter: VoterId([0; 32]),
            number: 0,
            weight: 0,
        };
        line.voter.0.copy_from_slice(&bytes[..32]);
        let mut weight = [0; 4];
        weight.copy_from_slice(&bytes[32..36]);
        let mut number = [0; 8];
        number.copy_from_slice(&bytes[36..]);
        line.weight = u32::from_le_bytes(weight);
        line.number = u64::from_le_bytes(number);
        line
    }
}

/// Lines as they come.
pub(crate) struct RollOrder {
    file: File,
    run: Vec<Line>,
    /// How many lines each run in the file has.
    runs: Vec<u64>,
    count: u64,
}

impl RollOrder {
    /// Keeps what is too much for memory in a file of `directory`, which goes with it.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(directory)?,
            run: Vec::new(),
            runs: Vec::new(),
            count: 0,
        })
    }

    /// How many lines there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, line: Line) -> io::Result<()> {
        self.run.push(line);
        self.count += 1;
        if self.run.len() >= RUN_LINES {
            self.write_run()?;
        }
        Ok(())
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut bytes = Vec::with_capacity(self.run.len() * LINE_BYTES);
        for line in &self.run {
            bytes.extend_from_slice(&line.to_bytes());
        }
        let start: u64 = self.runs.iter().sum();
        self.file.write_all_at(&bytes, start * LINE_BYTES as u64)?;
        self.runs.push(self.run.len() as u64);
        self.run.clear();
        Ok(())
    }

    /// All lines so far, in order; lines of one voter follow one another.
    pub(crate) fn sorted(&mut self) -> io::Result<Sorted<'_>> {
        if !self.run.is_empty() {
            self.write_run()?;
        }
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut start = 0;
        for length in &self.runs {
            runs.push(Run {
                next: start,
                end: start + length,
                buffer: Vec::new(),
            });
            start += length;
        }
        let mut sorted = Sorted {
            file: &self.file,
            runs,
            heads: BinaryHeap::new(),
        };
        for run in 0..sorted.runs.len() {
            sorted.take_from(run)?;
        }
        Ok(sorted)
    }
}

/// A part of the file that is in order.
struct Run {
    next: u64,
    end: u64,
    /// What of it is in memory, the next line last.
    buffer: Vec<Line>,
}

impl Run {
    fn next(&mut self, file: &File) -> io::Result<Option<Line>> {
        if self.buffer.is_empty() {
            let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
            let count = left.min(BUFFER_LINES);
            let mut bytes = vec![0; count * LINE_BYTES];
            file.read_exact_at(&mut bytes, self.next * LINE_BYTES as u64)?;
            let (lines, _) = bytes.as_chunks::<LINE_BYTES>();
            self.buffer.extend(lines.iter().rev().map(Line::from_bytes));
            self.next += count as u64;
        }
        Ok(self.buffer.pop())
    }
}

/// The lines in order.
pub(crate) struct Sorted<'a> {
    file: &'a File,
    runs: Vec<Run>,
    /// The next line of each run.
    heads: BinaryHeap<Reverse<(Line, usize)>>,
}

impl Sorted<'_> {
    fn take_from(&mut self, run: usize) -> io::Result<()> {
        if let Some(line) = self.runs[run].next(self.file)? {
            self.heads.push(Reverse((line, run)));
        }
        Ok(())
    }
}

impl Iterator for Sorted<'_> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((line, run)) = self.heads.pop()?;
        Some(self.take_from(run).map(|()| line))
    }
}

/// The sizes of the parts in which `count` voters go on the chain: as few as can be, and equal but for one
/// voter, so that none of them tells where another upload began.
pub(crate) fn part_sizes(count: u64, part_max: u64) -> impl Iterator<Item = u64> {
    let parts = count.div_ceil(part_max);
    (0..parts).map(move |part| count / parts + u64::from(part < count % parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(count: u64) {
        let directory = tempfile::tempdir().unwrap();
        let mut order = RollOrder::new(directory.path()).unwrap();
        let mut expected = Vec::new();
        for number in 1..=count {
            // Every seventh line is of a voter that was there before.
            let voter = if number % 7 == 0 { number - 3 } else { number };
            let line = Line {
                voter: VoterId::pseudonym(&[1; 32], &voter.to_string()),
                number,
                weight: u32::try_from(number % 5).unwrap() + 1,
            };
            expected.push(line);
            order.push(line).unwrap();
        }
        expected.sort_unstable();
        assert_eq!(order.count(), count);
        for _ in 0..2 {
            let sorted: io::Result<Vec<Line>> = order.sorted().unwrap().collect();
            assert!(sorted.unwrap() == expected, "{count} lines");
        }
    }

    #[test]
    fn lines_come_in_the_order_of_pseudonyms() {
        for count in [0, 1, 300, 100_000, 250_001] {
            check(count);
        }
    }

    #[test]
    fn parts_are_equal_but_for_one() {
        let sizes = |count| part_sizes(count, 5).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(5), [5]);
        assert_eq!(sizes(6), [3, 3]);
        assert_eq!(sizes(11), [4, 4, 3]);
    }
}
