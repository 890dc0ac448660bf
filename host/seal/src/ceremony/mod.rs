//! The key ceremony: how trustees make a key that no `threshold - 1` of them can use.
//!
//! Pedersen's distributed key generation with Feldman's commitments, in three rounds that are public. Everybody
//! [commits](Trustee::commit); when all have, everybody [deals](Trustee::deal) a share to each; when all have,
//! everybody takes its [share](Trustee::share), or publishes a [dispute](Trustee::dispute) that anybody can decide.
//!
//! All that a trustee needs is its seed and what was published. Deal only to commitments that are proven to stand on
//! the chain: who invents them reads the shares.

mod deal;
mod dispute;
mod keys;
mod knowledge;

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use zeroize::Zeroizing;

use crate::{
    Context, Seed, group,
    transcript::{Secret, Transcript, joined, sha256},
};
pub use deal::Deal;
pub use dispute::Dispute;
pub use keys::Keys;
use knowledge::Purpose;

/// Trustees of an election, at most.
pub const TRUSTEES_MAX: u8 = 16;

/// The identity of a ceremony: context, threshold and number of trustees. Each of its parts is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceremony {
    context: Context,
    threshold: u8,
    trustees: u8,
}

impl Ceremony {
    /// A ceremony of 1 to 16 trustees, of whom any `threshold` can open.
    pub fn new(context: Context, threshold: u8, trustees: u8) -> Result<Self, CeremonyError> {
        if threshold == 0 || threshold > trustees || trustees > TRUSTEES_MAX {
            return Err(CeremonyError::Threshold {
                threshold,
                trustees,
            });
        }
        Ok(Self {
            context,
            threshold,
            trustees,
        })
    }

    /// How many trustees are needed to open.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// How many trustees there are, numbered from 1.
    pub fn trustees(&self) -> u8 {
        self.trustees
    }

    fn check_index(&self, index: u8) -> Result<(), CeremonyError> {
        match (1..=self.trustees).contains(&index) {
            true => Ok(()),
            false => Err(CeremonyError::UnknownTrustee { index }),
        }
    }
}

/// What a trustee publishes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The key to which others encrypt its shares.
    pub encryption_key: [u8; 32],
    /// The proof that it knows the secret of that key.
    pub pok: [u8; 64],
    /// The hash of the coefficients that it will deal with.
    pub coefficients: [u8; 32],
}

impl Commit {
    /// Whether trustee `index` may commit to this.
    pub fn check(&self, ceremony: &Ceremony, index: u8) -> Result<(), CeremonyError> {
        ceremony.check_index(index)?;
        self.key().ok_or(CeremonyError::Point { index })?;
        let purpose = Purpose::Encryption;
        match knowledge::holds(purpose, ceremony, index, &self.encryption_key, &self.pok) {
            true => Ok(()),
            false => Err(CeremonyError::Knowledge { index }),
        }
    }

    fn key(&self) -> Option<RistrettoPoint> {
        group::point(&self.encryption_key).filter(|point| *point != group::identity())
    }
}

/// A trustee during the ceremony. Its secrets are erased when it is dropped.
pub struct Trustee {
    ceremony: Ceremony,
    index: u8,
    secret: Secret,
    decryption: Zeroizing<Scalar>,
    /// The polynomial whose value at j is the share of trustee j.
    polynomial: Vec<Zeroizing<Scalar>>,
}

impl Trustee {
    /// The trustee with this seed and number, from 1.
    pub fn new(seed: &Seed, ceremony: &Ceremony, index: u8) -> Result<Self, CeremonyError> {
        ceremony.check_index(index)?;
        // All that its proofs are over is in it: one seed for two places or two ceremonies gives nothing away.
        let secret = Transcript::new("tabella/seal/trustee/v1")
            .bytes(seed)
            .bytes(&ceremony.context)
            .number(index.into())
            .number(ceremony.threshold.into())
            .number(ceremony.trustees.into());
        let secret = Secret::new(secret.half());
        let coefficient = |number| secret.scalar("coefficient", number);
        Ok(Self {
            decryption: secret.scalar("encryption", 0),
            polynomial: (0..ceremony.threshold.into()).map(coefficient).collect(),
            ceremony: ceremony.clone(),
            index,
            secret,
        })
    }

    /// The first round.
    pub fn commit(&self) -> Commit {
        let public = group::encoded(&RistrettoPoint::mul_base(&self.decryption));
        let nonce = self.secret.scalar("encryption-proof", 0);
        let purpose = Purpose::Encryption;
        let of = (&public, &*self.decryption);
        Commit {
            encryption_key: public,
            pok: knowledge::prove(purpose, &self.ceremony, self.index, of, &nonce),
            coefficients: coefficients_hash(&self.ceremony, self.index, &self.coefficients()),
        }
    }

    /// The polynomial as everybody sees it: its coefficients times the generator.
    fn coefficients(&self) -> Vec<[u8; 32]> {
        let public = |secret: &Zeroizing<Scalar>| RistrettoPoint::mul_base(secret);
        let points = self.polynomial.iter().map(public);
        points.map(|point| group::encoded(&point)).collect()
    }

    /// The value of its polynomial at a trustee's number.
    fn share_for(&self, index: u8) -> Zeroizing<Scalar> {
        let at = Scalar::from(index);
        let mut value = Zeroizing::new(Scalar::ZERO);
        for coefficient in self.polynomial.iter().rev() {
            *value = *value * at + **coefficient;
        }
        value
    }
}

/// The hash by which a trustee commits to the points that it will deal with.
fn coefficients_hash(ceremony: &Ceremony, index: u8, coefficients: &[[u8; 32]]) -> [u8; 32] {
    let index = u32::from(index).to_le_bytes();
    let points = coefficients.concat();
    let parts = joined(&[&ceremony.context, &index, &points]);
    sha256("tabella/seal/coefficients/v1", &[&parts])
}

/// Why a ceremony, or a part of one, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeremonyError {
    /// The threshold does not fit the number of trustees.
    Threshold {
        /// How many would have to open.
        threshold: u8,
        /// How many trustees there would be.
        trustees: u8,
    },
    /// There is no trustee of that number.
    UnknownTrustee {
        /// The number.
        index: u8,
    },
    /// Parts are missing, or there are too many.
    Parts {
        /// One for each.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// A point is not canonical, or is the identity where that is not allowed.
    Point {
        /// Whose part it is in.
        index: u8,
    },
    /// The proof that a trustee knows its secret does not hold.
    Knowledge {
        /// Whose.
        index: u8,
    },
    /// A dealer's coefficients are not those of its commitment.
    Commitment {
        /// Whose.
        index: u8,
    },
    /// A share is not on its dealer's polynomial: publish a dispute.
    Share {
        /// The number of its dealer.
        dealer: u8,
    },
    /// A dispute's proof does not hold, or the share that it shows is as it should be.
    FalseDispute {
        /// The number of the trustee that complains.
        index: u8,
    },
    /// The secrets of all add up to nothing; hold another ceremony.
    Identity,
}

impl fmt::Display for CeremonyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threshold {
                threshold,
                trustees,
            } => write!(
                f,
                "expected a threshold of 1 to the number of trustees, at most {TRUSTEES_MAX}; \
                 got {threshold} of {trustees}"
            ),
            Self::UnknownTrustee { index } => write!(f, "the ceremony has no trustee {index}"),
            Self::Parts { expected, got } => write!(f, "expected {expected} parts, got {got}"),
            Self::Point { index } => {
                write!(
                    f,
                    "a point of trustee {index} is not canonical, or is the identity"
                )
            }
            Self::Knowledge { index } => {
                write!(f, "trustee {index} does not prove that it knows its secret")
            }
            Self::Commitment { index } => {
                write!(
                    f,
                    "trustee {index} deals with other coefficients than it committed to"
                )
            }
            Self::Share { dealer } => write!(
                f,
                "the share from trustee {dealer} is not on its polynomial; publish a dispute"
            ),
            Self::FalseDispute { index } => {
                write!(
                    f,
                    "the dispute of trustee {index} does not show a wrong share"
                )
            }
            Self::Identity => f.write_str("the key is the identity; hold another ceremony"),
        }
    }
}

impl core::error::Error for CeremonyError {}
