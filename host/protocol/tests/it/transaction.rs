//! Transactions: one value, one byte string, one signature.

use expect_test::expect;
use proptest::prelude::*;
use tabella_protocol::{Block, Payload, Transaction, TransactionBody, VoterId, codec};

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

#[test]
fn no_byte_can_be_changed() {
    for transaction in [transaction(), ordered()] {
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
