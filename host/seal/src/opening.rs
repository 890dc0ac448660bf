//! Opening encrypted totals: each trustee's factors with one proof for all, and what any `threshold` of them show.

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};
use zeroize::Zeroizing;

pub use crate::logarithm::Logarithms;
use crate::{
    Context,
    ceremony::Keys,
    equality::Statement,
    group,
    sum::Ciphertext,
    transcript::{Secret, Transcript},
};

/// A trustee's share of the election's secret; erased when dropped.
pub struct Share {
    index: u8,
    secret: Zeroizing<Scalar>,
}

impl Share {
    pub(crate) fn new(index: u8, secret: Zeroizing<Scalar>) -> Self {
        Self { index, secret }
    }

    /// Whose it is.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// Whether it is the share that the ceremony gave to this trustee.
    pub fn fits(&self, keys: &Keys) -> bool {
        keys.share_key(self.index) == Some(self.public())
    }

    fn public(&self) -> [u8; 32] {
        group::encoded(&RistrettoPoint::mul_base(&self.secret))
    }

    /// What this trustee contributes to the opening of these totals. The context names election, ceremony, board and
    /// trustee.
    pub fn open(&self, counters: &[Ciphertext], context: &Context) -> Opening {
        let points: Vec<RistrettoPoint> = counters
            .iter()
            .map(|counter| *self.secret * counter.alpha)
            .collect();
        let factors: Vec<[u8; 32]> = points.iter().map(group::encoded).collect();
        let public = self.public();
        let hash = hash(context, &public, counters, &factors);
        let statement = statement(context, public, &hash, counters, &points);
        // The nonce belongs to these totals and this context: others have another.
        let secret = Secret::new(Zeroizing::new(self.secret.to_bytes()));
        let nonce = secret.nonce("opening", self.index.into(), &hash);
        Opening {
            factors,
            proof: statement.prove(&self.secret, &nonce),
        }
    }
}

/// What a trustee publishes to open totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Each total's α times the trustee's share.
    pub factors: Vec<[u8; 32]>,
    /// The proof that all were multiplied by that share: challenge, then answer.
    pub proof: [u8; 64],
}

/// The factors of an opening that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factors {
    index: u8,
    points: Vec<RistrettoPoint>,
}

impl Opening {
    /// The factors, where trustee `index` may open these totals with them in this context.
    pub fn check(
        &self,
        keys: &Keys,
        index: u8,
        counters: &[Ciphertext],
        context: &Context,
    ) -> Result<Factors, OpeningError> {
        let public = keys.share_key(index);
        let public = public.ok_or(OpeningError::UnknownTrustee { index })?;
        if self.factors.len() != counters.len() {
            return Err(OpeningError::Count {
                expected: counters.len(),
                got: self.factors.len(),
            });
        }
        let points: Option<Vec<RistrettoPoint>> = self.factors.iter().map(group::point).collect();
        let points = points.ok_or(OpeningError::Point { index })?;
        let hash = hash(context, &public, counters, &self.factors);
        match statement(context, public, &hash, counters, &points).holds(&self.proof) {
            true => Ok(Factors { index, points }),
            false => Err(OpeningError::Proof { index }),
        }
    }
}

/// The hash over everything that is claimed, from which the coefficients of the one proof follow.
fn hash(
    context: &Context,
    public: &[u8; 32],
    counters: &[Ciphertext],
    factors: &[[u8; 32]],
) -> [u8; 64] {
    let transcript = Transcript::new("tabella/seal/composite/v1").bytes(context);
    let mut transcript = transcript.bytes(public).number(counters.len() as u32);
    for counter in counters {
        transcript = transcript.bytes(&group::encoded(&counter.alpha));
    }
    transcript.bytes(&factors.concat()).wide()
}

/// The claim that all factors are the totals' α times the secret, as one: RFC 9497, section 2.2.
fn statement<'a>(
    context: &'a Context,
    public: [u8; 32],
    hash: &[u8; 64],
    counters: &[Ciphertext],
    factors: &[RistrettoPoint],
) -> Statement<'a> {
    let coefficient = |number| {
        let transcript = Transcript::new("tabella/seal/composite/v1").bytes(hash);
        transcript.number(number).scalar()
    };
    let coefficients: Vec<Scalar> = (0..counters.len() as u32).map(coefficient).collect();
    let alphas = counters.iter().map(|counter| counter.alpha);
    Statement {
        tag: "tabella/seal/factors/v1",
        context,
        public,
        base: RistrettoPoint::vartime_multiscalar_mul(&coefficients, alphas),
        image: RistrettoPoint::vartime_multiscalar_mul(&coefficients, factors),
    }
}

/// The totals, from the checked factors of at least as many trustees as the threshold; of more, the lowest count.
pub fn totals(
    keys: &Keys,
    counters: &[Ciphertext],
    factors: &[Factors],
    logarithms: &Logarithms,
) -> Result<Vec<u64>, OpeningError> {
    let mut factors: Vec<&Factors> = factors.iter().collect();
    factors.sort_unstable_by_key(|factors| factors.index);
    factors.dedup_by_key(|factors| factors.index);
    let expected = usize::from(keys.ceremony().threshold());
    if factors.len() < expected {
        let got = factors.len();
        return Err(OpeningError::TooFew { expected, got });
    }
    factors.truncate(expected);
    for of in &factors {
        if of.points.len() != counters.len() {
            return Err(OpeningError::Count {
                expected: counters.len(),
                got: of.points.len(),
            });
        }
    }
    let indices: Vec<u8> = factors.iter().map(|factors| factors.index).collect();
    let weights = weights(&indices);
    let value = |(number, counter): (usize, &Ciphertext)| {
        let points = factors.iter().map(|factors| factors.points[number]);
        let factor = RistrettoPoint::vartime_multiscalar_mul(&weights, points);
        let total = logarithms.of(&(counter.beta - factor));
        total.ok_or(OpeningError::OutOfReach { counter: number })
    };
    counters.iter().enumerate().map(value).collect()
}

/// Lagrange's coefficients at 0 for these places.
fn weights(indices: &[u8]) -> Vec<Scalar> {
    let weight = |at: &u8| {
        let mut weight = Scalar::ONE;
        for other in indices.iter().filter(|other| *other != at) {
            let (other, at) = (Scalar::from(*other), Scalar::from(*at));
            // Places differ, so the difference has an inverse.
            weight *= other * (other - at).invert();
        }
        weight
    };
    indices.iter().map(weight).collect()
}

/// Why totals are not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpeningError {
    /// There is no trustee of that number.
    UnknownTrustee {
        /// The number.
        index: u8,
    },
    /// An opening has not one factor for each total.
    Count {
        /// The totals.
        expected: usize,
        /// The factors.
        got: usize,
    },
    /// A factor is not a canonical point.
    Point {
        /// Whose.
        index: u8,
    },
    /// A proof does not hold for these totals in this context.
    Proof {
        /// Whose.
        index: u8,
    },
    /// Too few trustees have opened.
    TooFew {
        /// The threshold.
        expected: usize,
        /// Those that have.
        got: usize,
    },
    /// A total is larger than all ballots together allow.
    OutOfReach {
        /// Its number.
        counter: usize,
    },
}

impl fmt::Display for OpeningError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTrustee { index } => write!(f, "the ceremony has no trustee {index}"),
            Self::Count { expected, got } => write!(f, "expected {expected} factors, got {got}"),
            Self::Point { index } => {
                write!(f, "a factor of trustee {index} is not a canonical point")
            }
            Self::Proof { index } => write!(
                f,
                "the proof of trustee {index} does not hold for these totals; open what the chain adds up to"
            ),
            Self::TooFew { expected, got } => write!(
                f,
                "expected openings of {expected} trustees, got {got}; wait for the others"
            ),
            Self::OutOfReach { counter } => write!(
                f,
                "the total of counter {counter} is beyond what the ballots allow; check the sums"
            ),
        }
    }
}

impl core::error::Error for OpeningError {}
