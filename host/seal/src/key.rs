use core::fmt;

use curve25519_dalek::ristretto::RistrettoPoint;

use crate::group;

/// The key to which the ballots of an election are sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub(crate) point: RistrettoPoint,
    pub(crate) bytes: [u8; 32],
}

impl Key {
    /// Reads a key from the canonical encoding of a point.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let point = group::point(&bytes).ok_or(KeyError::NotAPoint)?;
        if point == group::identity() {
            return Err(KeyError::Identity);
        }
        Ok(Self { point, bytes })
    }

    pub(crate) fn from_point(point: RistrettoPoint) -> Result<Self, KeyError> {
        Self::from_bytes(group::encoded(&point))
    }

    /// Its 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }
}

/// Why bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// They are not the canonical encoding of a point.
    NotAPoint,
    /// They are the identity, to which sealing hides nothing.
    Identity,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAPoint => "expected a canonical ristretto255 point as key, got other bytes",
            Self::Identity => "the key is the identity, which hides nothing; hold another ceremony",
        })
    }
}

impl core::error::Error for KeyError {}
