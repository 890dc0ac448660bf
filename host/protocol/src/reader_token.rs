//! Who may read ballots that are not for anyone yet, and the tokens of readers: by whose key somebody asks for ballots that are not for anyone yet.
//!
//! A reader signs its own, and it is short-lived. It names no receiver: it goes to validators, which may
//! read all that it opens.

use std::{fmt, str::FromStr};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Hash, PublicKey, Signature, SigningKey, codec, consensus_vote::signing_bytes};

/// Who may read the ballots of elections that show counts at their close, before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenBallots {
    /// Anyone, with the blocks that hold them.
    #[default]
    Anyone,
    /// Authorities, validators, the registrars of elections that are not over, and named auditors.
    Readers,
}

impl OpenBallots {
    /// As configurations have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Readers => "readers",
        }
    }
}

/// A key's signed statement that its holder reads, for a while.
///
/// As text, what follows `Bearer` in `authorization`: the hex of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReaderToken {
    /// Who reads.
    pub reader: PublicKey,
    /// Unix milliseconds after which the token is void.
    pub valid_until_ms: u64,
    /// The reader's signature over both, for one network.
    pub signature: Signature,
}

/// Why a token admits nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReaderTokenError {
    /// Not the text of a token.
    #[error("it is no reader's token; `tabella keys reader-token` makes one")]
    Malformed,
    /// Its time has passed.
    #[error("it was valid until {valid_until_ms} and now is {now_ms}; is a clock wrong?")]
    Expired {
        /// Unix milliseconds.
        valid_until_ms: u64,
        /// The judge's clock.
        now_ms: u64,
    },
    /// It claims to hold for longer than tokens may.
    #[error("it is valid for more than {max_ms} ms from {now_ms} on; is a clock wrong?")]
    TooLong {
        /// The bound.
        max_ms: u64,
        /// The judge's clock.
        now_ms: u64,
    },
    /// The signature is not the reader's for this network.
    #[error("its signature is not {0}'s for this network")]
    BadSignature(PublicKey),
}

#[derive(BorshSerialize)]
struct Signed {
    reader: PublicKey,
    valid_until_ms: u64,
}

impl ReaderToken {
    /// How long a token is good for unless said otherwise: half of what may be, so that clocks may
    /// differ by the other half.
    pub const VALID_MS: u64 = 30 * 60 * 1_000;
    /// The longest that one is good for.
    pub const VALID_MS_MAX: u64 = 60 * 60 * 1_000;
    /// Bytes of the longest text.
    const TEXT_BYTES_MAX: usize = 512;

    /// A token of the holder of `key` for the network of `genesis`.
    pub fn sign(key: &SigningKey, genesis: &Hash, valid_until_ms: u64) -> Self {
        let reader = key.public();
        Self {
            reader,
            valid_until_ms,
            signature: key.sign(&Self::message(reader, genesis, valid_until_ms)),
        }
    }

    /// Checks signature and time. Whether the reader may read is the caller's to say.
    pub fn verify(&self, genesis: &Hash, now_ms: u64) -> Result<PublicKey, ReaderTokenError> {
        let Self {
            reader,
            valid_until_ms,
            signature,
        } = self;
        if *valid_until_ms < now_ms {
            return Err(ReaderTokenError::Expired {
                valid_until_ms: *valid_until_ms,
                now_ms,
            });
        }
        if valid_until_ms - now_ms > Self::VALID_MS_MAX {
            return Err(ReaderTokenError::TooLong {
                max_ms: Self::VALID_MS_MAX,
                now_ms,
            });
        }
        let message = Self::message(*reader, genesis, *valid_until_ms);
        match reader.verify(&message, signature) {
            true => Ok(*reader),
            false => Err(ReaderTokenError::BadSignature(*reader)),
        }
    }

    fn message(reader: PublicKey, genesis: &Hash, valid_until_ms: u64) -> Vec<u8> {
        let signed = Signed {
            reader,
            valid_until_ms,
        };
        signing_bytes(b"tabella/reader-token/v1", genesis, &signed)
    }
}

impl fmt::Display for ReaderToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(codec::encode(self)))
    }
}

impl FromStr for ReaderToken {
    type Err = ReaderTokenError;

    fn from_str(text: &str) -> Result<Self, ReaderTokenError> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(ReaderTokenError::Malformed);
        }
        let bytes = hex::decode(text).map_err(|_| ReaderTokenError::Malformed)?;
        codec::decode(&bytes, Self::TEXT_BYTES_MAX).map_err(|_| ReaderTokenError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: Hash = Hash([7; 32]);
    const NOW: u64 = 1_000_000_000;

    fn token(valid_until_ms: u64) -> ReaderToken {
        ReaderToken::sign(&SigningKey::from_seed([1; 32]), &GENESIS, valid_until_ms)
    }

    #[test]
    fn a_token_holds_for_its_network_and_its_time() {
        let good = token(NOW + ReaderToken::VALID_MS);
        let read: ReaderToken = good.to_string().parse().unwrap();
        assert_eq!(read.verify(&GENESIS, NOW), Ok(good.reader));
        let other = Hash([8; 32]);
        let bad = Err(ReaderTokenError::BadSignature(good.reader));
        assert_eq!(good.verify(&other, NOW), bad);
        let late = good.verify(&GENESIS, NOW + ReaderToken::VALID_MS + 1);
        assert!(matches!(late, Err(ReaderTokenError::Expired { .. })));
        let long = token(NOW + ReaderToken::VALID_MS_MAX + 1).verify(&GENESIS, NOW);
        assert!(matches!(long, Err(ReaderTokenError::TooLong { .. })));
        let longer = ReaderToken {
            valid_until_ms: good.valid_until_ms + 1,
            ..good.clone()
        };
        assert_eq!(longer.verify(&GENESIS, NOW), bad);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let good = token(NOW).to_string();
        for text in [
            "",
            "00",
            "zz",
            &good[2..],
            &format!("{good}00"),
            &"0".repeat(4_096),
        ] {
            let read = text.parse::<ReaderToken>();
            assert_eq!(read, Err(ReaderTokenError::Malformed), "{text:?}");
        }
    }
}
