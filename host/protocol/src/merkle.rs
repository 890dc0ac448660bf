//! RFC 6962 Merkle trees: roots, inclusion and consistency proofs, and the frontier that grows a log.
//!
//! A leaf is `SHA-256(0x00 || data)`, a node `SHA-256(0x01 || left || right)`, the empty tree
//! `SHA-256("")`; a tree of `n` leaves splits at the largest power of two below `n`.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::Hash;

/// Hash of a leaf.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::of_parts([&[0u8], data])
}

/// Hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts([&[1u8][..], &left.0, &right.0])
}

/// Root of the tree over `leaves` (already leaf hashes).
pub fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// The largest power of two smaller than `n`, for `n` of at least 2.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The part of a log that is needed to append to it: the roots of its perfect subtrees, largest
/// first. At most 64 hashes, whatever the size.
#[derive(Debug, Clone, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves the log holds.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the old size is a perfect subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            let left = self
                .peaks
                .pop()
                .expect("a peak for every one bit of the size");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Hash::of(b""),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// Roots of perfect, aligned subtrees of a log: `subtree(level, index)` covers the leaves from
/// `index << level` on, `1 << level` of them.
pub trait Subtrees {
    /// What reading can fail with.
    type Error;
    /// The root of one complete subtree.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl Subtrees for [Hash] {
    type Error = std::convert::Infallible;
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let start = usize::try_from(index << level).expect("a slice index");
        Ok(root(&self[start..start + (1 << level)]))
    }
}

/// Root of the leaves `start..end` of a log; `start` must be aligned as RFC 6962 splits are.
pub(crate) fn range_root<S: Subtrees + ?Sized>(
    log: &S,
    start: u64,
    end: u64,
) -> Result<Hash, S::Error> {
    let n = end - start;
    if n.is_power_of_two() {
        let level = n.trailing_zeros();
        return log.subtree(level as u8, start >> level);
    }
    let k = split(n);
    Ok(node_hash(
        &range_root(log, start, start + k)?,
        &range_root(log, start + k, end)?,
    ))
}

/// The inclusion proof (RFC 6962 section 2.1.1) of leaf `position` in the first `size` leaves.
///
/// `position` must be below `size`, or the proof is empty.
pub fn inclusion_proof<S: Subtrees + ?Sized>(
    log: &S,
    position: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    while position < size && end - start > 1 {
        let middle = start + split(end - start);
        if position < middle {
            path.push(range_root(log, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(log, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The consistency proof (RFC 6962 section 2.1.2) between the first `old` and the first `new`
/// leaves, with `0 < old <= new`; empty otherwise.
pub fn consistency_proof<S: Subtrees + ?Sized>(
    log: &S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut start, mut end, mut whole) = (0, new, true);
    loop {
        if old == end {
            if !whole {
                path.push(range_root(log, start, end)?);
            }
            break;
        }
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range_root(log, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(log, start, middle)?);
            start = middle;
            whole = false;
        }
    }
    path.reverse();
    Ok(path)
}

/// Whether `path` proves that `leaf` stands at `position` of the tree of `size` leaves under `root`
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash, position: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    root_from_inclusion(leaf, position, size, path) == Some(*root)
}

/// Returns the root under which `path` places `leaf` at `position` of the tree of `size` leaves
/// (RFC 9162 section 2.1.3.2); nothing where the path is not of such a tree.
pub fn root_from_inclusion(leaf: &Hash, position: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if position >= size {
        return None;
    }
    let (mut node, mut last, mut hash) = (position, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether `path` proves that the log of `new` leaves extends the log of `old` leaves
/// (RFC 9162 section 2.1.4.2).
pub fn verify_consistency(
    old: u64,
    new: u64,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let whole = old.is_power_of_two().then_some(old_root);
    let mut hashes = whole.into_iter().chain(path);
    let Some(first) = hashes.next() else {
        return false;
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (*first, *first);
    for sibling in hashes {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == *old_root && from_new == *new_root
}
