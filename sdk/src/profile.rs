//! Distinct ballots with their weight.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::ballot::Ballot;
use crate::codec::{Reader, Wire, put_varint};

/// How often each distinct ballot was cast: memory grows with distinct ballots, not with ballots.
///
/// Use it as the tally of rules that look at whole ballots at the end of the count:
/// `type Tally = Profile<Ranking>`.
pub struct Profile<B: Ballot + ?Sized> {
    /// The ballots' bytes, one after another.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Open addressing: the number of an entry plus one, or 0. Its length is a power of two, or 0
    /// while nothing was added.
    table: Vec<u32>,
    /// The numbers of entries, in place of the table once ballots collide; see [`PROBES_MAX`].
    ordered: BTreeMap<Vec<u8>, u32>,
    ballot: PhantomData<fn() -> *const B>,
}

/// Voters who aim at collisions could slow a count down until it runs out of fuel. Once a ballot has
/// to probe further than chance explains, ballots are found by their order, which nobody can upset.
const PROBES_MAX: usize = 128;

struct Entry {
    start: u32,
    len: u32,
    /// The ballot's [`last_word`]: all there is to compare of a short one.
    last: u64,
    weight: u64,
}

impl<B: Ballot + ?Sized> Default for Profile<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Ballot + ?Sized> Profile<B> {
    /// No ballots.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            entries: Vec::new(),
            table: Vec::new(),
            ordered: BTreeMap::new(),
            ballot: PhantomData,
        }
    }

    /// Adds a ballot that counts `weight` times.
    ///
    /// # Panics
    /// When a weight exceeds 64 bits, or the distinct ballots 4 GiB.
    #[inline]
    pub fn add(&mut self, ballot: &B, weight: u64) {
        self.add_bytes(ballot.as_bytes(), weight);
    }

    /// Adds all ballots of another profile.
    pub fn merge(&mut self, other: &Self) {
        for entry in &other.entries {
            self.add_bytes(other.ballot_bytes(entry), entry.weight);
        }
    }

    /// How many distinct ballots there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The weight of all ballots together.
    pub fn weight(&self) -> u64 {
        self.entries.iter().map(|entry| entry.weight).sum()
    }

    /// Distinct ballots and their weights, in no order that a result may depend on.
    pub fn iter(&self) -> impl Iterator<Item = (&B, u64)> {
        self.entries
            .iter()
            .map(|entry| (B::view_again(self.ballot_bytes(entry)), entry.weight))
    }

    fn ballot_bytes(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.start as usize..][..entry.len as usize]
    }

    #[inline]
    fn add_bytes(&mut self, ballot: &[u8], weight: u64) {
        match self.find(ballot) {
            Some(position) => self.add_weight(position, weight),
            None => self.add_slowly(ballot, weight),
        }
    }

    #[inline]
    fn add_weight(&mut self, position: usize, weight: u64) {
        let entry = &mut self.entries[position];
        let sum = entry.weight.checked_add(weight);
        entry.weight = sum.expect("the weight of a ballot fits 64 bits");
    }

    /// Looks the ballot's entry up in the table.
    #[inline]
    fn find(&self, ballot: &[u8]) -> Option<usize> {
        let last = last_word(ballot);
        let mut slot = hash(ballot) as usize;
        let mask = self.table.len().wrapping_sub(1);
        loop {
            let position = self.table.get(slot & mask)?.checked_sub(1)? as usize;
            let entry = &self.entries[position];
            let is_it = entry.last == last
                && entry.len as usize == ballot.len()
                && (ballot.len() <= 8 || has_same_whole(self.ballot_bytes(entry), ballot));
            if is_it {
                return Some(position);
            }
            slot = slot.wrapping_add(1);
        }
    }

    /// Adds a ballot that is not in the table.
    #[cold]
    #[inline(never)]
    fn add_slowly(&mut self, ballot: &[u8], weight: u64) {
        if let Some(position) = self.ordered.get(ballot) {
            return self.add_weight(*position as usize, weight);
        }
        if !self.ordered.is_empty() {
            let position = self.push(ballot, weight);
            self.ordered.insert(ballot.to_vec(), position as u32);
            return;
        }
        // At most half full. What was loaded has no table yet, and may have the ballot.
        if self.entries.len() * 2 >= self.table.len() {
            self.build_table((self.entries.len() * 4).next_power_of_two().max(64));
            return self.add_bytes(ballot, weight);
        }
        let position = self.push(ballot, weight);
        if self.enter(position) > PROBES_MAX {
            self.order();
        }
    }

    fn push(&mut self, ballot: &[u8], weight: u64) -> usize {
        let start = u32::try_from(self.bytes.len()).expect("distinct ballots fit 4 GiB");
        self.bytes.extend_from_slice(ballot);
        self.entries.push(Entry {
            start,
            len: ballot.len() as u32,
            last: last_word(ballot),
            weight,
        });
        self.entries.len() - 1
    }

    fn build_table(&mut self, len: usize) {
        self.table = vec![0; len];
        for position in 0..self.entries.len() {
            self.enter(position);
        }
    }

    /// Writes an entry's number into the table; returns how many slots it had to pass.
    fn enter(&mut self, position: usize) -> usize {
        let first = hash(self.ballot_bytes(&self.entries[position])) as usize;
        let mask = self.table.len() - 1;
        let mut probes = 0;
        while self.table[first.wrapping_add(probes) & mask] != 0 {
            probes += 1;
        }
        self.table[first.wrapping_add(probes) & mask] = position as u32 + 1;
        probes
    }

    fn order(&mut self) {
        self.table = Vec::new();
        let ballots = self
            .entries
            .iter()
            .map(|entry| self.ballot_bytes(entry).to_vec());
        self.ordered = ballots.zip(0..).collect();
    }
}

/// Spreads short byte strings over 32 bits; the same on every host.
#[inline]
fn hash(bytes: &[u8]) -> u32 {
    let mut state = bytes.len() as u64;
    if bytes.len() > 8 {
        state = mix_whole(state, bytes);
    }
    state = mix(state, last_word(bytes));
    ((state ^ state >> 29).wrapping_mul(FACTOR) >> 32) as u32
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mix(state: u64, word: u64) -> u64 {
    (state.rotate_left(29) ^ word).wrapping_mul(FACTOR)
}

/// Out of the way of short ballots, whose code has no loops.
#[inline(never)]
fn mix_whole(state: u64, bytes: &[u8]) -> u64 {
    let words = bytes.as_chunks().0.iter();
    words.fold(state, |state, word| mix(state, u64::from_le_bytes(*word)))
}

/// Whether the words that are whole are the same: one step for each, while comparing slices goes byte
/// by byte in Wasm.
#[inline(never)]
fn has_same_whole(left: &[u8], right: &[u8]) -> bool {
    left.as_chunks::<8>().0.iter().eq(right.as_chunks().0)
}

/// The last eight bytes, or all of fewer. Strings of the same length that differ do so in this or in a
/// whole word.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk() {
        return u64::from_le_bytes(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    match bytes {
        // Two or three bytes; the middle one of two is the last.
        [first, .., last] => {
            let middle = bytes[bytes.len() / 2];
            u64::from(*first) << 16 | u64::from(middle) << 8 | u64::from(*last)
        }
        [only] => u64::from(*only),
        [] => 0,
    }
}

impl<B: Ballot + ?Sized> Wire for Profile<B> {
    fn put(&self, out: &mut Vec<u8>) {
        // A weight and a length seldom take more than four bytes.
        out.reserve(self.bytes.len() + self.entries.len() * 4);
        put_varint(out, self.entries.len() as u64);
        for entry in &self.entries {
            put_varint(out, entry.weight);
            put_varint(out, u64::from(entry.len));
            out.extend_from_slice(self.ballot_bytes(entry));
        }
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let mut profile = Self::new();
        let len = reader.size()?;
        // Each takes two bytes at least, so a length beyond the input reserves nothing.
        if len > reader.rest().len() / 2 {
            return None;
        }
        profile.entries.reserve(len);
        profile.bytes.reserve(reader.rest().len() - len * 2);
        let mut total = 0u64;
        for _ in 0..len {
            let weight = reader.varint()?;
            // No profile weighs more than 64 bits in all.
            total = total.checked_add(weight)?;
            let len = u32::take(reader)?;
            let ballot = reader.bytes(len as usize)?;
            let start = u32::try_from(profile.bytes.len()).ok()?;
            profile.bytes.extend_from_slice(ballot);
            // The table is left out: a saved profile is read to be merged into another or to be
            // counted. It is built when a ballot is added.
            profile.entries.push(Entry {
                start,
                len,
                last: last_word(ballot),
                weight,
            });
        }
        Some(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ballot::Raw;
    use alloc::collections::BTreeMap;

    fn raw(bytes: &[u8]) -> &Raw {
        Raw::view_again(bytes)
    }

    fn contents(profile: &Profile<Raw>) -> BTreeMap<Vec<u8>, u64> {
        profile
            .iter()
            .map(|(ballot, weight)| (ballot.as_bytes().to_vec(), weight))
            .collect()
    }

    #[test]
    fn counts_like_a_map() {
        let mut profile = Profile::new();
        let mut expected = BTreeMap::new();
        for number in 0..5_000u32 {
            let bytes = (number.wrapping_mul(2_654_435_761) % 997).to_le_bytes();
            let bytes = &bytes[..1 + number as usize % 4];
            profile.add(raw(bytes), u64::from(number));
            *expected.entry(bytes.to_vec()).or_insert(0) += u64::from(number);
        }
        assert_eq!(contents(&profile), expected);
        assert_eq!(profile.weight(), (0..5_000).sum());
    }

    #[test]
    fn a_byte_anywhere_makes_another_ballot() {
        let mut profile = Profile::new();
        let mut expected = BTreeMap::new();
        for len in 0..40usize {
            let same = vec![7; len];
            let others = (0..len).map(|place| {
                let mut other = same.clone();
                other[place] = 8;
                other
            });
            for ballot in others.chain([same.clone(), same.clone()]) {
                profile.add(raw(&ballot), 1);
                *expected.entry(ballot).or_insert(0) += 1;
            }
        }
        assert_eq!(profile.len(), (0..40).map(|len| len + 1).sum());
        assert_eq!(contents(&profile), expected);
    }

    #[test]
    fn merging_a_saved_part_is_adding_its_ballots() {
        let (mut left, mut right) = (Profile::new(), Profile::new());
        left.add(raw(b"a"), 1);
        left.add(raw(b"b"), 2);
        right.add(raw(b"b"), 3);
        right.add(raw(b""), 4);
        let mut loaded = Profile::<Raw>::from_wire(&right.to_wire()).unwrap();
        loaded.add(raw(b"b"), 1);
        assert_eq!(loaded.len(), 2);
        left.merge(&loaded);
        let expected: [(&[u8], u64); 3] = [(b"", 4), (b"a", 1), (b"b", 6)];
        let expected = expected
            .into_iter()
            .map(|(key, weight)| (key.to_vec(), weight));
        assert_eq!(contents(&left), expected.collect());
    }

    #[test]
    fn chosen_collisions_do_not_slow_it_down() {
        let colliding = (0u32..)
            .map(u32::to_le_bytes)
            .filter(|bytes| hash(bytes) & 0xfff == 7);
        let ballots: Vec<_> = colliding.take(600).collect();
        let mut profile = Profile::new();
        for ballot in ballots.iter().chain(&ballots) {
            profile.add(raw(ballot), 1);
        }
        assert_eq!(profile.ordered.len(), 600);
        assert_eq!(profile.len(), 600);
        assert!(contents(&profile).values().all(|weight| *weight == 2));
        let mut loaded = Profile::<Raw>::from_wire(&profile.to_wire()).unwrap();
        loaded.merge(&profile);
        assert_eq!(loaded.len(), 600);
        assert!(contents(&loaded).values().all(|weight| *weight == 4));
    }

    #[test]
    fn bytes_that_are_no_profile_are_refused() {
        assert!(Profile::<Raw>::from_wire(&[2, 1, 1, b'a']).is_none());
        assert!(Profile::<Raw>::from_wire(&[1, 1, 9, b'a']).is_none());
        let mut heavy = Profile::new();
        heavy.add(raw(b"a"), u64::MAX);
        heavy.add(raw(b"b"), 1);
        assert!(Profile::<Raw>::from_wire(&heavy.to_wire()).is_none());
    }
}
