//! `docs/vectors/seal-v1.json`: what other implementations compare themselves with.
//!
//! `UPDATE_EXPECT=1 cargo nextest run --release --package tabella-seal vectors` writes it.

use std::{fs, path::Path};

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use serde_json::{Value, json};
use tabella_seal::{
    declaration::{Declaration, Shape, Sum},
    form::digits,
    opening::{Logarithms, totals},
    slots::{Sealed, verify},
    sum::Sums,
};

use crate::{ballots::BAD_POINTS, declarations, held::Held, seal};

const FILE: &str = "../../docs/vectors/seal-v1.json";
/// The declaration of the contests that are sealed and opened: at most three of four, blank ballots counted.
const OPENED: usize = 3;
/// The declaration of a contest that is sealed alone: scores to five.
const SCORED: usize = 8;

#[test]
fn the_vectors_are_what_the_crate_computes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let computed = vectors();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let text = serde_json::to_string_pretty(&computed).unwrap() + "\n";
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let text = fs::read_to_string(&path).expect("docs/vectors/seal-v1.json; see this file's head");
    let committed: Value = serde_json::from_str(&text).unwrap();
    for (part, expected) in computed.as_object().unwrap() {
        assert_eq!(
            &committed[part], expected,
            "{part}: a format changed; see this file's head"
        );
    }
    assert_eq!(committed, computed);
}

fn vectors() -> Value {
    let held = Held::new(2, 3);
    let maxima = [0u64, 1, 2, 5, 6, 100, 1_000_000];
    json!({
        "points": points(),
        "digits": maxima.map(|max| json!({ "max": max, "digits": digits(max) })),
        "forms": declarations().iter().map(form).collect::<Vec<_>>(),
        "ceremony": ceremony(&held),
        "contests": contests(&held),
        "opening": opening(&held),
    })
}

fn list<T: AsRef<[u8]>>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(hex::encode).collect()
}

fn points() -> Value {
    let multiple = |number: u64| RistrettoPoint::mul_base(&Scalar::from(number));
    let multiples = (0..16).map(|number| multiple(number).compress().to_bytes());
    json!({ "multiples": list(multiples), "bad": BAD_POINTS })
}

fn bits_text(bits: &[bool]) -> String {
    bits.iter()
        .map(|bit| if *bit { '1' } else { '0' })
        .collect()
}

fn sum(sum: &Option<Sum>) -> Value {
    match sum {
        Some(Sum { min, max, blank }) => {
            json!({ "min": min, "max": max, "blank": format!("{blank:?}") })
        }
        None => Value::Null,
    }
}

/// A declaration, its form, and a ballot with its slots.
fn form(declaration: &Declaration) -> Value {
    let (shape, ballot) = match &declaration.shape {
        Shape::Marks { sum: bounds } => {
            let ballot = match bounds {
                Some(bounds) if bounds.min == 2 => vec![0, 1],
                _ => vec![declaration.options as u8 - 1],
            };
            (json!({ "as": "marks", "sum": sum(bounds) }), ballot)
        }
        Shape::Values { max, sum: bounds } => {
            let ballot = vec![0, 1, 1, 2];
            (
                json!({ "as": "values", "max": max, "sum": sum(bounds) }),
                ballot,
            )
        }
        Shape::Squares { credits } => (json!({ "as": "squares", "credits": credits }), vec![1, 2]),
        Shape::Grades { grades } => (json!({ "as": "grades", "grades": grades }), vec![1, 1]),
    };
    json!({
        "options": declaration.options,
        "shape": shape,
        "bytes": hex::encode(declaration.form().unwrap().to_bytes()),
        "ballot": hex::encode(&ballot),
        "bits": bits_text(&declaration.bits(&ballot).unwrap()),
    })
}

fn ceremony(held: &Held) -> Value {
    let commits = held.commits.iter().map(|commit| {
        json!({
            "encryption_key": hex::encode(commit.encryption_key),
            "pok": hex::encode(commit.pok),
            "coefficients": hex::encode(commit.coefficients),
        })
    });
    let deals = held.deals.iter().map(|deal| {
        json!({
            "coefficients": list(&deal.coefficients),
            "pok": hex::encode(deal.pok),
            "shares": list(&deal.shares),
        })
    });
    // The second dealer cheats the third trustee, who says so.
    let mut cheat = held.deals[1].clone();
    cheat.shares[2][40] ^= 1;
    let dispute = held.trustees[2].dispute(2, &cheat).unwrap();
    dispute
        .check(held.keys.ceremony(), (2, &cheat), (3, &held.commits[2]))
        .unwrap();
    json!({
        "context": hex::encode([7; 32]),
        "threshold": 2,
        "seeds": list([[1; 32], [2; 32], [3; 32]]),
        "commits": commits.collect::<Vec<_>>(),
        "deals": deals.collect::<Vec<_>>(),
        "key": hex::encode(held.keys.key.to_bytes()),
        "share_keys": list((1..=3).map(|index| held.keys.share_key(index).unwrap())),
        "hash": hex::encode(held.keys.hash),
        "dispute": {
            "dealer": 2,
            "trustee": 3,
            "share": hex::encode(cheat.shares[2]),
            "shared": hex::encode(dispute.shared),
            "proof": hex::encode(dispute.proof),
        },
    })
}

/// The declaration, the context, the plain ballot and the weight of each sealed contest; the seed is its number.
fn ballots() -> [(usize, [u8; 32], Vec<u8>, u64); 4] {
    [
        (OPENED, [0x11; 32], vec![0, 2, 3], 1),
        (OPENED, [0x12; 32], vec![], 5),
        (OPENED, [0x13; 32], vec![2], 70_000),
        (SCORED, [0x14; 32], vec![0, 4, 2, 5], 1),
    ]
}

fn contests(held: &Held) -> Vec<Value> {
    let contest =
        |(number, (which, context, ballot, weight)): (usize, (usize, [u8; 32], Vec<u8>, u64))| {
            let declaration = &declarations()[which];
            let (form, bits) = (
                declaration.form().unwrap(),
                declaration.bits(&ballot).unwrap(),
            );
            let seed = [number as u8; 32];
            let bytes = seal(&form, &held.keys.key, context, &bits, seed);
            let sealed = Sealed {
                form: &form,
                context: &context,
                bytes: &bytes,
            };
            verify(&held.keys.key, &[sealed]).unwrap();
            json!({
                "form": which,
                "context": hex::encode(context),
                "ballot": hex::encode(ballot),
                "seed": hex::encode(seed),
                "weight": weight,
                "bytes": hex::encode(bytes),
            })
        };
    ballots().into_iter().enumerate().map(contest).collect()
}

/// The first three contests, summed and opened.
fn opening(held: &Held) -> Value {
    let form = declarations()[OPENED].form().unwrap();
    let mut sums = Sums::new(&form);
    for (contest, (_, _, _, weight)) in contests(held).iter().zip(ballots()).take(3) {
        let bytes = hex::decode(contest["bytes"].as_str().unwrap()).unwrap();
        sums.add(&form, &bytes, weight).unwrap();
    }
    let counters = sums.counters(&form);
    let context = |index: u8| [0x20 + index; 32];
    let openings: Vec<_> = (1..=3)
        .map(|index| held.share(index).open(&counters, &context(index)))
        .collect();
    let factors: Vec<_> = (1..)
        .zip(&openings)
        .map(|(index, opening)| {
            opening
                .check(&held.keys, index, &counters, &context(index))
                .unwrap()
        })
        .collect();
    let table = Logarithms::new(70_006, counters.len());
    let opened = totals(&held.keys, &counters, &factors, &table).unwrap();
    assert_eq!(opened, [1, 0, 70_001, 1, 5]);
    let openings = (1..).zip(&openings).map(|(index, opening)| {
        json!({
            "context": hex::encode(context(index)),
            "factors": list(&opening.factors),
            "proof": hex::encode(opening.proof),
        })
    });
    json!({
        "contests": [0, 1, 2],
        "sums": list(sums.to_bytes()),
        "counters": list(counters.iter().map(|counter| counter.to_bytes())),
        "openings": openings.collect::<Vec<_>>(),
        "totals": opened,
    })
}
