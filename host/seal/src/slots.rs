//! A sealed contest: its slots encrypted, with the proof that each is 0 or 1.
//!
//! For n slots the bytes are n pairs of points (α, β), n times four points T1 to T4, and n times three scalars
//! (zb, zr, zt): [`SLOT_BYTES`] for each slot.

use alloc::vec::Vec;
use core::fmt;

use curve25519_dalek::{
    ristretto::{RistrettoBasepointTable, RistrettoPoint},
    scalar::Scalar,
    traits::VartimeMultiscalarMul,
};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Context, Key, Seed,
    form::Form,
    group,
    sum::Ciphertext,
    transcript::{Secret, Transcript, sha256},
};

/// Bytes of a slot in a sealed contest.
pub const SLOT_BYTES: usize = 288;

/// Bytes of a pair (α, β), of a slot's commitments, and of its answers.
const PAIR: usize = 64;
const COMMITMENTS: usize = 128;
const ANSWERS: usize = 96;

/// Seals ballots of one form to one key.
pub struct Sealer<'a> {
    form: &'a Form,
    key: &'a Key,
    form_hash: [u8; 32],
    multiples: RistrettoBasepointTable,
}

/// The secret values behind a sealed slot; erased when dropped.
#[derive(Default)]
struct Witness {
    bit: Scalar,
    r: Scalar,
    wb: Scalar,
    wr: Scalar,
    wt: Scalar,
}

impl Drop for Witness {
    fn drop(&mut self) {
        for scalar in [
            &mut self.bit,
            &mut self.r,
            &mut self.wb,
            &mut self.wr,
            &mut self.wt,
        ] {
            scalar.zeroize();
        }
    }
}

impl<'a> Sealer<'a> {
    /// Prepares the multiples of the key, which takes as long as some ten slots.
    pub fn new(form: &'a Form, key: &'a Key) -> Self {
        Self {
            form,
            key,
            form_hash: sha256("tabella/seal/form/v1", &[&form.to_bytes()]),
            multiples: RistrettoBasepointTable::create(&key.point),
        }
    }

    /// The bytes of a ballot whose slots hold `bits`. The seed is fresh for each ballot; the same inputs give the
    /// same bytes.
    pub fn seal(
        &self,
        context: &Context,
        bits: &[bool],
        seed: &Seed,
    ) -> Result<Vec<u8>, NotAdmitted> {
        if !self.form.admits(bits) {
            return Err(NotAdmitted);
        }
        let witnesses = self.witnesses(context, bits, seed);
        let mut bytes = Vec::with_capacity(bits.len() * SLOT_BYTES);
        for witness in &witnesses {
            let (alpha, beta) = self.pair(witness);
            bytes.extend(group::encoded(&alpha));
            bytes.extend(group::encoded(&beta));
        }
        for witness in &witnesses {
            for point in self.commitments(witness) {
                bytes.extend(group::encoded(&point));
            }
        }
        let c = challenge(self.key, context, bits.len(), &bytes);
        for Witness { bit, r, wb, wr, wt } in &witnesses {
            bytes.extend((wb + c * bit).to_bytes());
            bytes.extend((wr + c * r).to_bytes());
            bytes.extend((wt + c * r * (Scalar::ONE - bit)).to_bytes());
        }
        Ok(bytes)
    }

    /// Whether these bytes are the ballot with these bits and this seed: how a voter's ballot is opened to
    /// somebody who checks what the device sealed.
    pub fn opens(&self, context: &Context, bits: &[bool], seed: &Seed, bytes: &[u8]) -> bool {
        self.seal(context, bits, seed).is_ok_and(|own| own == bytes)
    }

    fn witnesses(&self, context: &Context, bits: &[bool], seed: &Seed) -> Vec<Witness> {
        // All that the answers depend on is in it: a seed that is used twice gives nothing away.
        let mut transcript = Transcript::new("tabella/seal/seed/v1")
            .bytes(seed)
            .bytes(context)
            .bytes(&self.key.bytes)
            .bytes(&self.form_hash);
        for bit in bits {
            transcript = transcript.bytes(&[u8::from(*bit)]);
        }
        let secret = Secret::new(transcript.half());
        let witness = |(number, bit): (usize, &bool)| Witness {
            bit: Scalar::from(u8::from(*bit)),
            r: *secret.scalar("r", number),
            wb: *secret.scalar("b", number),
            wr: *secret.scalar("w", number),
            wt: *secret.scalar("t", number),
        };
        let mut witnesses: Vec<Witness> = bits.iter().enumerate().map(witness).collect();
        for (fresh, last) in self
            .form
            .ranges()
            .iter()
            .filter_map(|range| range.fresh_and_last())
        {
            let r = |(slot, coefficient): &(u32, u64)| {
                witnesses[*slot as usize].r * Scalar::from(*coefficient)
            };
            let sum: Scalar = fresh.iter().map(r).sum();
            witnesses[last as usize].r = -sum;
        }
        witnesses
    }

    /// A secret multiple of the key.
    fn key_times(&self, scalar: &Scalar) -> RistrettoPoint {
        scalar * &self.multiples
    }

    fn pair(&self, Witness { bit, r, .. }: &Witness) -> (RistrettoPoint, RistrettoPoint) {
        let beta = self.key_times(r) + RistrettoPoint::mul_base(bit);
        (RistrettoPoint::mul_base(r), beta)
    }

    fn commitments(&self, witness: &Witness) -> [RistrettoPoint; 4] {
        let Witness { bit, r, wb, wr, wt } = witness;
        let both = Zeroizing::new(wb * r + wt);
        [
            RistrettoPoint::mul_base(wr),
            self.key_times(wr) + RistrettoPoint::mul_base(wb),
            RistrettoPoint::mul_base(&both),
            self.key_times(&both) + RistrettoPoint::mul_base(&(bit * wb)),
        ]
    }
}

/// The one challenge of a contest, over what precedes the answers in its bytes.
fn challenge(key: &Key, context: &Context, slots: usize, statement: &[u8]) -> Scalar {
    let transcript = Transcript::new("tabella/seal/slots/v1").bytes(context);
    let transcript = transcript.bytes(&key.bytes).number(slots as u32);
    transcript.bytes(statement).scalar()
}

/// A contest of somebody's sealed ballot, to be verified.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The form of the contest.
    pub form: &'a Form,
    /// What the ballot is for: voter, contest, election, network, and the ballot that it replaces.
    pub context: &'a Context,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Verifies contests of one election together, by one multiscalar multiplication. Where it refuses several, verify
/// each.
pub fn verify(key: &Key, contests: &[Sealed<'_>]) -> Result<(), Refusal> {
    let mut equation = Equation::default();
    let mut transcript = Sha512::new_with_prefix(key.bytes);
    let mut statements = Vec::with_capacity(contests.len());
    for sealed in contests {
        let slots = parsed(sealed.form, sealed.bytes)?;
        let (statement, _) = sealed.bytes.split_at(slots.len() * (PAIR + COMMITMENTS));
        let c = challenge(key, sealed.context, slots.len(), statement);
        transcript.update(Sha512::digest(sealed.bytes));
        transcript.update(c.as_bytes());
        statements.push((sealed.form, slots, c));
    }
    let mut coefficients = Coefficients {
        hash: transcript.finalize().into(),
        next: 0,
    };
    for (form, slots, c) in &statements {
        equation.add(form, slots, *c, &mut coefficients);
    }
    match equation.holds(key) {
        true => Ok(()),
        false => Err(Refusal::Proof),
    }
}

/// The ciphertexts of a contest's slots, proofs unread.
pub fn ciphertexts(form: &Form, bytes: &[u8]) -> Result<Vec<Ciphertext>, Refusal> {
    check_length(form, bytes)?;
    let pairs = bytes.chunks_exact(PAIR).take(form.slots().len());
    pairs
        .enumerate()
        .map(|(slot, pair)| {
            let [alpha, beta] = points(pair).ok_or(Refusal::Point { slot })?;
            Ok(Ciphertext { alpha, beta })
        })
        .collect()
}

/// A slot as it was read.
struct Slot {
    alpha: RistrettoPoint,
    beta: RistrettoPoint,
    commitments: [RistrettoPoint; 4],
    zb: Scalar,
    zr: Scalar,
    zt: Scalar,
}

fn check_length(form: &Form, bytes: &[u8]) -> Result<(), Refusal> {
    let expected = form.slots().len() * SLOT_BYTES;
    match bytes.len() == expected {
        true => Ok(()),
        false => Err(Refusal::Length {
            expected,
            got: bytes.len(),
        }),
    }
}

fn parsed(form: &Form, bytes: &[u8]) -> Result<Vec<Slot>, Refusal> {
    check_length(form, bytes)?;
    let count = form.slots().len();
    let (pairs, rest) = bytes.split_at(count * PAIR);
    let (commitments, answers) = rest.split_at(count * COMMITMENTS);
    let parts = pairs.chunks_exact(PAIR);
    let parts = parts.zip(commitments.chunks_exact(COMMITMENTS));
    let parts = parts.zip(answers.chunks_exact(ANSWERS));
    let slot = |(slot, ((pair, commitments), answers))| {
        // Scalars are read first: they cost nothing.
        let [zb, zr, zt] = scalars(answers).ok_or(Refusal::Scalar { slot })?;
        let [alpha, beta] = points(pair).ok_or(Refusal::Point { slot })?;
        if alpha == group::identity() {
            return Err(Refusal::Identity { slot });
        }
        let commitments = points(commitments).ok_or(Refusal::Point { slot })?;
        Ok(Slot {
            alpha,
            beta,
            commitments,
            zb,
            zr,
            zt,
        })
    };
    parts.enumerate().map(slot).collect()
}

/// As many points as there are 32 bytes.
fn points<const N: usize>(bytes: &[u8]) -> Option<[RistrettoPoint; N]> {
    let mut points = [group::identity(); N];
    for (point, bytes) in points.iter_mut().zip(bytes.chunks_exact(32)) {
        *point = group::point(bytes.try_into().ok()?)?;
    }
    Some(points)
}

/// As many scalars as there are 32 bytes.
fn scalars<const N: usize>(bytes: &[u8]) -> Option<[Scalar; N]> {
    let mut scalars = [Scalar::ZERO; N];
    for (scalar, bytes) in scalars.iter_mut().zip(bytes.chunks_exact(32)) {
        *scalar = group::scalar(bytes.try_into().ok()?)?;
    }
    Some(scalars)
}

/// Coefficients of 128 bits that nobody knows before all equations are fixed.
struct Coefficients {
    hash: [u8; 64],
    next: u32,
}

impl Coefficients {
    fn four(&mut self) -> [Scalar; 4] {
        let transcript = Transcript::new("tabella/seal/batch/v1").bytes(&self.hash);
        let wide = transcript.number(self.next).wide();
        self.next += 1;
        let mut coefficients = [Scalar::ZERO; 4];
        for (coefficient, bytes) in coefficients.iter_mut().zip(wide.chunks_exact(16)) {
            let mut half = [0; 16];
            half.copy_from_slice(bytes);
            *coefficient = Scalar::from(u128::from_le_bytes(half));
        }
        coefficients
    }
}

/// A sum of equations, each times a coefficient: the points on one side, which have to give the identity.
#[derive(Default)]
struct Equation {
    scalars: Vec<Scalar>,
    points: Vec<RistrettoPoint>,
    generator: Scalar,
    key: Scalar,
}

impl Equation {
    fn add(&mut self, form: &Form, slots: &[Slot], c: Scalar, coefficients: &mut Coefficients) {
        // What α and β of each slot are multiplied by.
        let mut pairs: Vec<[Scalar; 2]> = Vec::with_capacity(slots.len());
        for slot in slots {
            let [first, second, third, fourth] = coefficients.four();
            let rest = slot.zb - c;
            // zr G = T1 + c α;  zr Y + zb G = T2 + c β;  (zb - c) α + zt G = T3;  (zb - c) β + zt Y = T4
            pairs.push([first * c - third * rest, second * c - fourth * rest]);
            self.generator -= first * slot.zr + second * slot.zb + third * slot.zt;
            self.key -= second * slot.zr + fourth * slot.zt;
            self.scalars.extend([first, second, third, fourth]);
            self.points.extend(slot.commitments);
        }
        for range in form.ranges() {
            // Σ k α = 0;  Σ k β = total G
            let [first, second, ..] = coefficients.four();
            for (slot, coefficient) in &range.terms {
                let coefficient = Scalar::from(*coefficient);
                let [alpha, beta] = &mut pairs[*slot as usize];
                *alpha += first * coefficient;
                *beta += second * coefficient;
            }
            self.generator -= second * Scalar::from(range.total);
        }
        for (slot, [alpha, beta]) in slots.iter().zip(pairs) {
            self.scalars.extend([alpha, beta]);
            self.points.extend([slot.alpha, slot.beta]);
        }
    }

    fn holds(mut self, key: &Key) -> bool {
        self.scalars.extend([self.generator, self.key]);
        self.points.extend([group::base(), key.point]);
        RistrettoPoint::vartime_multiscalar_mul(&self.scalars, &self.points) == group::identity()
    }
}

/// The bits are not those of a ballot: too many or too few, or a sum that the form does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAdmitted;

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the slots are not those of a ballot of this contest; mark the ballot again")
    }
}

impl core::error::Error for NotAdmitted {}

/// Why a sealed contest is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is longer or shorter than its form says.
    Length {
        /// The form's bytes.
        expected: usize,
        /// The contest's bytes.
        got: usize,
    },
    /// A point is not in its canonical encoding.
    Point {
        /// The slot, from 0.
        slot: usize,
    },
    /// A scalar is not less than the order of the group.
    Scalar {
        /// The slot, from 0.
        slot: usize,
    },
    /// An α is the identity: the slot is not encrypted.
    Identity {
        /// The slot, from 0.
        slot: usize,
    },
    /// The proofs do not hold for this contest in this context.
    Proof,
}

impl Refusal {
    /// Whether the bytes could not even be read, whatever they were for.
    pub fn is_malformed(&self) -> bool {
        !matches!(self, Self::Proof)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, got } => {
                write!(f, "expected {expected} bytes of a sealed contest, got {got}")
            }
            Self::Point { slot } => write!(f, "slot {slot} has a point that is not canonical"),
            Self::Scalar { slot } => write!(f, "slot {slot} has a scalar that is not canonical"),
            Self::Identity { slot } => write!(f, "slot {slot} is not encrypted: its α is the identity"),
            Self::Proof => f.write_str(
                "the proofs do not hold; seal the ballot again for this voter, election and predecessor",
            ),
        }
    }
}

impl core::error::Error for Refusal {}
