//! Hashes over a tag and fields of fixed width, and the secrets that are derived with them.

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// A SHA-512 over a tag and the fields that follow it.
#[derive(Clone)]
pub(crate) struct Transcript(Sha512);

impl Transcript {
    pub(crate) fn new(tag: &'static str) -> Self {
        Self(Sha512::new_with_prefix(tag))
    }

    /// One without a tag, for hashes of hashes that no other transcript holds.
    pub(crate) fn untagged() -> Self {
        Self(Sha512::new())
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// A number as four bytes, the lowest first.
    pub(crate) fn number(self, number: u32) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// All 64 bytes.
    pub(crate) fn wide(self) -> [u8; 64] {
        self.0.finalize().into()
    }

    /// The 64 bytes as a number, lowest byte first, modulo the order of the group.
    pub(crate) fn scalar(self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&Zeroizing::new(self.wide()))
    }

    /// The first 32 bytes, erased after use.
    pub(crate) fn half(self) -> Zeroizing<[u8; 32]> {
        let wide = Zeroizing::new(self.wide());
        let mut half = Zeroizing::new([0; 32]);
        half.copy_from_slice(&wide[..32]);
        half
    }
}

/// SHA-256 over a tag and bytes.
pub(crate) fn sha256(tag: &'static str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(tag);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Secret bytes from which scalars are derived by name; erased when dropped.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The secret scalar of that name and number.
    pub(crate) fn scalar(&self, label: &str, number: usize) -> Zeroizing<Scalar> {
        self.nonce(label, number, &[])
    }

    /// A secret scalar that belongs to one message: another message has another.
    pub(crate) fn nonce(&self, label: &str, number: usize, message: &[u8]) -> Zeroizing<Scalar> {
        let transcript = Transcript::new("tabella/seal/nonce/v1").bytes(&*self.0);
        let named = transcript
            .number(label.len() as u32)
            .bytes(label.as_bytes());
        Zeroizing::new(named.number(number as u32).bytes(message).scalar())
    }
}

/// Joins byte strings.
pub(crate) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}
