//! One signature for many ballots.
//!
//! A registrar that signs many ballots at once signs the root of the RFC 6962 tree over them. Each ballot then
//! carries the root's signature and its own path to the root, so that it is verified by itself: a ballot can be
//! sent, refused, repeated and put into a block without the others of its batch.
//!
//! The number of leaves is signed with the root. Otherwise a stranger could write another number that has a path
//! of the same shape, and the same ballot would have two ids.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    Hash, PublicKey, Signature, SigningKey, Transaction, TransactionBody, merkle,
    transaction::signing_bytes,
};

/// Most ballots under one signature. Each pays for it with a path of six hashes, 192 bytes; twice as many
/// would save another 64th of a signature and cost 32 bytes.
const LEAVES_MAX: usize = 64;
/// Most bytes of a [`BatchPlace`]: two numbers, the length of the path, and its hashes.
pub(crate) const PLACE_BYTES_MAX: usize = 2 + 4 + 6 * 32;
/// Signatures that are remembered, of 64 ballots each: those of some seconds at full load.
const REMEMBERED_MAX: usize = 4_096;

/// Where a ballot stands in its batch.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct BatchPlace {
    /// Its place among the leaves, from 0.
    pub index: u8,
    /// How many leaves there are, at least 2.
    pub size: u8,
    /// The hashes beside the way to the root, from the leaf upwards.
    pub path: Vec<Hash>,
}

/// A batch as it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SignedRoot {
    signer: PublicKey,
    size: u8,
    root: Hash,
    signature: Signature,
}

impl SignedRoot {
    /// The batch in which a transaction stands; nothing where its place is none of such a batch.
    fn of(transaction: &Transaction, place: &BatchPlace) -> Option<Self> {
        if !(2..=LEAVES_MAX).contains(&usize::from(place.size)) {
            return None;
        }
        let leaf = leaf(&transaction.body);
        let (index, size) = (place.index.into(), place.size.into());
        let root = merkle::root_from_inclusion(&leaf, index, size, &place.path)?;
        Some(Self {
            signer: transaction.signer,
            size: place.size,
            root,
            signature: transaction.signature,
        })
    }

    fn verify(&self) -> bool {
        let bytes = root_bytes(self.size, &self.root);
        self.signer.verify(&bytes, &self.signature)
    }
}

/// Whether the signature of `transaction`, which stands at `place` of a batch, is its signer's.
pub(crate) fn verify(transaction: &Transaction, place: &BatchPlace) -> bool {
    SignedRoot::of(transaction, place).is_some_and(|signed| signed.verify())
}

/// Signatures of batches that were found good here. They spare verifying the same one for each ballot of a
/// batch, and change no verdict.
#[derive(Debug, Default)]
pub struct VerifiedBatches(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    known: HashSet<SignedRoot>,
    /// The same, oldest first.
    order: VecDeque<SignedRoot>,
}

impl VerifiedBatches {
    /// As [`Transaction::verify`].
    pub fn verify(&self, transaction: &Transaction) -> bool {
        let Some(place) = &transaction.batch else {
            return transaction.verify();
        };
        let Some(signed) = SignedRoot::of(transaction, place) else {
            return false;
        };
        if self.remembered().known.contains(&signed) {
            return true;
        }
        let verified = signed.verify();
        if verified {
            self.remember(signed);
        }
        verified
    }

    fn remember(&self, signed: SignedRoot) {
        let mut remembered = self.remembered();
        if !remembered.known.insert(signed) {
            return;
        }
        remembered.order.push_back(signed);
        if remembered.order.len() > REMEMBERED_MAX
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.known.remove(&oldest);
        }
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, Remembered> {
        // What it holds is whole between any two of its lines.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Signs ballots together, in as few batches as hold them; returns them in the order in which they came.
///
/// Within a batch they stand in the order of their hashes, so that a place tells nothing of when a ballot came.
/// A ballot that is alone is signed by itself.
pub fn sign_together(bodies: Vec<TransactionBody>, key: &SigningKey) -> Vec<Transaction> {
    let batches = bodies.len().div_ceil(LEAVES_MAX).max(1);
    let batch_size = bodies.len().div_ceil(batches).max(1);
    let bodies = bodies.into_iter().enumerate();
    let mut leaves: Vec<_> = bodies
        .map(|(came, body)| (leaf(&body), came, body))
        .collect();
    leaves.sort_unstable_by_key(|(leaf, came, _)| (*leaf, *came));
    let mut leaves = leaves.into_iter();
    let mut signed = Vec::with_capacity(leaves.len());
    while leaves.len() > 0 {
        sign_batch(leaves.by_ref().take(batch_size), key, &mut signed);
    }
    signed.sort_unstable_by_key(|(came, _)| *came);
    signed
        .into_iter()
        .map(|(_, transaction)| transaction)
        .collect()
}

fn sign_batch(
    leaves: impl Iterator<Item = (Hash, usize, TransactionBody)>,
    key: &SigningKey,
    signed: &mut Vec<(usize, Transaction)>,
) {
    let (hashes, bodies): (Vec<_>, Vec<_>) = leaves
        .map(|(leaf, came, body)| (leaf, (came, body)))
        .unzip();
    if let [_] = bodies[..] {
        signed.extend(
            bodies
                .into_iter()
                .map(|(came, body)| (came, Transaction::sign(body, key))),
        );
        return;
    }
    let tree = Tree::over(hashes);
    let size = u8::try_from(bodies.len()).expect("a batch has at most 64 leaves");
    let (signer, signature) = (key.public(), key.sign(&root_bytes(size, &tree.root())));
    let placed = (0..size).zip(bodies).map(|(index, (came, body))| {
        let path = tree.path(index);
        let transaction = Transaction {
            body,
            signer,
            signature,
            batch: Some(BatchPlace { index, size, path }),
        };
        (came, transaction)
    });
    signed.extend(placed);
}

/// A tree with the roots of all its perfect, aligned subtrees, lowest level first.
struct Tree(Vec<Vec<Hash>>);

impl Tree {
    fn over(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let pairs = below.as_chunks().0.iter();
            levels.push(
                pairs
                    .map(|[left, right]| merkle::node_hash(left, right))
                    .collect(),
            );
        }
        Self(levels)
    }

    fn size(&self) -> u64 {
        self.0[0].len() as u64
    }

    fn root(&self) -> Hash {
        let Ok(root) = merkle::range_root(self, 0, self.size());
        root
    }

    fn path(&self, index: u8) -> Vec<Hash> {
        let Ok(path) = merkle::inclusion_proof(self, index.into(), self.size());
        path
    }
}

impl merkle::Subtrees for Tree {
    type Error = std::convert::Infallible;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let index = usize::try_from(index).expect("an index into at most 64 leaves");
        Ok(self.0[usize::from(level)][index])
    }
}

/// The leaf of a ballot: over the bytes that would be signed if it were alone.
fn leaf(body: &TransactionBody) -> Hash {
    merkle::leaf_hash(&signing_bytes(body))
}

/// What is signed of a batch.
fn root_bytes(size: u8, root: &Hash) -> Vec<u8> {
    let mut bytes = b"tabella/batch/v1".to_vec();
    bytes.push(size);
    bytes.extend_from_slice(&root.0);
    bytes
}
