//! Points and scalars as bytes. Only canonical bytes are read, and a canonical point is in the group.

use alloc::vec::Vec;
use core::iter;

use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT,
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::Identity,
};

/// The point of these bytes, where they are its one encoding.
pub(crate) fn point(bytes: &[u8; 32]) -> Option<RistrettoPoint> {
    CompressedRistretto(*bytes).decompress()
}

/// The bytes of a point.
pub(crate) fn encoded(point: &RistrettoPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

/// The scalar of these bytes, where they are less than the order of the group.
pub(crate) fn scalar(bytes: &[u8; 32]) -> Option<Scalar> {
    Scalar::from_canonical_bytes(*bytes).into()
}

pub(crate) fn identity() -> RistrettoPoint {
    RistrettoPoint::identity()
}

pub(crate) fn base() -> RistrettoPoint {
    RISTRETTO_BASEPOINT_POINT
}

/// A point times a public number, in time that depends on the number.
pub(crate) fn times(point: &RistrettoPoint, number: u64) -> RistrettoPoint {
    let mut product = identity();
    for bit in (0..u64::BITS - number.leading_zeros()).rev() {
        product += product;
        if number >> bit & 1 == 1 {
            product += point;
        }
    }
    product
}

/// 1, x, x², and so on, as many as `count`. A list, because sums of products ask for exact lengths.
pub(crate) fn powers(of: Scalar, count: usize) -> Vec<Scalar> {
    let powers = iter::successors(Some(Scalar::ONE), |power| Some(power * of));
    powers.take(count).collect()
}
