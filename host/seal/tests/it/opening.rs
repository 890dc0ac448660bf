//! Any `threshold` trustees open, fewer cannot, and a trustee that lies about its factors is refused.

use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT as G,
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
};
use sha2::{Digest, Sha512};
use tabella_seal::{
    declaration::{Declaration, Shape},
    form::{COUNTER_TOTAL_MAX, Form},
    opening::{Factors, Logarithms, Opening, OpeningError, totals},
    sum::{Ciphertext, Sums},
};

use crate::{
    drawn,
    held::{Held, derived},
    seal,
};

const CONTEXT: [u8; 32] = [5; 32];

fn form(options: u32) -> Form {
    let shape = Shape::Marks { sum: None };
    Declaration { options, shape }.form().unwrap()
}

/// The counters of ballots that were added with a weight each.
fn counted(held: &Held, ballots: &[(&[bool], u64)]) -> Vec<Ciphertext> {
    let form = form(ballots[0].0.len() as u32);
    let mut sums = Sums::new(&form);
    for (at, (bits, weight)) in ballots.iter().enumerate() {
        let bytes = seal(&form, &held.keys.key, [at as u8; 32], bits, [1; 32]);
        sums.add(&form, &bytes, *weight).unwrap();
    }
    sums.counters(&form)
}

fn factors(held: &Held, index: u8, counters: &[Ciphertext]) -> Factors {
    let opening = held.share(index).open(counters, &CONTEXT);
    opening
        .check(&held.keys, index, counters, &CONTEXT)
        .unwrap()
}

/// A total encrypted to the key of a ceremony.
fn encrypted(held: &Held, total: u64) -> Ciphertext {
    let key = CompressedRistretto(held.keys.key.to_bytes())
        .decompress()
        .unwrap();
    of_points(drawn(3) * G, drawn(3) * key + Scalar::from(total) * G)
}

fn of_points(alpha: RistrettoPoint, beta: RistrettoPoint) -> Ciphertext {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(alpha.compress().as_bytes());
    bytes[32..].copy_from_slice(beta.compress().as_bytes());
    Ciphertext::from_bytes(&bytes).unwrap()
}

#[test]
fn any_three_of_five_open_and_no_two_do() {
    let held = Held::new(3, 5);
    let counters = counted(
        &held,
        &[
            (&[true, false], 1),
            (&[true, true], 4),
            (&[false, false], 2),
        ],
    );
    let table = Logarithms::new(7, 2);
    let all: Vec<Factors> = (1..=5)
        .map(|index| factors(&held, index, &counters))
        .collect();
    let mut subsets = [0, 0];
    for chosen in 0..32u32 {
        let some: Vec<Factors> = (0..5)
            .filter(|at| chosen >> at & 1 == 1)
            .map(|at| all[at].clone())
            .collect();
        let opened = totals(&held.keys, &counters, &some, &table);
        match some.len() {
            got @ 0..3 => {
                assert_eq!(opened, Err(OpeningError::TooFew { expected: 3, got }));
                subsets[0] += 1;
            }
            _ => {
                assert_eq!(opened, Ok(vec![5, 4]));
                subsets[1] += 1;
            }
        }
    }
    assert_eq!(subsets, [16, 16]);
    let twice = [all[0].clone(), all[0].clone(), all[1].clone()];
    let opened = totals(&held.keys, &counters, &twice, &table);
    assert_eq!(
        opened,
        Err(OpeningError::TooFew {
            expected: 3,
            got: 2
        })
    );
}

#[test]
fn what_fewer_trustees_interpolate_is_not_the_total() {
    // The same shares, taken for those of a ceremony with a lower threshold.
    let held = Held::new(3, 5);
    let counters = counted(&held, &[(&[true], 1)]);
    let points: Vec<RistrettoPoint> = (1..=3u8)
        .map(|index| {
            let opening = held.share(index).open(&counters, &CONTEXT);
            CompressedRistretto(opening.factors[0])
                .decompress()
                .unwrap()
        })
        .collect();
    let beta = counters[0].to_bytes();
    let beta = CompressedRistretto::from_slice(&beta[32..])
        .unwrap()
        .decompress()
        .unwrap();
    let at_zero = |indices: &[u64]| -> RistrettoPoint {
        let weight = |at: u64| {
            let others = indices.iter().filter(|other| **other != at);
            let ratio = others.map(|other| {
                let (other, at) = (Scalar::from(*other), Scalar::from(at));
                other * (other - at).invert()
            });
            ratio.product::<Scalar>()
        };
        indices
            .iter()
            .map(|at| weight(*at) * points[*at as usize - 1])
            .sum()
    };
    assert_eq!(beta - at_zero(&[1, 2, 3]), G);
    for few in [&[1][..], &[2], &[1, 2], &[1, 3], &[2, 3]] {
        let value = beta - at_zero(few);
        assert!(
            (0..1_000u64).all(|small| value != Scalar::from(small) * G),
            "{few:?}"
        );
    }
}

#[test]
fn an_opening_holds_for_its_trustee_its_totals_and_its_context() {
    let held = Held::new(2, 3);
    let counters = counted(&held, &[(&[true, false], 1)]);
    let opening = held.share(2).open(&counters, &CONTEXT);
    assert!(opening.check(&held.keys, 2, &counters, &CONTEXT).is_ok());
    let refused = |opening: &Opening, index, counters: &[Ciphertext], context: &[u8; 32]| {
        opening
            .check(&held.keys, index, counters, context)
            .unwrap_err()
    };
    let proof = |index| OpeningError::Proof { index };
    assert_eq!(refused(&opening, 1, &counters, &CONTEXT), proof(1));
    assert_eq!(refused(&opening, 2, &counters, &[6; 32]), proof(2));
    assert_eq!(
        refused(&opening, 4, &counters, &CONTEXT),
        OpeningError::UnknownTrustee { index: 4 }
    );
    assert_eq!(
        refused(&opening, 0, &counters, &CONTEXT),
        OpeningError::UnknownTrustee { index: 0 }
    );
    let swapped = [counters[1], counters[0]];
    assert_eq!(refused(&opening, 2, &swapped, &CONTEXT), proof(2));
    let other = counted(&held, &[(&[true, true], 1)]);
    assert_eq!(refused(&opening, 2, &other, &CONTEXT), proof(2));
    let count = OpeningError::Count {
        expected: 1,
        got: 2,
    };
    assert_eq!(refused(&opening, 2, &counters[..1], &CONTEXT), count);
    let mut changed = opening.clone();
    changed.factors[0] = [255; 32];
    assert_eq!(
        refused(&changed, 2, &counters, &CONTEXT),
        OpeningError::Point { index: 2 }
    );
    for at in 0..64 {
        let mut changed = opening.clone();
        changed.proof[at] ^= 1;
        assert_eq!(refused(&changed, 2, &counters, &CONTEXT), proof(2));
    }
    let mut changed = opening;
    changed.factors.swap(0, 1);
    assert_eq!(refused(&changed, 2, &counters, &CONTEXT), proof(2));
}

#[test]
fn garbage_of_one_trustee_does_not_stop_the_others() {
    let held = Held::new(2, 3);
    let counters = counted(&held, &[(&[true, false], 3), (&[true, true], 1)]);
    let garbage = Opening {
        factors: vec![[0; 32]; 2],
        proof: [1; 64],
    };
    let refused = garbage.check(&held.keys, 1, &counters, &CONTEXT);
    assert_eq!(refused, Err(OpeningError::Proof { index: 1 }));
    let others = [2, 3].map(|index| factors(&held, index, &counters));
    assert_eq!(
        totals(&held.keys, &counters, &others, &Logarithms::new(4, 2)),
        Ok(vec![4, 1])
    );
}

/// A challenge that covers these points alone.
fn challenge(points: &[RistrettoPoint]) -> Scalar {
    let mut hash = Sha512::new_with_prefix("tabella/seal/factors/v1").chain_update(CONTEXT);
    for point in points {
        hash.update(point.compress().as_bytes());
    }
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

#[test]
fn a_challenge_without_the_totals_would_let_a_trustee_and_the_last_voter_move_them() {
    // One trustee, whose share is the secret; 20 votes, of which it wants to show 35.
    let held = Held::new(1, 1);
    let secret = secret_of_one();
    let key = secret * G;
    assert_eq!(key.compress().to_bytes(), held.keys.key.to_bytes());
    let before = encrypted(&held, 20);
    let bytes = before.to_bytes();
    let [alpha, beta] = [0, 32].map(|at| {
        CompressedRistretto::from_slice(&bytes[at..][..32])
            .unwrap()
            .decompress()
            .unwrap()
    });
    // The commitments first, then the last ballot: a blank one with randomness r.
    let (w, extra) = (drawn(8), drawn(9));
    let (a, b) = (w * G, w * alpha + extra * G);
    let weak = challenge(&[key, a, b]);
    let shift = -Scalar::from(15u8);
    let r = (extra + shift * weak) * w.invert();
    let (alpha, beta) = (alpha + r * G, beta + r * key);
    let factor = secret * alpha + shift * G;
    let answer = w + weak * secret;
    // A verifier whose challenge leaves the totals and the factors out takes it, and shows 35.
    assert_eq!(answer * G, a + weak * key);
    assert_eq!(answer * alpha, b + weak * factor);
    assert_eq!(beta - factor, Scalar::from(35u8) * G);
    let mut proof = [0; 64];
    proof[..32].copy_from_slice(weak.as_bytes());
    proof[32..].copy_from_slice(answer.as_bytes());
    let opening = Opening {
        factors: vec![factor.compress().to_bytes()],
        proof,
    };
    let counters = [of_points(alpha, beta)];
    let refused = opening.check(&held.keys, 1, &counters, &CONTEXT);
    assert_eq!(refused, Err(OpeningError::Proof { index: 1 }));
    let honest = [factors(&held, 1, &counters)];
    assert_eq!(
        totals(&held.keys, &counters, &honest, &Logarithms::new(40, 1)),
        Ok(vec![20])
    );
}

/// The secret of the key of `Held::new(1, 1)`: the constant of its one polynomial.
fn secret_of_one() -> Scalar {
    derived(1, (1, 1), "coefficient")
}

/// The coefficients of the one proof, with the factors in them or, as a weak twin has them, without.
fn composite(
    key: &RistrettoPoint,
    alphas: &[RistrettoPoint],
    factors: &[RistrettoPoint],
) -> [Scalar; 2] {
    let mut hash = Sha512::new_with_prefix("tabella/seal/composite/v1");
    hash.update(CONTEXT);
    hash.update(key.compress().as_bytes());
    hash.update(2u32.to_le_bytes());
    for point in alphas.iter().chain(factors) {
        hash.update(point.compress().as_bytes());
    }
    let hash = hash.finalize();
    [0, 1u32].map(|number| {
        let hash = Sha512::new_with_prefix("tabella/seal/composite/v1").chain_update(hash);
        let hash = hash.chain_update(number.to_le_bytes());
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    })
}

#[test]
fn coefficients_that_leave_the_factors_out_would_let_errors_cancel() {
    let held = Held::new(1, 1);
    let secret = secret_of_one();
    let key = secret * G;
    let alphas = [drawn(2) * G, drawn(3) * G];
    let counters = alphas.map(|alpha| of_points(alpha, secret * alpha));
    let prove = |factors: &[RistrettoPoint], [first, second]: [Scalar; 2]| {
        let (m, z) = (
            first * alphas[0] + second * alphas[1],
            first * factors[0] + second * factors[1],
        );
        let nonce = drawn(4);
        let mut hash = Sha512::new_with_prefix("tabella/seal/factors/v1").chain_update(CONTEXT);
        for point in [key, m, z, nonce * G, nonce * m] {
            hash.update(point.compress().as_bytes());
        }
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(challenge.as_bytes());
        proof[32..].copy_from_slice((nonce + challenge * secret).as_bytes());
        // The proof is of Z = x M, whatever it is for.
        assert_eq!(z, secret * m);
        Opening {
            factors: factors
                .iter()
                .map(|factor| factor.compress().to_bytes())
                .collect(),
            proof,
        }
    };
    let honest = alphas.map(|alpha| secret * alpha);
    let opening = prove(&honest, composite(&key, &alphas, &honest));
    assert!(
        opening.check(&held.keys, 1, &counters, &CONTEXT).is_ok(),
        "written as the document says"
    );
    // Known before the factors are chosen, the coefficients let one error pay for the other.
    let [first, second] = composite(&key, &alphas, &[]);
    let wrong = [honest[0] - second * G, honest[1] + first * G];
    let opening = prove(&wrong, [first, second]);
    let refused = opening.check(&held.keys, 1, &counters, &CONTEXT);
    assert_eq!(refused, Err(OpeningError::Proof { index: 1 }));
}

#[test]
fn openings_of_two_boards_share_no_nonce() {
    let held = Held::new(1, 1);
    let secret = secret_of_one();
    let nonce = |counters: &[Ciphertext], context: &[u8; 32]| {
        let proof = held.share(1).open(counters, context).proof;
        let read = |half: &[u8]| Scalar::from_canonical_bytes(half.try_into().unwrap()).unwrap();
        read(&proof[32..]) - read(&proof[..32]) * secret
    };
    let (one, two) = ([encrypted(&held, 1)], [encrypted(&held, 2)]);
    let other = [of_points(drawn(8) * G, drawn(9) * G)];
    assert_eq!(
        nonce(&one, &CONTEXT),
        nonce(&two, &CONTEXT),
        "β is not in what is proven"
    );
    assert_ne!(nonce(&one, &CONTEXT), nonce(&other, &CONTEXT));
    assert_ne!(nonce(&one, &CONTEXT), nonce(&one, &[6; 32]));
}

#[test]
fn totals_are_found_up_to_their_bound_and_not_beyond() {
    let held = Held::new(1, 1);
    let share = held.share(1);
    let opened = |total: u64, table: &Logarithms| {
        let counters = [encrypted(&held, total)];
        let opening = share.open(&counters, &CONTEXT);
        let factors = opening.check(&held.keys, 1, &counters, &CONTEXT).unwrap();
        totals(&held.keys, &counters, &[factors], table)
    };
    let beyond = Err(OpeningError::OutOfReach { counter: 0 });
    for bound in [0, 1, 2, 3, 7, 8, 9, 255, 1_000, 65_536, 100_003] {
        for counters in [0, 1, 10, 1_000_000] {
            let table = Logarithms::new(bound, counters);
            for total in [0, 1, bound / 2, bound.saturating_sub(1), bound] {
                if total <= bound {
                    assert_eq!(opened(total, &table), Ok(vec![total]), "{total} of {bound}");
                }
            }
            for total in [bound + 1, bound + 2, 2 * bound + 3, bound + 100_000] {
                assert_eq!(opened(total, &table), beyond, "{total} of {bound}");
            }
        }
    }
    let table = Logarithms::new(300, 1);
    (0..=300).for_each(|total| assert_eq!(opened(total, &table), Ok(vec![total])));
    // Negative totals, which sums of honest ballots never have.
    let negative = [of_points(drawn(3) * G, drawn(3) * secret_of_one() * G - G)];
    let factors = factors(&held, 1, &negative);
    assert_eq!(totals(&held.keys, &negative, &[factors], &table), beyond);
}

#[test]
fn the_largest_total_is_found() {
    let held = Held::new(1, 1);
    let table = Logarithms::new(u64::MAX, 1);
    for (total, expected) in [
        (COUNTER_TOTAL_MAX, Ok(vec![COUNTER_TOTAL_MAX])),
        (
            COUNTER_TOTAL_MAX + 1,
            Err(OpeningError::OutOfReach { counter: 0 }),
        ),
    ] {
        let counters = [encrypted(&held, total)];
        let factors = [factors(&held, 1, &counters)];
        assert_eq!(totals(&held.keys, &counters, &factors, &table), expected);
    }
}

#[test]
fn a_board_without_ballots_opens_to_zeros() {
    let held = Held::new(2, 3);
    let counters = Sums::new(&form(3)).counters(&form(3));
    let factors = [1, 2].map(|index| factors(&held, index, &counters));
    let opened = totals(&held.keys, &counters, &factors, &Logarithms::new(0, 3));
    assert_eq!(opened, Ok(vec![0; 3]));
}
