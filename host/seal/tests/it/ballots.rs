//! From a plain ballot to its sealed bytes, and everything that makes those bytes invalid.

use proptest::prelude::*;
use tabella_seal::{
    Key, KeyError,
    declaration::{Blank, Declaration, Shape},
    form::{Form, Range, Slot},
    opening::{Logarithms, totals},
    slots::{NotAdmitted, Refusal, SLOT_BYTES, Sealed, Sealer, ciphertexts, verify},
    sum::{Ciphertext, Sums},
};

use crate::{declarations, drawn, held::Held, key_of, seal, sum};

const CONTEXT: [u8; 32] = [9; 32];

fn verdict(form: &Form, key: &Key, context: &[u8; 32], bytes: &[u8]) -> Result<(), Refusal> {
    let sealed = Sealed {
        form,
        context,
        bytes,
    };
    verify(key, &[sealed])
}

/// The admitted slots of a form that a number picks.
fn picked(form: &Form, number: u64) -> Vec<bool> {
    let slots = form.slots().len();
    let all = (0..1u32 << slots).map(|assignment| {
        let bits = (0..slots).map(|slot| assignment >> slot & 1 == 1);
        bits.collect::<Vec<bool>>()
    });
    let admitted: Vec<_> = all.filter(|bits| form.admits(bits)).collect();
    admitted[(number % admitted.len() as u64) as usize].clone()
}

/// How often the ballot of a number counts.
fn weight(number: u64) -> u64 {
    number % 5 + 1
}

/// What the ballots of these numbers add up to, from their plain bytes.
fn plain_totals(declaration: &Declaration, numbers: &[u64]) -> Vec<u64> {
    let form = declaration.form().unwrap();
    let mut totals = vec![0; form.counters() as usize];
    for number in numbers {
        let ballot = declaration.ballot(&picked(&form, *number)).unwrap();
        let bits = declaration.bits(&ballot).unwrap();
        for (slot, _) in form.slots().iter().zip(bits).filter(|(_, bit)| *bit) {
            if let Slot::Counted {
                counter,
                coefficient,
            } = slot
            {
                totals[*counter as usize] += coefficient * weight(*number);
            }
        }
    }
    totals
}

/// The encrypted totals of the same ballots, each sealed, verified, added, and the sums stored once.
fn sealed_totals(
    declaration: &Declaration,
    key: &Key,
    numbers: &[u64],
    seed: [u8; 32],
) -> Vec<Ciphertext> {
    let form = declaration.form().unwrap();
    let mut sums = Sums::new(&form);
    for (position, number) in numbers.iter().enumerate() {
        let context = [position as u8; 32];
        let bytes = seal(&form, key, context, &picked(&form, *number), seed);
        assert_eq!(bytes.len(), SLOT_BYTES * form.slots().len());
        assert_eq!(verdict(&form, key, &context, &bytes), Ok(()));
        sums.add(&form, &bytes, weight(*number)).unwrap();
    }
    let stored = Sums::from_bytes(&form, &sums.to_bytes()).unwrap();
    assert_eq!(stored, sums);
    stored.counters(&form)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_verifies_and_opens_to_its_plain_counters(
        numbers in prop::collection::vec(any::<u64>(), 1..5), seed: [u8; 32],
    ) {
        let held = Held::new(2, 3);
        let table = Logarithms::new(200, 8);
        for declaration in declarations() {
            let expected = plain_totals(&declaration, &numbers);
            let counters = sealed_totals(&declaration, &held.keys.key, &numbers, seed);
            let factors = [3, 1].map(|index| {
                let opening = held.share(index).open(&counters, &[index; 32]);
                opening.check(&held.keys, index, &counters, &[index; 32]).unwrap()
            });
            let opened = totals(&held.keys, &counters, &factors, &table);
            prop_assert_eq!(opened, Ok(expected), "{:?}", declaration);
        }
    }

    #[test]
    fn a_ballot_holds_in_its_own_context_alone(context: [u8; 32], byte in 0..32usize, change in 1..=255u8) {
        let declaration = &declarations()[2];
        let (form, key) = (declaration.form().unwrap(), key_of(&drawn(1)));
        let bytes = seal(&form, &key, context, &picked(&form, 1), [1; 32]);
        let mut other = context;
        other[byte] ^= change;
        prop_assert_eq!(verdict(&form, &key, &context, &bytes), Ok(()));
        prop_assert_eq!(verdict(&form, &key, &other, &bytes), Err(Refusal::Proof));
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let key = key_of(&drawn(1));
    let mut changes = 0;
    for declaration in declarations() {
        let form = declaration.form().unwrap();
        let slots = form.slots().len();
        if slots > 5 {
            continue;
        }
        let bytes = seal(&form, &key, CONTEXT, &picked(&form, 1), [1; 32]);
        for at in 0..bytes.len() {
            let flips = match slots {
                1 => vec![1, 2, 4, 8, 16, 32, 64, 128, 255],
                _ => vec![1 << (at % 8)],
            };
            for flip in flips {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let verdict = verdict(&form, &key, &CONTEXT, &changed);
                assert!(verdict.is_err(), "{declaration:?}: byte {at} ^ {flip}");
                changes += 1;
            }
        }
    }
    assert!(changes > 7_000, "{changes}");
}

#[test]
fn more_and_fewer_bytes_are_refused() {
    let (form, key) = (declarations()[0].form().unwrap(), key_of(&drawn(1)));
    let bytes = seal(&form, &key, CONTEXT, &[true, false, true], [1; 32]);
    let expected = bytes.len();
    for other in [
        &[][..],
        &bytes[1..],
        &bytes[..288],
        &[&bytes[..], &[0]].concat(),
        &bytes.repeat(2),
    ] {
        let refusal = Refusal::Length {
            expected,
            got: other.len(),
        };
        assert!(refusal.is_malformed());
        assert_eq!(verdict(&form, &key, &CONTEXT, other), Err(refusal));
        assert_eq!(ciphertexts(&form, other).unwrap_err(), refusal);
        assert_eq!(Sums::new(&form).add(&form, other, 1), Err(refusal));
    }
}

/// Encodings that RFC 9496, appendix A.3, lists as bad.
pub(crate) const BAD_POINTS: [&str; 29] = [
    // Fields that are not canonical.
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    // Negative fields.
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    // Squares that are not there.
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    // A negative product of the coordinates.
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    // A coordinate that is 0.
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn bad_points_are_refused_at_every_place_of_a_point() {
    let (form, key) = (declarations()[1].form().unwrap(), key_of(&drawn(1)));
    let bytes = seal(&form, &key, CONTEXT, &[true], [1; 32]);
    for bad in BAD_POINTS {
        let bad = hex::decode(bad).unwrap();
        for place in 0..6 {
            let mut changed = bytes.clone();
            changed[32 * place..][..32].copy_from_slice(&bad);
            let refusal = verdict(&form, &key, &CONTEXT, &changed).unwrap_err();
            assert_eq!(refusal, Refusal::Point { slot: 0 });
        }
        let bad: [u8; 32] = bad.try_into().unwrap();
        assert_eq!(Key::from_bytes(bad), Err(KeyError::NotAPoint));
    }
    assert_eq!(Key::from_bytes([0; 32]), Err(KeyError::Identity));
}

#[test]
fn scalars_beyond_the_order_are_refused_at_every_place_of_a_scalar() {
    let (form, key) = (declarations()[1].form().unwrap(), key_of(&drawn(1)));
    let bytes = seal(&form, &key, CONTEXT, &[true], [1; 32]);
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = hex::decode(order).unwrap();
    for place in 6..9 {
        let answer = &bytes[32 * place..][..32];
        // The same number, and the order more.
        let mut more = vec![];
        let mut carry = 0;
        for (byte, of_order) in answer.iter().zip(&order) {
            let sum = u16::from(*byte) + u16::from(*of_order) + carry;
            more.push(sum as u8);
            carry = sum >> 8;
        }
        for bad in [order.clone(), more, vec![255; 32]] {
            let mut changed = bytes.clone();
            changed[32 * place..][..32].copy_from_slice(&bad);
            let refusal = verdict(&form, &key, &CONTEXT, &changed).unwrap_err();
            assert_eq!(refusal, Refusal::Scalar { slot: 0 });
        }
    }
}

#[test]
fn an_identity_is_refused_at_every_place_of_a_point() {
    let (form, key) = (declarations()[1].form().unwrap(), key_of(&drawn(1)));
    let bytes = seal(&form, &key, CONTEXT, &[true], [1; 32]);
    for place in 0..6 {
        let mut changed = bytes.clone();
        changed[32 * place..][..32].fill(0);
        let refusal = verdict(&form, &key, &CONTEXT, &changed).unwrap_err();
        let expected = match place {
            0 => Refusal::Identity { slot: 0 },
            _ => Refusal::Proof,
        };
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_ballot_for_another_key_or_contest_is_refused() {
    let declaration = &declarations()[3];
    let (form, key) = (declaration.form().unwrap(), key_of(&drawn(1)));
    let bytes = seal(&form, &key, CONTEXT, &picked(&form, 2), [1; 32]);
    assert_eq!(
        verdict(&form, &key_of(&drawn(2)), &CONTEXT, &bytes),
        Err(Refusal::Proof)
    );
    // As many slots, but at most two marks.
    let shape = Shape::Marks {
        sum: sum(0, 2, Blank::Counted),
    };
    let other = Declaration { options: 4, shape }.form().unwrap();
    let other_bytes = seal(&other, &key, CONTEXT, &picked(&other, 2), [1; 32]);
    assert_eq!(verdict(&other, &key, &CONTEXT, &other_bytes), Ok(()));
    assert!(verdict(&form, &key, &CONTEXT, &other_bytes).is_err());
}

#[test]
fn ballots_are_verified_together_and_one_bad_one_is_noticed() {
    let key = key_of(&drawn(1));
    let forms: Vec<Form> = declarations().iter().map(|of| of.form().unwrap()).collect();
    let contexts: Vec<[u8; 32]> = (0..forms.len()).map(|at| [at as u8; 32]).collect();
    let seal =
        |(form, context): (&Form, &[u8; 32])| seal(form, &key, *context, &picked(form, 3), [1; 32]);
    let bytes: Vec<Vec<u8>> = forms.iter().zip(&contexts).map(seal).collect();
    let mut all: Vec<Sealed<'_>> = forms
        .iter()
        .zip(&contexts)
        .zip(&bytes)
        .map(|((form, context), bytes)| Sealed {
            form,
            context,
            bytes,
        })
        .collect();
    assert_eq!(verify(&key, &all), Ok(()));
    assert_eq!(verify(&key, &[]), Ok(()));
    for at in 0..all.len() {
        let right = all[at].context;
        all[at].context = &[99; 32];
        assert_eq!(verify(&key, &all), Err(Refusal::Proof));
        all[at].context = right;
    }
}

#[test]
fn bits_that_are_not_a_ballot_are_not_sealed() {
    let (form, key) = (declarations()[6].form().unwrap(), key_of(&drawn(1)));
    let sealer = Sealer::new(&form, &key);
    for bits in [&[true; 3][..], &[true; 2], &[false; 3], &[]] {
        assert_eq!(sealer.seal(&CONTEXT, bits, &[1; 32]), Err(NotAdmitted));
    }
}

/// The α of each slot.
fn alphas(bytes: &[u8], slots: usize) -> Vec<&[u8]> {
    bytes
        .chunks(64)
        .take(slots)
        .map(|pair| &pair[..32])
        .collect()
}

/// The first commitment of each slot.
fn commitments(bytes: &[u8], slots: usize) -> Vec<&[u8]> {
    let all = bytes[64 * slots..].chunks(128).take(slots);
    all.map(|commitments| &commitments[..32]).collect()
}

#[test]
fn a_seed_that_is_used_twice_shares_no_randomness() {
    let [first, second] = [drawn(1), drawn(2)].map(|secret| key_of(&secret));
    let form = |terms: &[(u32, u64)]| {
        let slot = Slot::Counted {
            counter: 0,
            coefficient: 1,
        };
        let range = Range {
            terms: terms.into(),
            total: 1,
        };
        Form::new(1, vec![slot; 3], vec![range]).unwrap()
    };
    let (all, two) = (form(&[(0, 1), (1, 1), (2, 1)]), form(&[(0, 1), (2, 1)]));
    let bits = [true, false, false];
    let base = seal(&all, &first, CONTEXT, &bits, [1; 32]);
    assert_eq!(
        base,
        seal(&all, &first, CONTEXT, &bits, [1; 32]),
        "the same inputs"
    );
    let others = [
        (
            "vote",
            seal(&all, &first, CONTEXT, &[false, true, false], [1; 32]),
        ),
        ("context", seal(&all, &first, [8; 32], &bits, [1; 32])),
        ("key", seal(&all, &second, CONTEXT, &bits, [1; 32])),
        ("form", seal(&two, &first, CONTEXT, &bits, [1; 32])),
        ("seed", seal(&all, &first, CONTEXT, &bits, [2; 32])),
    ];
    for (what, other) in others {
        let shares = |own: Vec<&[u8]>, its: Vec<&[u8]>| own.iter().any(|point| its.contains(point));
        assert!(
            !shares(alphas(&base, 3), alphas(&other, 3)),
            "randomness for another {what}"
        );
        assert!(
            !shares(commitments(&base, 3), commitments(&other, 3)),
            "nonces for another {what}"
        );
    }
}

#[test]
fn only_seed_and_vote_together_open_a_ballot() {
    let (form, key) = (declarations()[0].form().unwrap(), key_of(&drawn(1)));
    let sealer = Sealer::new(&form, &key);
    let bits = [true, false, true];
    let bytes = sealer.seal(&CONTEXT, &bits, &[1; 32]).unwrap();
    assert!(sealer.opens(&CONTEXT, &bits, &[1; 32], &bytes));
    assert!(!sealer.opens(&CONTEXT, &bits, &[2; 32], &bytes));
    assert!(!sealer.opens(&CONTEXT, &[true, true, true], &[1; 32], &bytes));
    assert!(!sealer.opens(&[8; 32], &bits, &[1; 32], &bytes));
    assert!(!sealer.opens(&CONTEXT, &bits, &[1; 32], &bytes[1..]));
}

#[test]
fn a_ballot_that_is_taken_out_of_a_sum_leaves_nothing() {
    let (form, key) = (declarations()[8].form().unwrap(), key_of(&drawn(1)));
    let bytes = |number| seal(&form, &key, CONTEXT, &picked(&form, number), [1; 32]);
    let mut sums = Sums::new(&form);
    sums.add(&form, &bytes(3), 1).unwrap();
    let before = sums.clone();
    sums.add(&form, &bytes(4), 70_000).unwrap();
    assert_ne!(sums, before);
    sums.subtract(&form, &bytes(4), 70_000).unwrap();
    assert_eq!(sums.to_bytes(), before.to_bytes());
    let mut by_ones = Sums::new(&form);
    (0..5).for_each(|_| by_ones.add(&form, &bytes(4), 1).unwrap());
    let mut at_once = Sums::new(&form);
    at_once.add(&form, &bytes(4), 5).unwrap();
    assert_eq!(by_ones, at_once);
    before
        .to_bytes()
        .iter()
        .for_each(|sum| assert_eq!(sum.len(), 64));
    let mut merged = before.clone();
    merged.merge(&at_once);
    at_once.add(&form, &bytes(3), 1).unwrap();
    assert_eq!(merged, at_once);
    assert_eq!(Sums::from_bytes(&form, &before.to_bytes()[1..]), None);
    assert_eq!(Sums::from_bytes(&form, &vec![[255; 64]; 9]), None);
}
