//! A disk that changes bits of a log, and one that loses what it was given last.

use std::path::Path;

use super::{tests::*, *};

/// What a disk writes as one.
const SECTOR_BYTES: usize = 512;

/// A log as a validator that signed leaves it.
struct Written {
    height: u64,
    bytes: Vec<u8>,
    /// Where its entries end.
    ends: Vec<usize>,
}

fn logs() -> Vec<Written> {
    let endings = [
        vec![vote(5, 0, 3)],
        vec![vote(5, 0, 3), timeout()],
        vec![
            timeout(),
            vote(5, 1, 4),
            vote(5, 2, 5),
            timeout(),
            timeout(),
        ],
    ];
    let mut logs: Vec<_> = endings
        .into_iter()
        .map(|ending| {
            (
                5,
                [vec![proposed(5, 1), timeout(), vote(5, 0, 2)], ending].concat(),
            )
        })
        .collect();
    // Even heights, and one over several sectors and pages.
    logs.push((
        6,
        (0..40).map(|round| vote(6, round.into(), round)).collect(),
    ));
    logs.push((1, vec![vote(1, 0, 1)]));
    logs.into_iter()
        .map(|(height, entries)| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(FILE_NAME);
            let (_, ends) = write(&path, height, entries);
            let bytes = fs::read(&path).unwrap();
            Written {
                height,
                bytes,
                ends,
            }
        })
        .collect()
}

/// A log in memory.
struct Memory(std::io::Cursor<Vec<u8>>);

impl Read for Memory {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl LogFile for Memory {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.get_ref().len() as u64)
    }

    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()> {
        self.0
            .get_mut()
            .truncate(usize::try_from(size_bytes).unwrap());
        Ok(())
    }

    fn sync_all(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is left of a log once it was prepared.
fn prepared(bytes: &[u8], policy: WalPolicy, height: u64) -> Result<Vec<u8>, WalError> {
    let mut file = Memory(io::Cursor::new(bytes.to_vec()));
    prepare(Path::new(FILE_NAME), &mut file, policy, height)?;
    Ok(file.0.into_inner())
}

#[test]
fn a_bit_that_changed_anywhere_in_the_log_is_refused() {
    for Written { height, bytes, .. } in logs() {
        assert_eq!(prepared(&bytes, WalPolicy::Require, height).unwrap(), bytes);
        for byte in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[byte] ^= 1 << bit;
                for policy in [WalPolicy::Require, WalPolicy::MayBeOld] {
                    let answer = prepared(&changed, policy, height);
                    // Taken for missing, it would be made anew on a first start.
                    assert!(
                        answer.is_err_and(|error| !matches!(error, WalError::Missing { .. })),
                        "{policy:?}: bit {bit} of byte {byte} of {} at height {height}",
                        bytes.len()
                    );
                }
            }
        }
    }
}

#[test]
fn bits_that_changed_in_a_last_entry_that_ends_with_zero_are_refused() {
    // One vote in sixteen does.
    let ending = (0..1_000).map(|round| vote(5, round, 1)).find_map(|last| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let (_, ends) = write(&path, 5, vec![vote(5, 1_000, 1), last]);
        let bytes = fs::read(&path).unwrap();
        (bytes.last() == Some(&0)).then_some((bytes, ends))
    });
    let (bytes, ends) = ending.expect("some signature ends with zero");
    let data = ends[ends.len() - 2] + 13..bytes.len();
    for first in data.clone() {
        for second in data.clone().step_by(7) {
            let mut changed = bytes.clone();
            changed[first] ^= 1;
            changed[second] ^= 2;
            let refused = prepared(&changed, WalPolicy::Require, 5);
            assert!(
                matches!(refused, Err(WalError::Damaged { .. })),
                "bytes {first} and {second}: {refused:?}"
            );
        }
    }
}

#[test]
fn bits_that_changed_in_a_last_entry_that_ends_with_zero_behind_a_sector_are_refused() {
    // So many timeouts and votes before it that only its last byte stands in the last sector.
    let size_of = |entry| {
        let directory = tempfile::tempdir().unwrap();
        let (_, ends) = write(&directory.path().join(FILE_NAME), 5, [entry]);
        ends[0] - HEADER_BYTES
    };
    let (timeouts, votes) = (size_of(timeout()), size_of(vote(5, 0, 1)));
    let counts = (0..SECTOR_BYTES).flat_map(|n| (0..8).map(move |m| (n, m)));
    let mut fitting = counts.filter(|(n, m)| {
        (HEADER_BYTES + n * timeouts + (m + 1) * votes) % SECTOR_BYTES == 1 && *n < 100
    });
    let (n, m) = fitting.next().expect("some entries fit");
    let before = || {
        let votes = (0..m).map(|round| vote(5, u32::try_from(round).unwrap(), 2));
        (0..n).map(|_| timeout()).chain(votes)
    };
    // One vote in sixteen ends with zero.
    let ending = (0..=u8::MAX).map(|seed| vote(5, 9, seed)).find_map(|last| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        write(&path, 5, [last.clone()]);
        (fs::read(&path).unwrap().last() == Some(&0)).then_some(last)
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    let last = ending.expect("some signature ends with zero");
    let (_, ends) = write(&path, 5, before().chain([last]));
    let bytes = fs::read(&path).unwrap();
    assert_eq!((bytes.len() % SECTOR_BYTES, bytes.last()), (1, Some(&0)));
    let data = ends[ends.len() - 2] + 13..bytes.len() - 1;
    for first in data.clone().step_by(3) {
        let mut changed = bytes.clone();
        changed[first] ^= 1;
        changed[data.start + 20] ^= 2;
        let refused = prepared(&changed, WalPolicy::Require, 5);
        assert!(
            matches!(refused, Err(WalError::Damaged { .. })),
            "byte {first}: {refused:?}"
        );
    }
}

#[test]
fn a_length_that_changed_altogether_is_refused() {
    for Written {
        height, mut bytes, ..
    } in logs()
    {
        for length in [0, 1, 9, 64, 255, 4_096, u64::from(u32::MAX), u64::MAX] {
            bytes[HEADER_BYTES + 1..][..8].copy_from_slice(&u64::to_be_bytes(length));
            let refused = prepared(&bytes, WalPolicy::Require, height);
            assert!(matches!(refused, Err(WalError::Damaged { .. })), "{length}");
        }
    }
}

#[test]
fn the_refusal_names_the_ways_out() {
    let Written {
        height, mut bytes, ..
    } = logs().remove(0);
    bytes[HEADER_BYTES + 8] ^= 1;
    let refused = prepared(&bytes, WalPolicy::Require, height);
    let refused = refused.unwrap_err().to_string();
    for way in [
        "accept_missing_wal",
        "restore --config FILE --lost",
        "passed height 5",
    ] {
        assert!(refused.contains(way), "{refused}");
    }
}

#[test]
fn whatever_a_power_cut_leaves_of_the_last_entries_is_cut_off() {
    for Written {
        height,
        bytes,
        ends,
    } in logs()
    {
        for length in HEADER_BYTES..bytes.len() {
            // The file ends early.
            let mut left = bytes[..length].to_vec();
            let cut = prepared(&left, WalPolicy::Require, height).unwrap();
            assert!(bytes.starts_with(&cut), "cut at {length}");
            // Or zeros stand in the sectors that were not written, behind what was there before.
            let from = (length / SECTOR_BYTES * SECTOR_BYTES).max(cut.len());
            left.truncate(from);
            left.resize(bytes.len(), 0);
            let mended = prepared(&left, WalPolicy::Require, height).unwrap();
            let end = *ends.iter().find(|end| **end > from).unwrap();
            let lost: u32 = bytes[from..end].iter().map(|b| b.count_ones()).sum();
            let whole = if lost == 0 { end } else { cut.len() };
            assert_eq!(mended, bytes[..whole], "zeros from {from}");
        }
    }
}

#[test]
fn a_page_that_was_never_written_is_cut_off_with_what_follows() {
    const PAGE_BYTES: usize = 4_096;
    let Written { height, bytes, .. } = logs().remove(3);
    assert!(bytes.len() > PAGE_BYTES + 1_000);
    // The first page is of a moment before the second one.
    for from in (PAGE_BYTES - 700..PAGE_BYTES - 100).step_by(7) {
        let mut hole = bytes.clone();
        hole[from..PAGE_BYTES].fill(0);
        let mended = prepared(&hole, WalPolicy::Require, height).unwrap();
        assert!(mended.len() <= from && bytes.starts_with(&mended), "{from}");
    }
}
