//! Transactions: one value, one byte string, one signature.

use std::collections::HashSet;

use expect_test::expect;
use proptest::prelude::*;
use tabella_protocol::{
    BatchPlace, Block, Hash, Payload, Transaction, TransactionBody, VerifiedBatches, VoterId,
    codec, sign_together,
};

use crate::support::key;

fn transaction() -> Transaction {
    let payload = Payload::CastBallot {
        election_id: 1,
        voter: VoterId::pseudonym(&[9; 32], "alice"),
        ballots: vec![vec![1, 2]],
    };
    let body = TransactionBody {
        chain_id: 7,
        expiry_height: 10,
        nonce: 5,
        sequence: None,
        payload,
    };
    Transaction::sign(body, &key(1))
}

#[test]
fn the_encoding_and_the_pseudonym_never_change() {
    expect!["0xebf14affbaa1a420a19d889a788a84ccc6986fe9212b8c4252c35e9891ec6f97"]
        .assert_eq(&transaction().id().to_string());
    expect!["0x931e42153ce0bdb4c743cee67c62944aba59b64faf6984614900cb51c5a9d9c8"]
        .assert_eq(&ordered().id().to_string());
    expect!["0x8f937f50e29e0e9a30674769947aa79171a47aa4757ffe9db7f077947ee3a219"]
        .assert_eq(&VoterId::pseudonym(&[9; 32], "alice").to_string());
}

fn ordered() -> Transaction {
    let body = TransactionBody {
        sequence: Some(6),
        ..transaction().body
    };
    Transaction::sign(body, &key(1))
}

/// Ballots that were signed together.
fn batched(ballots: usize) -> Vec<Transaction> {
    let bodies = (0..ballots as u64).map(|nonce| TransactionBody {
        nonce,
        sequence: (nonce % 2 == 1).then_some(nonce),
        ..transaction().body
    });
    sign_together(bodies.collect(), &key(1))
}

#[test]
fn the_encoding_of_a_batch_never_changes() {
    let ids: Vec<String> = batched(3).iter().map(|t| t.id().to_string()).collect();
    expect![[r#"
        [
            "0x814ac9b138134432ce0063d387a567cd3df3f9039ba00313be743f0778614157",
            "0x9a127a46fb6587e44acb61e29393a9e344fad6b7f71f474b50766a2516e54e05",
            "0xb3a2fbf7136a31057165ffffbec39e55e7f9cada335b520d00f4ba10c4d26478",
        ]
    "#]]
    .assert_debug_eq(&ids);
}

#[test]
fn each_ballot_of_a_batch_is_verified_by_itself() {
    for ballots in (0..=67).chain([128, 129, 2_048]) {
        let batch = batched(ballots);
        let nonces: Vec<u64> = batch.iter().map(|t| t.body.nonce).collect();
        assert!(nonces.iter().copied().eq(0..ballots as u64), "{nonces:?}");
        let (verified, signatures) = (VerifiedBatches::default(), &mut HashSet::new());
        for transaction in &batch {
            let read = Transaction::from_bytes(&transaction.to_bytes()).unwrap();
            assert_eq!(&read, transaction);
            assert!(read.verify() && verified.verify(&read) && verified.verify(&read));
            assert!(read.to_bytes().len() <= transaction_bytes_alone(&read) + 6 * 32 + 6);
            signatures.insert(read.signature);
        }
        assert_eq!(signatures.len(), ballots.div_ceil(64), "{ballots}");
    }
}

fn transaction_bytes_alone(transaction: &Transaction) -> usize {
    Transaction::sign(transaction.body.clone(), &key(1))
        .to_bytes()
        .len()
}

#[test]
fn a_ballot_of_a_batch_takes_no_other_place_size_or_signature() {
    let batch = batched(6);
    let verified = VerifiedBatches::default();
    assert!(batch.iter().all(|t| verified.verify(t)));
    let alone = Transaction::sign(batch[0].body.clone(), &key(1));
    let place = |t: &Transaction| t.batch.clone().unwrap();
    let mut forged = Vec::new();
    for (index, size) in (0..=255u8).flat_map(|index| (0..=255u8).map(move |size| (index, size))) {
        let mut of_another_shape = batch[0].clone();
        let path = place(&batch[0]).path;
        of_another_shape.batch = Some(BatchPlace { index, size, path });
        if of_another_shape != batch[0] {
            forged.push(of_another_shape);
        }
    }
    let with = |batch: Option<BatchPlace>, signature, of: &Transaction| Transaction {
        batch,
        signature,
        ..of.clone()
    };
    // Without its place, in the place of another, and with a signature that is of something else.
    forged.push(with(None, batch[0].signature, &batch[0]));
    forged.push(with(batch[1].batch.clone(), batch[0].signature, &batch[0]));
    forged.push(with(batch[0].batch.clone(), alone.signature, &batch[0]));
    forged.push(with(
        batch[0].batch.clone(),
        batch[0].signature,
        &batched(7)[6],
    ));
    // With a path that goes on behind the root.
    let mut too_long = place(&batch[0]);
    too_long.path.push(Hash::of(b"x"));
    forged.push(with(Some(too_long), batch[0].signature, &batch[0]));
    for transaction in forged {
        assert!(!transaction.verify(), "{transaction:?}");
        assert!(!verified.verify(&transaction), "{transaction:?}");
    }
}

#[test]
fn only_ballots_are_signed_in_batches() {
    let open = |election_id| TransactionBody::new(7, 10, Payload::OpenElection { election_id });
    let batch = sign_together(vec![open(1), open(2)], &key(1));
    let refused = Transaction::from_bytes(&batch[0].to_bytes()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "expected a cast-ballot in transaction versions after 1, got open-election"
    );
}

#[test]
fn no_byte_can_be_changed() {
    for transaction in [transaction(), ordered(), batched(5)[3].clone()] {
        no_byte_of(&transaction);
    }
}

fn no_byte_of(transaction: &Transaction) {
    let bytes = transaction.to_bytes();
    assert_eq!(&Transaction::from_bytes(&bytes).unwrap(), transaction);
    assert!(Transaction::from_bytes(&bytes).unwrap().verify());
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        let accepted = Transaction::from_bytes(&changed).is_ok_and(|t| t.verify());
        assert!(!accepted, "byte {position} was changed and nobody noticed");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Transaction::from_bytes(&longer).is_err());
    assert!(Transaction::from_bytes(&bytes[..bytes.len() - 1]).is_err());
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        if let Ok(transaction) = Transaction::from_bytes(&bytes) {
            prop_assert_eq!(codec::encode(&transaction), bytes.clone());
        }
        let _ = Block::decode(&bytes, 1 << 20);
    }
}
