//! Reading the entries of a log, and telling what a crash leaves from what it does not.
//!
//! Only an entry's data is under its checksum: where the flag or the length before it changed, what
//! follows is read from the wrong place. So damage is told by three things that no crash does: an
//! entry that is whole but for its header or for one bit, sound entries behind a broken one, and a
//! broken entry of which nothing is missing. A crash leaves parts out: the file ends early, or zeros
//! stand where all of an entry that a sector holds should.

use std::io;

use arc_malachitebft_core_consensus::Input;
use arc_malachitebft_engine::wal::decode_entry;

use crate::{codec::WireCodec, context::Tabella};

/// A 4-byte version and 8 bytes with the height, both big-endian.
pub(super) const HEADER_BYTES: usize = 12;

/// A byte that tells compression, 8 bytes with the length, and 4 bytes with the CRC-32 of the data.
const ENTRY_HEADER_BYTES: usize = 13;

/// Longest entry that is looked for where none is expected; certificates of the largest validator set
/// stay far below.
const ENTRY_BYTES_MAX: usize = 1 << 20;

/// What a disk writes as one.
const SECTOR_BYTES: usize = 512;

/// Zeros before the end of a sector, or of the file, that show a part that was never written. Fewer may be
/// what was written.
const HOLE_BYTES_MIN: usize = 16;

/// What the entries of a log show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entries {
    /// They are sound up to this position; what follows was never synced.
    SoundTo(usize),
    /// They are of a height before: the crash came while the log was emptied.
    BeingEmptied,
    /// They were changed after they were written.
    Damaged,
}

/// Reads the entries of a log of `height`.
pub(super) fn read(bytes: &[u8], height: u64) -> Entries {
    let mut at = HEADER_BYTES;
    while let Some((of, next)) = sound_entry(bytes, at) {
        match of {
            Some(of) if of < height => return Entries::BeingEmptied,
            Some(of) if of > height => return Entries::Damaged,
            _ => at = next,
        }
    }
    match is_torn(bytes, at) {
        true => Entries::SoundTo(at),
        false => Entries::Damaged,
    }
}

/// Whether any sound entry, wherever it starts, is of `height` or of a later one.
pub(super) fn reaches(bytes: &[u8], height: u64) -> bool {
    (HEADER_BYTES..bytes.len())
        .filter_map(|at| sound_entry(bytes, at)?.0)
        .any(|of| of >= height)
}

/// Whether a crash explains that no sound entry starts at `at`.
fn is_torn(bytes: &[u8], at: usize) -> bool {
    let tail = bytes.get(at..).unwrap_or_default();
    if tail.iter().all(|byte| *byte == 0) {
        return true;
    }
    // The engine writes no other flag than zero.
    if tail[0] != 0 {
        return false;
    }
    let Some(entry) = Entry::at(bytes, at) else {
        // Not even its header is whole.
        return true;
    };
    if entry.is_whole_but_for_its_length() || entry.is_whole_but_for_a_bit() {
        return false;
    }
    let is_followed = (at + 1..bytes.len()).any(|at| sound_entry(bytes, at).is_some());
    if is_followed {
        return has_hole(bytes, at, entry.length);
    }
    entry.data().is_none() || lacks_a_sector(bytes, at, entry.length)
}

/// Whether zeros are all that stands in one of the sectors that the entry at `at` reaches with its data: to
/// the end of the sector or of the file, behind the header where the entry starts there. Fewer than
/// [`HOLE_BYTES_MIN`] say nothing: of sixteen votes one ends with a zero, and any byte may come first or last
/// in a sector.
fn lacks_a_sector(bytes: &[u8], at: usize, length: usize) -> bool {
    let start = at + ENTRY_HEADER_BYTES;
    let end = start.saturating_add(length).min(bytes.len());
    let first = at / SECTOR_BYTES * SECTOR_BYTES;
    (first..end).step_by(SECTOR_BYTES).any(|sector| {
        let from = if sector <= at { start } else { sector };
        let to = (sector + SECTOR_BYTES).min(bytes.len());
        let part = bytes.get(from..to).unwrap_or_default();
        part.len() >= HOLE_BYTES_MIN && part.iter().all(|byte| *byte == 0)
    })
}

/// Whether the entry at `at` has [`HOLE_BYTES_MIN`] zeros before the end of a sector, or of the file, that
/// it reaches.
fn has_hole(bytes: &[u8], at: usize, length: usize) -> bool {
    let zeros = HOLE_BYTES_MIN;
    let end = at
        .saturating_add(ENTRY_HEADER_BYTES)
        .saturating_add(length)
        .min(bytes.len());
    let is_zero = |from: usize, to: usize| bytes[from..to].iter().all(|byte| *byte == 0);
    let first = (at + 1).next_multiple_of(SECTOR_BYTES);
    let mut within = (first..end).step_by(SECTOR_BYTES);
    let last = end.next_multiple_of(SECTOR_BYTES).min(bytes.len());
    // Of the sector in which it ends, its own end is missing too.
    let from = (end - 1).min(last.saturating_sub(zeros));
    within.any(|sector| sector >= at + zeros && is_zero(sector - zeros, sector))
        || (from >= at && is_zero(from, last))
}

/// The height of the entry that starts at a position, where it is one that says so, and where the next
/// one starts; `None` where no sound entry starts there.
fn sound_entry(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let entry = Entry::at(bytes, at)?;
    let data = entry.data()?;
    if entry.flag != 0 || data.is_empty() || crc32fast::hash(data) != entry.crc {
        return None;
    }
    let height = height_of(data)?;
    Some((height, at + ENTRY_HEADER_BYTES + data.len()))
}

/// What stands where an entry should start.
struct Entry<'a> {
    flag: u8,
    length: usize,
    crc: u32,
    /// Everything behind its header.
    rest: &'a [u8],
}

impl<'a> Entry<'a> {
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (header, rest) = bytes.get(at..)?.split_first_chunk::<ENTRY_HEADER_BYTES>()?;
        let [flag, l0, l1, l2, l3, l4, l5, l6, l7, crc @ ..] = *header;
        let length = u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        Some(Self {
            flag,
            length: usize::try_from(length).unwrap_or(usize::MAX),
            crc: u32::from_be_bytes(crc),
            rest,
        })
    }

    /// As many bytes as its header says, where they are there and an entry can be so long.
    fn data(&self) -> Option<&'a [u8]> {
        let data = self.rest.get(..self.length)?;
        (data.len() <= ENTRY_BYTES_MAX).then_some(data)
    }

    /// Whether the checksum is that of data of another length.
    fn is_whole_but_for_its_length(&self) -> bool {
        let mut hasher = crc32fast::Hasher::new();
        let longest = self.rest.len().min(ENTRY_BYTES_MAX);
        (0..longest).any(|last| {
            hasher.update(&self.rest[last..=last]);
            hasher.clone().finalize() == self.crc && height_of(&self.rest[..=last]).is_some()
        })
    }

    /// Whether one bit of the checksum or of the data, turned back, makes it sound.
    fn is_whole_but_for_a_bit(&self) -> bool {
        let Some(data) = self.data() else {
            return false;
        };
        let difference = self.crc ^ crc32fast::hash(data);
        if difference.count_ones() == 1 {
            return height_of(data).is_some();
        }
        let Some((byte, bit)) = bit_behind(difference, data.len()) else {
            return false;
        };
        let mut mended = data.to_vec();
        mended[byte] ^= 1 << bit;
        height_of(&mended).is_some()
    }
}

/// The bit of `length` bytes that changes their CRC-32 by `difference`. A checksum is linear: what a bit
/// changes depends on its distance from the end alone.
fn bit_behind(difference: u32, length: usize) -> Option<(usize, u32)> {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let one_byte_on = |mut register: u32| {
        for _ in 0..8 {
            register = (register >> 1) ^ (POLYNOMIAL * (register & 1));
        }
        register
    };
    let mut changes: [u32; 8] = std::array::from_fn(|bit| one_byte_on(1 << bit));
    for byte in (0..length).rev() {
        let mut bits = (0..8u32).zip(changes);
        if let Some((bit, _)) = bits.find(|(_, change)| *change == difference) {
            return Some((byte, bit));
        }
        changes = changes.map(one_byte_on);
    }
    None
}

/// The height that an entry is of, where it is one that says so; `None` where it is no entry.
fn height_of(data: &[u8]) -> Option<Option<u64>> {
    let input: Input<Tabella> = decode_entry(&WireCodec, io::Cursor::new(data)).ok()?;
    Some(match input {
        Input::Vote(vote) => Some(vote.message.height.0),
        Input::Proposal(proposal) => Some(proposal.message.height.0),
        Input::ProposedValue(value, _) => Some(value.height.0),
        Input::PolkaCertificate(certificate) => Some(certificate.height.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bit_that_changed_is_found_by_the_checksum() {
        let data: Vec<u8> = (0..=255).collect();
        let right = crc32fast::hash(&data);
        for byte in 0..data.len() {
            for bit in 0..8 {
                let mut changed = data.clone();
                changed[byte] ^= 1 << bit;
                let difference = right ^ crc32fast::hash(&changed);
                assert_eq!(bit_behind(difference, data.len()), Some((byte, bit)));
            }
        }
        assert_eq!(bit_behind(0, data.len()), None);
    }

    #[test]
    fn few_zeros_at_the_start_or_the_end_of_an_entry_are_no_sector_that_it_lacks() {
        // Where the entry starts and how long its data is; what of it is zero; whether that is a hole.
        let sector = SECTOR_BYTES;
        let first = sector - ENTRY_HEADER_BYTES - 1;
        let least = HOLE_BYTES_MIN;
        for (at, length, zeros, expected) in [
            (12, 100, 25..125, true),
            (12, 100, 25..124, false),
            // The data begins with the last byte of a sector, or with the least that counts.
            (first, 100, sector - 1..sector, false),
            (first + 1 - least, 100, sector - least..sector, true),
            (first + 2 - least, 100, sector - least + 1..sector, false),
            // It ends with the first of a sector, or with the least that counts.
            (first, sector + 2, 2 * sector..2 * sector + 1, false),
            (
                first,
                sector + 1 + least,
                2 * sector..2 * sector + least,
                true,
            ),
            (
                first,
                sector + least,
                2 * sector..2 * sector + least - 1,
                false,
            ),
            // A whole one between.
            (first, sector + 2, sector..2 * sector, true),
            // A part of the header, too, stands in the sector that is lost.
            (sector - 9, 12, sector..sector + 16, true),
        ] {
            let mut bytes = vec![7; at + ENTRY_HEADER_BYTES + length];
            bytes[zeros.clone()].fill(0);
            assert_eq!(
                lacks_a_sector(&bytes, at, length),
                expected,
                "{zeros:?} of {at}"
            );
        }
    }
}
