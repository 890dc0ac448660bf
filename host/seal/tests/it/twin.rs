//! A second prover and verifier, equation by equation, from which one defence can be taken out: an attack that the
//! twin without it accepts is one that the defence stops.

use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT as G,
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::Identity,
};
use sha2::{Digest, Sha512};
use tabella_seal::{Key, form::Form};

use crate::drawn;

/// The defence that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Without {
    Nothing,
    /// The challenge leaves the ciphertexts out (weak Fiat-Shamir).
    Statement,
    /// The challenge leaves the key out.
    Key,
    /// The challenge leaves voter, election and predecessor out.
    Context,
    /// Each slot has a challenge of its own.
    OneChallenge,
    /// One of the four equations of a slot.
    Equation(usize),
    /// An α may be the identity.
    Identity,
    /// All equations are added up as they are, without coefficients.
    Coefficients,
    /// Randomness of a range need not add up to 0.
    RangeOfRandomness,
    /// Values of a range need not add up to its total.
    RangeOfValues,
}

pub(crate) struct Twin {
    pub(crate) without: Without,
    pub(crate) key: RistrettoPoint,
    pub(crate) context: [u8; 32],
}

/// A ciphertext, and what is claimed of it.
#[derive(Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) alpha: RistrettoPoint,
    pub(crate) beta: RistrettoPoint,
    pub(crate) b: Scalar,
    pub(crate) r: Scalar,
    pub(crate) t: Scalar,
}

impl Claim {
    /// The encryption of a value, claimed as what it is.
    pub(crate) fn of(key: &RistrettoPoint, value: Scalar, r: Scalar) -> Self {
        Self {
            alpha: r * G,
            beta: r * key + value * G,
            b: value,
            r,
            t: r * (Scalar::ONE - value),
        }
    }
}

/// A slot as its points and scalars.
pub(crate) struct Parts {
    pub(crate) pair: [RistrettoPoint; 2],
    pub(crate) commitments: [RistrettoPoint; 4],
    pub(crate) answers: [Scalar; 3],
}

pub(crate) fn point(key: &Key) -> RistrettoPoint {
    CompressedRistretto(key.to_bytes())
        .decompress()
        .expect("a key")
}

pub(crate) fn bytes_of(slots: &[Parts]) -> Vec<u8> {
    let points = |points: &[RistrettoPoint]| -> Vec<u8> {
        points
            .iter()
            .flat_map(|point| point.compress().to_bytes())
            .collect()
    };
    let mut bytes: Vec<u8> = slots.iter().flat_map(|slot| points(&slot.pair)).collect();
    bytes.extend(slots.iter().flat_map(|slot| points(&slot.commitments)));
    let answers = slots.iter().flat_map(|slot| slot.answers);
    bytes.extend(answers.flat_map(|answer| answer.to_bytes()));
    bytes
}

fn read(bytes: &[u8]) -> Option<Vec<Parts>> {
    let count = bytes.len() / 288;
    let point = |at: usize| {
        CompressedRistretto::from_slice(&bytes[at..at + 32])
            .ok()?
            .decompress()
    };
    let scalar = |at: usize| -> Option<Scalar> {
        Scalar::from_canonical_bytes(bytes[at..at + 32].try_into().ok()?).into()
    };
    let slot = |slot: usize| {
        let (pair, commitments, answers) =
            (64 * slot, 64 * count + 128 * slot, 192 * count + 96 * slot);
        let four = [0, 32, 64, 96].map(|more| point(commitments + more));
        let [Some(first), Some(second), Some(third), Some(fourth)] = four else {
            return None;
        };
        Some(Parts {
            pair: [point(pair)?, point(pair + 32)?],
            commitments: [first, second, third, fourth],
            answers: [
                scalar(answers)?,
                scalar(answers + 32)?,
                scalar(answers + 64)?,
            ],
        })
    };
    (0..count).map(slot).collect()
}

impl Twin {
    /// The challenge of each slot.
    pub(crate) fn challenges(
        &self,
        pairs: &[[RistrettoPoint; 2]],
        commitments: &[[RistrettoPoint; 4]],
    ) -> Vec<Scalar> {
        let of = |pairs: &[[RistrettoPoint; 2]], commitments: &[[RistrettoPoint; 4]]| {
            let mut hash = Sha512::new_with_prefix("tabella/seal/slots/v1");
            if self.without != Without::Context {
                hash.update(self.context);
            }
            if self.without != Without::Key {
                hash.update(self.key.compress().as_bytes());
            }
            hash.update((pairs.len() as u32).to_le_bytes());
            if self.without != Without::Statement {
                for point in pairs.iter().flatten() {
                    hash.update(point.compress().as_bytes());
                }
            }
            for point in commitments.iter().flatten() {
                hash.update(point.compress().as_bytes());
            }
            Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
        };
        match self.without {
            Without::OneChallenge => {
                let slots = pairs.chunks(1).zip(commitments.chunks(1));
                slots
                    .map(|(pair, commitments)| of(pair, commitments))
                    .collect()
            }
            _ => vec![of(pairs, commitments); pairs.len()],
        }
    }

    /// A proof by the honest prover's steps, whatever is claimed.
    pub(crate) fn prove(&self, claims: &[Claim]) -> Vec<Parts> {
        self.prove_shifted(claims, &[])
    }

    /// The same, with each slot's first commitment moved by a multiple of the generator.
    pub(crate) fn prove_shifted(&self, claims: &[Claim], shifts: &[Scalar]) -> Vec<Parts> {
        let nonces = |slot: usize| [0, 1, 2].map(|which| drawn(1_000 + 3 * slot as u32 + which));
        let commit = |(slot, claim): (usize, &Claim)| {
            let [wb, wr, wt] = nonces(slot);
            let shift = shifts.get(slot).copied().unwrap_or_default();
            [
                wr * G + shift * G,
                wr * self.key + wb * G,
                wb * claim.alpha + wt * G,
                wb * claim.beta + wt * self.key,
            ]
        };
        let commitments: Vec<_> = claims.iter().enumerate().map(commit).collect();
        let pairs: Vec<_> = claims
            .iter()
            .map(|claim| [claim.alpha, claim.beta])
            .collect();
        let challenges = self.challenges(&pairs, &commitments);
        let part = |(slot, claim): (usize, &Claim)| {
            let [wb, wr, wt] = nonces(slot);
            let c = challenges[slot];
            Parts {
                pair: pairs[slot],
                commitments: commitments[slot],
                answers: [wb + c * claim.b, wr + c * claim.r, wt + c * claim.t],
            }
        };
        claims.iter().enumerate().map(part).collect()
    }

    /// Whether a verifier without the defence takes the contest.
    pub(crate) fn accepts(&self, form: &Form, bytes: &[u8]) -> bool {
        let slots = match read(bytes) {
            Some(slots) if slots.len() == form.slots().len() => slots,
            _ => return false,
        };
        let pairs: Vec<_> = slots.iter().map(|slot| slot.pair).collect();
        let commitments: Vec<_> = slots.iter().map(|slot| slot.commitments).collect();
        let challenges = self.challenges(&pairs, &commitments);
        let errors: Vec<RistrettoPoint> = slots
            .iter()
            .zip(challenges)
            .flat_map(|(slot, c)| self.errors(slot, c))
            .collect();
        let zero = RistrettoPoint::identity();
        let slots_hold = match self.without {
            Without::Coefficients => errors.iter().sum::<RistrettoPoint>() == zero,
            _ => errors.iter().all(|error| *error == zero),
        };
        let hides = |slot: &Parts| slot.pair[0] != zero || self.without == Without::Identity;
        slots_hold && slots.iter().all(hides) && self.ranges_hold(form, &pairs)
    }

    /// By how much each equation of a slot fails.
    fn errors(&self, slot: &Parts, c: Scalar) -> Vec<RistrettoPoint> {
        let ([alpha, beta], [zb, zr, zt]) = (slot.pair, slot.answers);
        let [first, second, third, fourth] = slot.commitments;
        let errors = [
            zr * G - first - c * alpha,
            zr * self.key + zb * G - second - c * beta,
            (zb - c) * alpha + zt * G - third,
            (zb - c) * beta + zt * self.key - fourth,
        ];
        let kept = errors.into_iter().enumerate();
        let kept = kept.filter(|(number, _)| self.without != Without::Equation(number + 1));
        kept.map(|(_, error)| error).collect()
    }

    fn ranges_hold(&self, form: &Form, pairs: &[[RistrettoPoint; 2]]) -> bool {
        form.ranges().iter().all(|range| {
            let sum = |which: usize| -> RistrettoPoint {
                let terms = range.terms.iter();
                terms
                    .map(|(slot, k)| Scalar::from(*k) * pairs[*slot as usize][which])
                    .sum()
            };
            let randomness = sum(0) == RistrettoPoint::identity();
            let values = sum(1) == Scalar::from(range.total) * G;
            (randomness || self.without == Without::RangeOfRandomness)
                && (values || self.without == Without::RangeOfValues)
        })
    }
}
