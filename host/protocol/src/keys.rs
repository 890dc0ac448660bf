//! Ed25519 keys and signatures, verified strictly (RFC 8032, no small-order keys, one spelling of each key).

use std::cell::Cell;

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::{Signer, VerifyingKey};

use crate::{Hash, hash::hex_text};

/// An ed25519 public key: `0x` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct PublicKey(pub [u8; 32]);

/// An ed25519 signature: `0x` and 128 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

/// A 20-byte account name, as Ethereum clients expect one: the last 20 bytes of SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Address(pub [u8; 20]);

hex_text!(PublicKey, 32);
hex_text!(Signature, 64);
hex_text!(Address, 20);

impl PublicKey {
    /// Whether `signature` is this key's signature of `message`. Any key bytes are safe to ask with.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.parsed()
            .is_some_and(|key| key.verify_strict(message, &signature).is_ok())
    }

    /// The point on the curve; finding it takes an eighth of a verification, so the last one is kept.
    fn parsed(&self) -> Option<VerifyingKey> {
        thread_local! {
            /// Most of what a validator verifies in a row is signed by one registrar.
            static LAST: Cell<Option<VerifyingKey>> = const { Cell::new(None) };
        }
        let last = LAST.get().filter(|last| *last.as_bytes() == self.0);
        last.or_else(|| {
            let key = VerifyingKey::from_bytes(&self.0).ok()?;
            if !self.is_canonical() {
                return None;
            }
            LAST.set(Some(key));
            Some(key)
        })
    }

    /// Whether the y coordinate is below the field's prime, 2^255 - 19: nineteen more spellings are read as one
    /// of the first numbers.
    fn is_canonical(&self) -> bool {
        let [first, middle @ .., last] = &self.0;
        *first < 0xed || last & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
    }

    /// Whether these bytes are a usable key: a curve point in its one spelling, not one of small order.
    pub fn is_valid(&self) -> bool {
        self.parsed().is_some_and(|key| !key.is_weak())
    }

    /// The account name that Ethereum-shaped answers show for this key.
    pub fn address(&self) -> Address {
        let mut address = [0; 20];
        address.copy_from_slice(&Hash::of(&self.0).0[12..]);
        Address(address)
    }
}

/// An ed25519 secret key. Its debug form shows only the public half.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A new key from the operating system's randomness.
    #[cfg(feature = "entropy")]
    pub fn generate() -> Self {
        Self::from_seed(rand::random())
    }

    /// The key whose 32 secret bytes are `seed`.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    /// The 32 secret bytes, to be written to a key file and nowhere else.
    pub fn to_seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` (deterministic, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(public {})", self.public())
    }
}

/// Whether every `(key, message, signature)` verifies strictly.
pub fn verify_batch<'a>(
    items: impl IntoIterator<Item = (&'a PublicKey, &'a [u8], &'a Signature)>,
) -> bool {
    items
        .into_iter()
        .all(|(key, message, signature)| key.verify(message, signature))
}
