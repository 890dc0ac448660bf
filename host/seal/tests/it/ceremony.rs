//! Dealers who cheat, complaints that lie, and who can open what.

use curve25519_dalek::{
    constants::RISTRETTO_BASEPOINT_POINT as G,
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::Identity,
};
use sha2::{Digest, Sha512};
use tabella_seal::ceremony::{Ceremony, CeremonyError, Commit, Deal, Keys, TRUSTEES_MAX, Trustee};

use crate::{
    drawn,
    held::{Held, derived},
};

fn decoded(bytes: [u8; 32]) -> RistrettoPoint {
    CompressedRistretto(bytes).decompress().unwrap()
}

fn encoded(point: RistrettoPoint) -> [u8; 32] {
    point.compress().to_bytes()
}

/// A proof of knowledge as docs/sealed.md describes it.
fn knowledge(tag: &str, index: u32, secret: Scalar) -> [u8; 64] {
    let (public, nonce) = (encoded(secret * G), drawn(77));
    let commitment = encoded(nonce * G);
    let hash = Sha512::new_with_prefix(tag)
        .chain_update([7; 32])
        .chain_update(index.to_le_bytes())
        .chain_update(public)
        .chain_update(commitment);
    let answer = nonce + Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * secret;
    let mut proof = [0; 64];
    proof[..32].copy_from_slice(&commitment);
    proof[32..].copy_from_slice(&answer.to_bytes());
    proof
}

#[test]
fn a_ceremony_has_one_to_sixteen_trustees_and_a_threshold_among_them() {
    for (threshold, trustees) in [(0, 0), (0, 1), (2, 1), (1, TRUSTEES_MAX + 1), (255, 255)] {
        let refused = CeremonyError::Threshold {
            threshold,
            trustees,
        };
        assert_eq!(Ceremony::new([7; 32], threshold, trustees), Err(refused));
    }
    for (threshold, trustees) in [(1, 1), (1, 16), (16, 16)] {
        let held = Held::new(threshold, trustees);
        assert!((1..=trustees).all(|index| held.share(index).fits(&held.keys)));
    }
    let ceremony = Ceremony::new([7; 32], 2, 3).unwrap();
    for index in [0, 4, 255] {
        let refused = Trustee::new(&[1; 32], &ceremony, index).err();
        assert_eq!(refused, Some(CeremonyError::UnknownTrustee { index }));
    }
}

#[test]
fn the_key_is_the_sum_of_the_first_coefficients_and_shares_lie_on_the_sum_of_polynomials() {
    let held = Held::new(3, 5);
    let first = held.deals.iter().map(|deal| decoded(deal.coefficients[0]));
    assert_eq!(held.keys.key.to_bytes(), encoded(first.sum()));
    for index in 1..=5u8 {
        let at = Scalar::from(index);
        let value = held.deals.iter().map(|deal| {
            let [a, b, c] = [0, 1, 2].map(|k| decoded(deal.coefficients[k]));
            a + at * b + at * at * c
        });
        assert_eq!(held.keys.share_key(index), Some(encoded(value.sum())));
        assert!(held.share(index).fits(&held.keys));
    }
    assert_eq!(held.keys.share_key(0), None);
    assert_eq!(held.keys.share_key(6), None);
}

#[test]
fn a_share_of_another_trustee_or_ceremony_does_not_fit() {
    let (held, other) = (Held::new(2, 3), Held::new(3, 3));
    assert!(!held.share(1).fits(&other.keys));
    let foreign = Trustee::new(&[9; 32], held.keys.ceremony(), 1).unwrap();
    let share = foreign.share(&held.commits, &held.deals).err();
    assert_eq!(share, Some(CeremonyError::Share { dealer: 1 }));
}

#[test]
fn the_hash_of_the_key_covers_every_byte_of_the_ceremony() {
    let held = Held::new(2, 3);
    let again = Keys::new(held.keys.ceremony(), &held.commits, &held.deals).unwrap();
    assert_eq!(again.hash, held.keys.hash);
    // A share may be any bytes beside a point: nobody but its recipient can tell.
    let mut deals = held.deals.clone();
    deals[2].shares[1][63] ^= 1;
    let changed = Keys::new(held.keys.ceremony(), &held.commits, &deals).unwrap();
    assert_eq!(changed.key, held.keys.key);
    assert_ne!(changed.hash, held.keys.hash);
}

#[test]
fn commits_of_others_and_of_other_ceremonies_are_refused() {
    let held = Held::new(2, 3);
    let commit = &held.commits[0];
    assert_eq!(commit.check(held.keys.ceremony(), 1), Ok(()));
    assert_eq!(
        commit.check(held.keys.ceremony(), 2),
        Err(CeremonyError::Knowledge { index: 2 })
    );
    let foreign = Ceremony::new([8; 32], 2, 3).unwrap();
    assert_eq!(
        commit.check(&foreign, 1),
        Err(CeremonyError::Knowledge { index: 1 })
    );
    for bad in [[0; 32], [255; 32]] {
        let mut changed = commit.clone();
        changed.encryption_key = bad;
        assert_eq!(
            changed.check(held.keys.ceremony(), 1),
            Err(CeremonyError::Point { index: 1 })
        );
    }
    for at in 0..64 {
        let mut changed = commit.clone();
        changed.pok[at] ^= 1;
        assert_eq!(
            changed.check(held.keys.ceremony(), 1),
            Err(CeremonyError::Knowledge { index: 1 })
        );
    }
}

#[test]
fn a_proof_for_the_encryption_key_is_none_for_the_election_key() {
    let held = Held::new(2, 3);
    let mut deal = held.deals[0].clone();
    deal.coefficients[0] = held.commits[0].encryption_key;
    deal.pok = held.commits[0].pok;
    assert_eq!(
        deal.check(held.keys.ceremony(), 1),
        Err(CeremonyError::Knowledge { index: 1 })
    );
}

#[test]
fn malformed_deals_are_refused() {
    let held = Held::new(2, 3);
    let check = |change: &dyn Fn(&mut Deal)| {
        let mut deal = held.deals[0].clone();
        change(&mut deal);
        deal.check(held.keys.ceremony(), 1).unwrap_err()
    };
    let (bad, parts) = (CeremonyError::Point { index: 1 }, |expected, got| {
        CeremonyError::Parts { expected, got }
    });
    assert_eq!(check(&|deal| deal.coefficients.truncate(1)), parts(2, 1));
    assert_eq!(check(&|deal| deal.coefficients.push([0; 32])), parts(2, 3));
    assert_eq!(check(&|deal| deal.shares.truncate(2)), parts(3, 2));
    assert_eq!(check(&|deal| deal.coefficients[0] = [0; 32]), bad);
    assert_eq!(check(&|deal| deal.coefficients[0] = [255; 32]), bad);
    assert_eq!(check(&|deal| deal.coefficients[1] = [255; 32]), bad);
    assert_eq!(check(&|deal| deal.shares[2][..32].fill(255)), bad);
    assert_eq!(check(&|deal| deal.shares[2][..32].fill(0)), bad);
    for at in 0..64 {
        assert_eq!(
            check(&|deal| deal.pok[at] ^= 1),
            CeremonyError::Knowledge { index: 1 }
        );
    }
    let few = Keys::new(held.keys.ceremony(), &held.commits, &held.deals[..2]);
    assert_eq!(few, Err(parts(3, 2)));
    assert_eq!(held.trustees[0].deal(&held.commits[..2]), Err(parts(3, 2)));
}

#[test]
fn who_deals_last_cannot_choose_the_key() {
    let held = Held::new(2, 3);
    let target = drawn(5) * G;
    let others = decoded(held.deals[0].coefficients[0]) + decoded(held.deals[1].coefficients[0]);
    let mut rogue = held.deals[2].clone();
    rogue.coefficients[0] = encoded(target - others);
    // Without the proofs and the first round, the key would be the one that the last dealer knows.
    let firsts = [&held.deals[0], &held.deals[1], &rogue].map(|deal| decoded(deal.coefficients[0]));
    assert_eq!(firsts.iter().sum::<RistrettoPoint>(), target);
    let deals = [held.deals[0].clone(), held.deals[1].clone(), rogue];
    let refused = Keys::new(held.keys.ceremony(), &held.commits, &deals);
    assert_eq!(refused, Err(CeremonyError::Knowledge { index: 3 }));
}

#[test]
fn who_deals_last_cannot_choose_anew_when_others_have_dealt() {
    let held = Held::new(2, 3);
    let mut changed = held.deals[2].clone();
    changed.coefficients[0] = encoded(drawn(5) * G);
    changed.pok = knowledge("tabella/seal/pok/v1", 3, drawn(5));
    // Every proof holds, but it is not what the trustee committed to.
    assert_eq!(changed.check(held.keys.ceremony(), 3), Ok(()));
    let deals = [held.deals[0].clone(), held.deals[1].clone(), changed];
    let refused = Keys::new(held.keys.ceremony(), &held.commits, &deals);
    assert_eq!(refused, Err(CeremonyError::Commitment { index: 3 }));
}

#[test]
fn a_commitment_cannot_be_copied_and_opened_by_another() {
    let held = Held::new(2, 3);
    let (copied, deal) = (held.commits[0].coefficients, &held.deals[0]);
    let commit = Commit {
        coefficients: copied,
        ..held.commits[1].clone()
    };
    assert_eq!(
        deal.opens(held.keys.ceremony(), 1, &held.commits[0]),
        Ok(())
    );
    let refused = deal.opens(held.keys.ceremony(), 2, &commit);
    assert_eq!(refused, Err(CeremonyError::Commitment { index: 2 }));
}

#[test]
fn secrets_that_add_up_to_nothing_make_no_key() {
    let ceremony = Ceremony::new([7; 32], 1, 2).unwrap();
    let held = Held::new(1, 2);
    let secrets = [drawn(5), -drawn(5)];
    let mut deals = held.deals.clone();
    let mut commits = held.commits.clone();
    for (at, secret) in secrets.into_iter().enumerate() {
        let index = at as u32 + 1;
        deals[at].coefficients = vec![encoded(secret * G)];
        deals[at].pok = knowledge("tabella/seal/pok/v1", index, secret);
        let hash = sha2::Sha256::new_with_prefix("tabella/seal/coefficients/v1")
            .chain_update([7; 32])
            .chain_update(index.to_le_bytes())
            .chain_update(encoded(secret * G));
        commits[at].coefficients = hash.finalize().into();
    }
    let refused = Keys::new(&ceremony, &commits, &deals);
    assert_eq!(refused, Err(CeremonyError::Identity));
    assert_eq!(encoded(RistrettoPoint::identity()), [0; 32]);
}

#[test]
fn a_wrong_share_is_noticed_disputed_and_the_dealer_exposed() {
    let held = Held::new(2, 3);
    for byte in [32, 47, 63] {
        let mut deals = held.deals.clone();
        deals[1].shares[2][byte] ^= 1;
        let (cheated, other) = (&held.trustees[2], &held.trustees[0]);
        let share = cheated.share(&held.commits, &deals).err();
        assert_eq!(share, Some(CeremonyError::Share { dealer: 2 }));
        assert!(
            other.share(&held.commits, &deals).is_ok(),
            "others do not notice"
        );
        let dispute = cheated.dispute(2, &deals[1]).unwrap();
        let upheld = dispute.check(held.keys.ceremony(), (2, &deals[1]), (3, &held.commits[2]));
        assert_eq!(upheld, Ok(()));
    }
}

#[test]
fn a_false_complaint_is_refused() {
    let held = Held::new(2, 3);
    let refused = Err(CeremonyError::FalseDispute { index: 3 });
    let complain = |deal: &Deal| held.trustees[2].dispute(2, deal).unwrap();
    let honest = complain(&held.deals[1]);
    let parts = ((2, &held.deals[1]), (3, &held.commits[2]));
    assert_eq!(
        honest.check(held.keys.ceremony(), parts.0, parts.1),
        refused,
        "the share is right"
    );
    // A point that does not unmask the share, with whatever proof.
    let mut lie = honest.clone();
    lie.shared = encoded(drawn(1) * G);
    assert_eq!(lie.check(held.keys.ceremony(), parts.0, parts.1), refused);
    lie.shared = [255; 32];
    assert_eq!(lie.check(held.keys.ceremony(), parts.0, parts.1), refused);
    // Of a wrong share, a complaint that is not proven by who makes it, or was made about another.
    let mut wrong = held.deals[1].clone();
    wrong.shares[2][40] ^= 1;
    let right = complain(&wrong);
    let parts = ((2, &wrong), (3, &held.commits[2]));
    assert_eq!(right.check(held.keys.ceremony(), parts.0, parts.1), Ok(()));
    for at in 0..64 {
        let mut changed = right.clone();
        changed.proof[at] ^= 1;
        assert_eq!(
            changed.check(held.keys.ceremony(), parts.0, parts.1),
            refused
        );
    }
    let other_dealer = right.check(held.keys.ceremony(), (1, &wrong), (3, &held.commits[2]));
    assert_eq!(other_dealer, refused);
    let by_another = right.check(held.keys.ceremony(), (2, &wrong), (1, &held.commits[0]));
    assert_eq!(by_another, Err(CeremonyError::FalseDispute { index: 1 }));
    let unknown = right.check(held.keys.ceremony(), (2, &wrong), (4, &held.commits[2]));
    assert_eq!(unknown, Err(CeremonyError::UnknownTrustee { index: 4 }));
}

#[test]
fn two_disputes_of_one_trustee_give_nothing_away() {
    let held = Held::new(2, 3);
    let mut first = held.deals[1].clone();
    first.shares[2][40] ^= 1;
    let mut second = held.deals[1].clone();
    second.shares[2][41] ^= 1;
    let proof = |dealer, deal: &Deal| held.trustees[2].dispute(dealer, deal).unwrap().proof;
    // Equal commitments under different challenges would be two equations for one secret.
    let nonce = |proof: [u8; 64], secret: Scalar| {
        let read = |half: &[u8]| Scalar::from_canonical_bytes(half.try_into().unwrap()).unwrap();
        read(&proof[32..]) - read(&proof[..32]) * secret
    };
    let secret = derived(3, (2, 3), "encryption");
    assert_eq!(encoded(secret * G), held.commits[2].encryption_key);
    let nonces = [
        proof(2, &first),
        proof(2, &second),
        proof(1, &held.deals[0]),
    ]
    .map(|of| nonce(of, secret));
    assert_ne!(nonces[0], nonces[1]);
    assert_ne!(nonces[0], nonces[2]);
    assert_eq!(proof(2, &first), proof(2, &first));
}

#[test]
fn one_seed_in_two_places_or_ceremonies_has_unrelated_secrets() {
    let ceremony =
        |context, threshold, trustees| Ceremony::new(context, threshold, trustees).unwrap();
    let cases = [
        (ceremony([7; 32], 2, 3), 1),
        (ceremony([7; 32], 2, 3), 2),
        (ceremony([8; 32], 2, 3), 1),
        (ceremony([7; 32], 3, 3), 1),
        (ceremony([7; 32], 2, 4), 1),
    ];
    let keys = cases.map(|(ceremony, index)| {
        let trustee = Trustee::new(&[1; 32], &ceremony, index).unwrap();
        trustee.commit().encryption_key
    });
    for (at, key) in keys.iter().enumerate() {
        assert!(!keys[at + 1..].contains(key), "{at}");
    }
}
