//! The proof that a trustee knows the secret of a point: Schnorr's, over ceremony and number.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};

use super::Ceremony;
use crate::{group, transcript::Transcript};

/// What the secret is for. A proof for the one is none for the other.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Reading shares.
    Encryption,
    /// Its part of the election's secret.
    Key,
}

impl Purpose {
    fn tag(self) -> &'static str {
        match self {
            Self::Encryption => "tabella/seal/pok-encryption/v1",
            Self::Key => "tabella/seal/pok/v1",
        }
    }
}

fn challenge(
    purpose: Purpose,
    ceremony: &Ceremony,
    index: u8,
    public: &[u8; 32],
    commitment: &[u8; 32],
) -> Scalar {
    let transcript = Transcript::new(purpose.tag()).bytes(&ceremony.context);
    let transcript = transcript.number(index.into()).bytes(public);
    transcript.bytes(commitment).scalar()
}

/// The proof: commitment, then answer. The pair is a point and its secret.
pub(super) fn prove(
    purpose: Purpose,
    ceremony: &Ceremony,
    index: u8,
    (public, secret): (&[u8; 32], &Scalar),
    nonce: &Scalar,
) -> [u8; 64] {
    let commitment = group::encoded(&RistrettoPoint::mul_base(nonce));
    let answer = nonce + challenge(purpose, ceremony, index, public, &commitment) * secret;
    let mut proof = [0; 64];
    proof[..32].copy_from_slice(&commitment);
    proof[32..].copy_from_slice(answer.as_bytes());
    proof
}

/// Whether the proof holds for the point.
pub(super) fn holds(
    purpose: Purpose,
    ceremony: &Ceremony,
    index: u8,
    public: &[u8; 32],
    proof: &[u8; 64],
) -> bool {
    let (mut commitment, mut answer) = ([0; 32], [0; 32]);
    commitment.copy_from_slice(&proof[..32]);
    answer.copy_from_slice(&proof[32..]);
    let (Some(point), Some(answer)) = (group::point(public), group::scalar(&answer)) else {
        return false;
    };
    let challenge = challenge(purpose, ceremony, index, public, &commitment);
    // An encoding that is not canonical equals no point's.
    let expected =
        RistrettoPoint::vartime_multiscalar_mul([answer, -challenge], [group::base(), point]);
    group::encoded(&expected) == commitment
}
