//! Who may read ballots that are not for anyone yet, and the tokens by which readers show their key.
//!
//! A reader signs its own, for one validator and a short time: whoever gets it can use it nowhere else.

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
    /// Authorities, validators, the registrars of elections, and named auditors.
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

/// A key's signed statement that its holder reads at a validator, for a while.
///
/// As text, what follows `Bearer` in `authorization`: the hex of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ReaderToken {
    /// Who reads.
    pub reader: PublicKey,
    /// The name of the validator that it is for.
    pub validator: String,
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
    /// For another validator.
    #[error("it is for validator {0:?}")]
    OtherValidator(String),
    /// The signature is not the reader's for this network.
    #[error("its signature is not {0}'s for this network")]
    BadSignature(PublicKey),
}

#[derive(BorshSerialize)]
struct Signed<'a> {
    reader: PublicKey,
    validator: &'a str,
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

    /// A token of the holder of `key` for one validator of the network of `genesis`.
    pub fn sign(key: &SigningKey, genesis: &Hash, validator: &str, valid_until_ms: u64) -> Self {
        let signed = Signed {
            reader: key.public(),
            validator,
            valid_until_ms,
        };
        Self {
            reader: signed.reader,
            validator: validator.to_owned(),
            valid_until_ms,
            signature: key.sign(&signed.message(genesis)),
        }
    }

    /// Checks receiver, time and signature. Whether the reader may read is the caller's to say.
    pub fn verify(
        &self,
        genesis: &Hash,
        validator: &str,
        now_ms: u64,
    ) -> Result<PublicKey, ReaderTokenError> {
        let Self {
            reader,
            valid_until_ms,
            ..
        } = *self;
        if self.validator != validator {
            return Err(ReaderTokenError::OtherValidator(self.validator.clone()));
        }
        let Some(left_ms) = valid_until_ms.checked_sub(now_ms) else {
            return Err(ReaderTokenError::Expired {
                valid_until_ms,
                now_ms,
            });
        };
        if left_ms > Self::VALID_MS_MAX {
            return Err(ReaderTokenError::TooLong {
                max_ms: Self::VALID_MS_MAX,
                now_ms,
            });
        }
        let signed = Signed {
            reader,
            validator,
            valid_until_ms,
        };
        match reader.verify(&signed.message(genesis), &self.signature) {
            true => Ok(reader),
            false => Err(ReaderTokenError::BadSignature(reader)),
        }
    }
}

impl Signed<'_> {
    fn message(&self, genesis: &Hash) -> Vec<u8> {
        signing_bytes(b"tabella/reader-token/v1", genesis, self)
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
        ReaderToken::sign(
            &SigningKey::from_seed([1; 32]),
            &GENESIS,
            "v",
            valid_until_ms,
        )
    }

    #[test]
    fn a_token_holds_for_its_network_and_its_time() {
        let good = token(NOW + ReaderToken::VALID_MS);
        let read: ReaderToken = good.to_string().parse().unwrap();
        assert_eq!(read.verify(&GENESIS, "v", NOW), Ok(good.reader));
        let other = Hash([8; 32]);
        let bad = Err(ReaderTokenError::BadSignature(good.reader));
        assert_eq!(good.verify(&other, "v", NOW), bad);
        let elsewhere = good.verify(&GENESIS, "w", NOW);
        assert_eq!(elsewhere, Err(ReaderTokenError::OtherValidator("v".into())));
        let renamed = ReaderToken {
            validator: "w".into(),
            ..good.clone()
        };
        assert_eq!(renamed.verify(&GENESIS, "w", NOW), bad);
        let late = good.verify(&GENESIS, "v", NOW + ReaderToken::VALID_MS + 1);
        assert!(matches!(late, Err(ReaderTokenError::Expired { .. })));
        let long = token(NOW + ReaderToken::VALID_MS_MAX + 1).verify(&GENESIS, "v", NOW);
        assert!(matches!(long, Err(ReaderTokenError::TooLong { .. })));
        let longer = ReaderToken {
            valid_until_ms: good.valid_until_ms + 1,
            ..good.clone()
        };
        assert_eq!(longer.verify(&GENESIS, "v", NOW), bad);
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
