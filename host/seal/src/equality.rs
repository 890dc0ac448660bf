//! The proof that two points have the same logarithm, each to its own base.

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar, traits::VartimeMultiscalarMul};

use crate::{group, transcript::Transcript};

/// `public` is to the generator what `image` is to `base`.
pub(crate) struct Statement<'a> {
    pub(crate) tag: &'static str,
    /// What the proof is for; of one width for each tag.
    pub(crate) context: &'a [u8],
    pub(crate) public: [u8; 32],
    pub(crate) base: RistrettoPoint,
    pub(crate) image: RistrettoPoint,
}

impl Statement<'_> {
    fn challenge(&self, at_generator: &RistrettoPoint, at_base: &RistrettoPoint) -> Scalar {
        let mut transcript = Transcript::new(self.tag)
            .bytes(self.context)
            .bytes(&self.public);
        for point in [&self.base, &self.image, at_generator, at_base] {
            transcript = transcript.bytes(&group::encoded(point));
        }
        transcript.scalar()
    }

    /// The proof of who knows the logarithm: challenge, then answer. The nonce belongs to this statement alone.
    pub(crate) fn prove(&self, secret: &Scalar, nonce: &Scalar) -> [u8; 64] {
        let at_generator = RistrettoPoint::mul_base(nonce);
        let challenge = self.challenge(&at_generator, &(nonce * self.base));
        let answer = nonce + challenge * secret;
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(challenge.as_bytes());
        proof[32..].copy_from_slice(answer.as_bytes());
        proof
    }

    /// Whether a proof holds.
    pub(crate) fn holds(&self, proof: &[u8; 64]) -> bool {
        let (challenge, answer) = proof.split_at(32);
        let read = |half: &[u8]| group::scalar(half.try_into().ok()?);
        let (Some(challenge), Some(answer)) = (read(challenge), read(answer)) else {
            return false;
        };
        let Some(public) = group::point(&self.public) else {
            return false;
        };
        let combined = |base: RistrettoPoint, image: RistrettoPoint| {
            RistrettoPoint::vartime_multiscalar_mul([answer, -challenge], [base, image])
        };
        let at_generator = combined(group::base(), public);
        let at_base = combined(self.base, self.image);
        self.challenge(&at_generator, &at_base) == challenge
    }
}
