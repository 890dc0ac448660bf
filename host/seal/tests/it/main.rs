//! What sealed ballots promise, each promise with the attack against it.

mod ballots;
mod ceremony;
mod cheats;
mod forms;
mod held;
mod opening;
mod python;
mod twin;
mod vectors;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use sha2::{Digest, Sha512};
use tabella_seal::{
    Key,
    declaration::{Blank, Declaration, Shape, Sum},
    form::Form,
    slots::Sealer,
};

/// A scalar that a test draws.
fn drawn(number: u32) -> Scalar {
    let hash = Sha512::new_with_prefix(number.to_le_bytes()).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// Whose secret a test knows.
fn key_of(secret: &Scalar) -> Key {
    let point = RistrettoPoint::mul_base(secret);
    Key::from_bytes(point.compress().to_bytes()).expect("a key")
}

fn seal(form: &Form, key: &Key, context: [u8; 32], bits: &[bool], seed: [u8; 32]) -> Vec<u8> {
    let sealer = Sealer::new(form, key);
    sealer
        .seal(&context, bits, &seed)
        .expect("an admitted ballot")
}

const fn sum(min: u64, max: u64, blank: Blank) -> Option<Sum> {
    Some(Sum { min, max, blank })
}

/// One declaration of each shape, and of each way in which a sum is bounded.
fn declarations() -> Vec<Declaration> {
    let shapes = [
        (3, Shape::Marks { sum: None }),
        (1, Shape::Marks { sum: None }),
        (
            4,
            Shape::Marks {
                sum: sum(0, 1, Blank::Counted),
            },
        ),
        (
            4,
            Shape::Marks {
                sum: sum(0, 3, Blank::Counted),
            },
        ),
        (
            4,
            Shape::Marks {
                sum: sum(0, 3, Blank::NotCounted),
            },
        ),
        (
            4,
            Shape::Marks {
                sum: sum(1, 2, Blank::NotCounted),
            },
        ),
        (
            3,
            Shape::Marks {
                sum: sum(2, 2, Blank::NotCounted),
            },
        ),
        (
            3,
            Shape::Marks {
                sum: sum(0, 4_096, Blank::Counted),
            },
        ),
        (3, Shape::Values { max: 5, sum: None }),
        (
            2,
            Shape::Values {
                max: 4,
                sum: sum(0, 4, Blank::NotCounted),
            },
        ),
        (
            2,
            Shape::Values {
                max: 3,
                sum: sum(2, 5, Blank::NotCounted),
            },
        ),
        (
            2,
            Shape::Values {
                max: 3,
                sum: sum(0, 3, Blank::Counted),
            },
        ),
        (2, Shape::Squares { credits: 9 }),
        (3, Shape::Squares { credits: 5 }),
        (3, Shape::Grades { grades: 2 }),
        (2, Shape::Grades { grades: 4 }),
    ];
    let of = |(options, shape)| Declaration { options, shape };
    shapes.map(of).into()
}
