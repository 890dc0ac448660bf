//! Keys and signatures, those that libraries judge differently among them.

use serde_json::{Value, json};
use tabella_protocol::{HexBytes, PublicKey, Signature};

use super::hex;
use crate::support::key;

/// The key of the seed of 32 bytes 01.
const KEY: &str = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";
/// The first half of its signature of "tabella", and the second.
const R: &str = "50a309af78f23b68eed229e0e1bfc892d15b1ba814a417b3ce40439dfb616e36";
const S: &str = "ce4f2fa5cadadd18dd27bb4d4a15ae9c861979afff0b58726a1f193095aa7508";
/// The neutral element of the curve, as a key or as the first half of a signature.
const NEUTRAL: &str = "0100000000000000000000000000000000000000000000000000000000000000";
/// The same with a y of p + 1.
const NEUTRAL_AGAIN: &str = "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
/// A point of order 8.
const ORDER_8: &str = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
/// `KEY` and a point of order 8 added.
const MIXED: &str = "3bcfb78c4ad06f9b8d7e8c50e37e33dd40042a7805f5df945fbf33620745bc68";

const SIGNATURES: [(&str, &str, &str, [&str; 2]); 10] = [
    ("a signature", KEY, "tabella", [R, S]),
    ("of another message", KEY, "another message", [R, S]),
    (
        "with an s that the group's order was added to",
        KEY,
        "tabella",
        [
            R,
            "bb232502e53df070b3c4b2f0280f8db1861979afff0b58726a1f193095aa7518",
        ],
    ),
    (
        "with an R of small order, for which the equation holds",
        KEY,
        "tabella",
        [
            NEUTRAL,
            "f8eec8fbe1bb420fdecd9636c025aedc4da8dfe3530057757b7b6e97465c8f05",
        ],
    ),
    (
        "the same with a second spelling of R",
        KEY,
        "tabella",
        [
            NEUTRAL_AGAIN,
            "f8eec8fbe1bb420fdecd9636c025aedc4da8dfe3530057757b7b6e97465c8f05",
        ],
    ),
    (
        "of a key of small order, for which the equation holds",
        NEUTRAL,
        "tabella",
        [
            "edc876d6831fd2105d0b4389ca2e283166469289146e2ce06faefe98b22548df",
            "0500000000000000000000000000000000000000000000000000000000000000",
        ],
    ),
    (
        "of a key with a part of small order, for which the equation holds",
        MIXED,
        "tabella 3",
        [
            "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1",
            "46cf33ed2b24859bcfc909706981b22cce0e9161b1d3aac0022e0b5f537b2804",
        ],
    ),
    (
        "of the same key, for which the equation holds only with the cofactor",
        MIXED,
        "tabella",
        [
            "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1",
            "a868ebdc7befab46d3617092c47cb7a7c34ef1a0a8acb6d43eb462e8577f1e0e",
        ],
    ),
    ("with nothing in it", KEY, "tabella", [NEUTRAL, NEUTRAL]),
    ("with R and s in the wrong places", KEY, "tabella", [S, R]),
];

const KEYS: [(&str, &str); 8] = [
    ("a key", KEY),
    ("a key with a part of small order", MIXED),
    ("the neutral element", NEUTRAL),
    ("a second spelling of the neutral element", NEUTRAL_AGAIN),
    ("a point of order 8", ORDER_8),
    (
        "no point of the curve",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ),
    (
        "a y of p + 3, which is a second spelling of a point",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ),
    (
        "the point itself",
        "0300000000000000000000000000000000000000000000000000000000000000",
    ),
];

pub(super) fn vectors() -> Value {
    let keys = KEYS.map(|(about, key)| {
        let valid = public_key(key).is_valid();
        json!({"about": about, "key": format!("0x{key}"), "valid": valid})
    });
    let signatures = SIGNATURES.map(|(about, key, message, halves)| {
        let signature: Signature = format!("0x{}{}", halves[0], halves[1]).parse().unwrap();
        let valid = public_key(key).verify(message.as_bytes(), &signature);
        json!({
            "about": about, "key": format!("0x{key}"), "message": hex(message),
            "signature": signature, "valid": valid,
        })
    });
    let seeded = [1, 2, 100].map(|seed: u8| {
        let key = key(seed);
        json!({
            "seed": HexBytes(vec![seed; 32]).to_string(), "key": key.public(),
            "address": key.public().address(), "message": hex("tabella"), "signature": key.sign(b"tabella"),
        })
    });
    json!({"keys": keys, "signatures": signatures, "seeded": seeded})
}

fn public_key(hex: &str) -> PublicKey {
    format!("0x{hex}").parse().unwrap()
}
