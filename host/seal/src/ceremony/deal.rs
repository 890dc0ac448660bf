//! The second round: a trustee opens its commitment and encrypts a share to each.

use alloc::vec::Vec;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};
use zeroize::Zeroizing;

use super::{Ceremony, CeremonyError, Commit, Purpose, Trustee, coefficients_hash, knowledge};
use crate::{group, transcript::Transcript};

/// What a trustee publishes second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deal {
    /// The coefficients of its polynomial, times the generator; the first is its part of the key.
    pub coefficients: Vec<[u8; 32]>,
    /// The proof that it knows the first.
    pub pok: [u8; 64],
    /// For each trustee a point, and the share under a pad that only the two of them know.
    pub shares: Vec<[u8; 64]>,
}

impl Trustee {
    /// The second round, when all have committed.
    pub fn deal(&self, commits: &[Commit]) -> Result<Deal, CeremonyError> {
        check_count(commits.len(), self.ceremony.trustees)?;
        let mut shares = Vec::with_capacity(commits.len());
        for (index, commit) in (1..).zip(commits) {
            commit.check(&self.ceremony, index)?;
            shares.push(self.encrypt_share(index, commit)?);
        }
        let coefficients = self.coefficients();
        let nonce = self.secret.scalar("key-proof", 0);
        let of = (&coefficients[0], &*self.polynomial[0]);
        let pok = knowledge::prove(Purpose::Key, &self.ceremony, self.index, of, &nonce);
        Ok(Deal {
            coefficients,
            pok,
            shares,
        })
    }

    fn encrypt_share(&self, index: u8, commit: &Commit) -> Result<[u8; 64], CeremonyError> {
        let key = commit.key().ok_or(CeremonyError::Point { index })?;
        let ephemeral = self.secret.scalar("ephemeral", index.into());
        let public = group::encoded(&RistrettoPoint::mul_base(&ephemeral));
        let shared = group::encoded(&(*ephemeral * key));
        let ends = Ends {
            ceremony: &self.ceremony,
            dealer: self.index,
            index,
        };
        let share = Zeroizing::new(self.share_for(index).to_bytes());
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&public);
        bytes[32..].copy_from_slice(&*ends.masked(&share, &public, &shared));
        Ok(bytes)
    }
}

impl Deal {
    /// Whether trustee `index` may deal this, whatever it committed to.
    pub fn check(&self, ceremony: &Ceremony, index: u8) -> Result<(), CeremonyError> {
        ceremony.check_index(index)?;
        check_count(self.coefficients.len(), ceremony.threshold)?;
        check_count(self.shares.len(), ceremony.trustees)?;
        let bad = CeremonyError::Point { index };
        let points = self.points().ok_or(bad)?;
        let of_shares = self.shares.iter().map(|share| split(share).0);
        let mut of_shares = of_shares.map(|point| group::point(&point).ok_or(bad));
        let first = points.first().ok_or(bad)?;
        if *first == group::identity()
            || of_shares.any(|p| p.is_err() || p == Ok(group::identity()))
        {
            return Err(bad);
        }
        match knowledge::holds(
            Purpose::Key,
            ceremony,
            index,
            &self.coefficients[0],
            &self.pok,
        ) {
            true => Ok(()),
            false => Err(CeremonyError::Knowledge { index }),
        }
    }

    /// Whether it opens what trustee `index` committed to.
    pub fn opens(
        &self,
        ceremony: &Ceremony,
        index: u8,
        commit: &Commit,
    ) -> Result<(), CeremonyError> {
        match coefficients_hash(ceremony, index, &self.coefficients) == commit.coefficients {
            true => Ok(()),
            false => Err(CeremonyError::Commitment { index }),
        }
    }

    /// The coefficients as points.
    pub(super) fn points(&self) -> Option<Vec<RistrettoPoint>> {
        self.coefficients.iter().map(group::point).collect()
    }

    /// The share for a trustee, where what is unmasked with `shared` lies on the polynomial.
    pub(super) fn unmasked(&self, ends: &Ends<'_>, shared: &[u8; 32]) -> Option<Zeroizing<Scalar>> {
        let (public, masked) = split(self.shares.get(usize::from(ends.index).checked_sub(1)?)?);
        let share = group::scalar(&ends.masked(&masked, &public, shared))?;
        let share = Zeroizing::new(share);
        let expected = value_at(&self.points()?, ends.index);
        (RistrettoPoint::mul_base(&share) == expected).then_some(share)
    }
}

/// The public value of a polynomial at a trustee's number.
pub(super) fn value_at(coefficients: &[RistrettoPoint], index: u8) -> RistrettoPoint {
    let powers = group::powers(Scalar::from(index), coefficients.len());
    RistrettoPoint::vartime_multiscalar_mul(powers, coefficients)
}

/// Fails where there is not one part for each.
pub(super) fn check_count(got: usize, expected: u8) -> Result<(), CeremonyError> {
    let expected = usize::from(expected);
    match got == expected {
        true => Ok(()),
        false => Err(CeremonyError::Parts { expected, got }),
    }
}

/// Point and masked share.
pub(super) fn split(share: &[u8; 64]) -> ([u8; 32], [u8; 32]) {
    let (mut public, mut masked) = ([0; 32], [0; 32]);
    public.copy_from_slice(&share[..32]);
    masked.copy_from_slice(&share[32..]);
    (public, masked)
}

/// From whom to whom a share goes.
pub(super) struct Ends<'a> {
    pub(super) ceremony: &'a Ceremony,
    pub(super) dealer: u8,
    pub(super) index: u8,
}

impl Ends<'_> {
    /// A share under its pad, or without it when it was.
    fn masked(
        &self,
        share: &[u8; 32],
        public: &[u8; 32],
        shared: &[u8; 32],
    ) -> Zeroizing<[u8; 32]> {
        let transcript = Transcript::new("tabella/seal/pad/v1").bytes(&self.ceremony.context);
        let transcript = transcript
            .number(self.dealer.into())
            .number(self.index.into());
        let mut pad = transcript.bytes(public).bytes(shared).half();
        for (byte, of_share) in pad.iter_mut().zip(share) {
            *byte ^= of_share;
        }
        pad
    }
}
