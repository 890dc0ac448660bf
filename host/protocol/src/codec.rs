//! The canonical codec: borsh, one byte string for one value.
//!
//! Whatever is hashed or signed goes through [`encode`]; whatever comes from outside goes through
//! [`decode`], which refuses trailing bytes and inputs past a named bound.

use borsh::{BorshDeserialize, BorshSerialize};

/// Why bytes are not the canonical form of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than the bound for this value.
    #[error("expected at most {bytes_max} bytes, got {bytes}")]
    TooLong {
        /// The bound.
        bytes_max: usize,
        /// What came.
        bytes: usize,
    },
    /// Not the encoding of any value of this type.
    #[error("not canonical bytes: {0}")]
    Malformed(String),
}

/// The canonical bytes of `value`.
pub fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to memory does not fail and no collection exceeds 4 GiB")
}

/// The value whose canonical bytes are exactly `bytes`, which may be at most `bytes_max` long.
pub fn decode<T: BorshDeserialize>(bytes: &[u8], bytes_max: usize) -> Result<T, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLong {
            bytes_max,
            bytes: bytes.len(),
        });
    }
    T::try_from_slice(bytes).map_err(|error| DecodeError::Malformed(error.to_string()))
}
