//! Provers that cheat. Each attack is taken by the twin that lacks one defence, and refused by the library.

use curve25519_dalek::{constants::RISTRETTO_BASEPOINT_POINT as G, scalar::Scalar};
use tabella_seal::{
    Key,
    declaration::{Blank, Declaration, Shape, Sum},
    form::Form,
    slots::{Refusal, Sealed, verify},
};

use crate::{
    drawn, key_of, seal,
    twin::{Claim, Parts, Twin, Without, bytes_of, point},
};

const CONTEXT: [u8; 32] = [9; 32];

fn twin(without: Without, key: &Key) -> Twin {
    Twin {
        without,
        key: point(key),
        context: CONTEXT,
    }
}

fn open_form(options: u32) -> Form {
    let shape = Shape::Marks { sum: None };
    Declaration { options, shape }.form().expect("a form")
}

/// Three options of which one to two are marked: four slots.
fn bounded_form() -> Form {
    let sum = Sum {
        min: 1,
        max: 2,
        blank: Blank::NotCounted,
    };
    let shape = Shape::Marks { sum: Some(sum) };
    Declaration { options: 3, shape }.form().expect("a form")
}

/// Checks that the attack works without the defence, that the whole twin refuses it, and that the library does.
fn check(without: Without, key: &Key, form: &Form, bytes: &[u8], expected: Refusal) {
    assert!(
        twin(without, key).accepts(form, bytes),
        "the attack fails without {without:?}"
    );
    assert!(
        !twin(Without::Nothing, key).accepts(form, bytes),
        "the whole twin takes it"
    );
    let sealed = Sealed {
        form,
        context: &CONTEXT,
        bytes,
    };
    assert_eq!(verify(key, &[sealed]), Err(expected), "{without:?}");
}

#[test]
fn the_twin_and_the_library_agree_on_what_is_honest() {
    let key = key_of(&drawn(1));
    for (form, bits) in [
        (open_form(2), vec![true, false]),
        (bounded_form(), vec![true, false, true, false]),
    ] {
        let bytes = seal(&form, &key, CONTEXT, &bits, [1; 32]);
        assert!(twin(Without::Nothing, &key).accepts(&form, &bytes));
        let value = |bit: bool| Scalar::from(u8::from(bit));
        let claims: Vec<Claim> = bits
            .iter()
            .zip(10..)
            .map(|(bit, number)| Claim::of(&point(&key), value(*bit), drawn(number)))
            .collect();
        let by_twin = bytes_of(&twin(Without::Nothing, &key).prove(&claims));
        let open = open_form(bits.len() as u32);
        let sealed = Sealed {
            form: &open,
            context: &CONTEXT,
            bytes: &by_twin,
        };
        assert_eq!(verify(&key, &[sealed]), Ok(()));
    }
}

#[test]
fn a_challenge_without_the_ciphertexts_lets_any_value_in() {
    // Bernhard, Pereira and Warinschi, "How not to prove yourself", 2012: commitments first, the ciphertext after.
    let key = key_of(&drawn(1));
    let twin = twin(Without::Statement, &key);
    let (y, [t1, t2, t3, r]) = (point(&key), [2, 3, 4, 5].map(drawn));
    let commitments = [t1 * G, t1 * y + t2 * G, t3 * G, t3 * y];
    let c = twin.challenges(&[[G, G]], &[commitments])[0];
    let value = Scalar::ONE - t2 * c.invert();
    let parts = Parts {
        pair: [r * G, r * y + value * G],
        commitments,
        answers: [c, t1 + c * r, t3],
    };
    assert!(
        (0..10_000u32).all(|small| value != Scalar::from(small)),
        "no vote has that value"
    );
    check(
        Without::Statement,
        &key,
        &open_form(1),
        &bytes_of(&[parts]),
        Refusal::Proof,
    );
}

#[test]
fn a_challenge_without_the_key_lets_a_key_be_made_for_a_ballot() {
    let [beta, t2, wr, r] = [2, 3, 4, 5].map(drawn);
    let zero = Scalar::ZERO;
    let pair = [r * G, beta * G];
    let commitments = [wr * G, t2 * G, zero * G, zero * G];
    // The twin needs some key; without it in the challenge, any.
    let before = twin(Without::Key, &key_of(&drawn(1)));
    let c = before.challenges(&[pair], &[commitments])[0];
    let zr = wr + c * r;
    let secret = (t2 + c * (beta - Scalar::ONE)) * zr.invert();
    let parts = Parts {
        pair,
        commitments,
        answers: [c, zr, zero],
    };
    check(
        Without::Key,
        &key_of(&secret),
        &open_form(1),
        &bytes_of(&[parts]),
        Refusal::Proof,
    );
}

#[test]
fn a_challenge_without_the_context_lets_a_ballot_be_copied() {
    let key = key_of(&drawn(1));
    let claim = Claim::of(&point(&key), Scalar::ONE, drawn(2));
    let of_another_voter = Twin {
        context: [8; 32],
        ..twin(Without::Context, &key)
    };
    let bytes = bytes_of(&of_another_voter.prove(&[claim]));
    check(
        Without::Context,
        &key,
        &open_form(1),
        &bytes,
        Refusal::Proof,
    );
}

#[test]
fn a_challenge_for_each_slot_lets_slots_be_permuted() {
    let key = key_of(&drawn(1));
    let claims = [Scalar::ONE, Scalar::ZERO].map(|value| Claim::of(&point(&key), value, drawn(2)));
    let mut slots = twin(Without::OneChallenge, &key).prove(&claims);
    slots.reverse();
    check(
        Without::OneChallenge,
        &key,
        &open_form(2),
        &bytes_of(&slots),
        Refusal::Proof,
    );
}

#[test]
fn each_of_the_four_equations_is_needed() {
    let (secret, r) = (drawn(1), drawn(2));
    let key = key_of(&secret);
    let y = point(&key);
    let seven = Scalar::from(7u8);
    let one = Claim::of(&y, Scalar::ONE, r);
    let claims = [
        // α is not that of the randomness: nothing that is opened is a number.
        Claim {
            alpha: drawn(3) * G,
            ..one
        },
        // β holds a seven.
        Claim {
            beta: r * y + seven * G,
            ..one
        },
        // A seven, by somebody who knows the election's secret.
        Claim {
            t: (Scalar::ONE - seven) * (r + seven * secret.invert()),
            ..Claim::of(&y, seven, r)
        },
        // A seven.
        Claim::of(&y, seven, r),
    ];
    for (number, claim) in (1..).zip(claims) {
        let without = Without::Equation(number);
        let bytes = bytes_of(&twin(without, &key).prove(&[claim]));
        check(without, &key, &open_form(1), &bytes, Refusal::Proof);
    }
}

#[test]
fn a_ciphertext_without_randomness_is_refused() {
    let key = key_of(&drawn(1));
    let claim = Claim::of(&point(&key), Scalar::ONE, Scalar::ZERO);
    let bytes = bytes_of(&twin(Without::Identity, &key).prove(&[claim]));
    check(
        Without::Identity,
        &key,
        &open_form(1),
        &bytes,
        Refusal::Identity { slot: 0 },
    );
}

#[test]
fn errors_that_cancel_each_other_are_refused() {
    let key = key_of(&drawn(1));
    let claims = [1u8, 0].map(|value| Claim::of(&point(&key), value.into(), drawn(2)));
    let slots = twin(Without::Coefficients, &key).prove_shifted(&claims, &[drawn(3), -drawn(3)]);
    check(
        Without::Coefficients,
        &key,
        &open_form(2),
        &bytes_of(&slots),
        Refusal::Proof,
    );
}

/// A ballot of the bounded form with these slots, whose randomness adds up to `of_range`.
fn ranged(without: Without, key: &Key, values: [u8; 4], of_range: Scalar) -> Vec<u8> {
    let form = bounded_form();
    let range = &form.ranges()[0];
    let (last, fresh) = range.terms.split_last().expect("terms");
    assert_eq!(last.1, 1);
    let mut randomness = [2, 3, 4, 5].map(drawn);
    let sum: Scalar = fresh
        .iter()
        .map(|(slot, k)| Scalar::from(*k) * randomness[*slot as usize])
        .sum();
    randomness[last.0 as usize] = of_range - sum;
    let slots = values.into_iter().zip(randomness);
    let claims: Vec<Claim> = slots
        .map(|(value, r)| Claim::of(&point(key), value.into(), r))
        .collect();
    bytes_of(&twin(without, key).prove(&claims))
}

#[test]
fn a_sum_above_or_below_its_range_is_refused() {
    let key = key_of(&drawn(1));
    let form = bounded_form();
    assert_eq!(form.slots().len(), 4);
    let without = Without::RangeOfValues;
    // Too many marks, too few, and slack that does not fit.
    for values in [
        [1, 1, 1, 0],
        [1, 1, 1, 1],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
        [1, 1, 0, 1],
    ] {
        let bytes = ranged(without, &key, values, Scalar::ZERO);
        check(without, &key, &form, &bytes, Refusal::Proof);
    }
    let honest = ranged(without, &key, [0, 1, 0, 1], Scalar::ZERO);
    assert!(twin(Without::Nothing, &key).accepts(&form, &honest));
}

#[test]
fn who_knows_the_secret_cannot_move_a_sum_by_randomness() {
    let secret = drawn(1);
    let key = key_of(&secret);
    let form = bounded_form();
    let without = Without::RangeOfRandomness;
    for values in [[1, 1, 1, 0], [0, 0, 0, 0]] {
        let sum: u8 = values.iter().sum();
        let missing = Scalar::from(2u8) - Scalar::from(sum);
        let bytes = ranged(without, &key, values, missing * secret.invert());
        check(without, &key, &form, &bytes, Refusal::Proof);
    }
}
