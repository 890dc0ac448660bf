//! Quorums, certificates and acks.

use expect_test::expect;
use tabella_protocol::{Ack, Hash, Quorum};

use crate::support::{certificate, genesis, key};

#[test]
fn quorums_and_what_they_survive() {
    let mut table = String::new();
    for n in [1, 3, 4, 5, 7] {
        for quorum in [Quorum::Majority, Quorum::Bft] {
            table += &format!(
                "{n} {}: {} needed, {} crashed, {} byzantine\n",
                quorum.name(),
                quorum.threshold(n),
                quorum.tolerates_crashed(n),
                quorum.tolerates_byzantine(n)
            );
        }
    }
    expect![[r#"
        1 majority: 1 needed, 0 crashed, 0 byzantine
        1 bft: 1 needed, 0 crashed, 0 byzantine
        3 majority: 2 needed, 1 crashed, 0 byzantine
        3 bft: 3 needed, 0 crashed, 0 byzantine
        4 majority: 3 needed, 1 crashed, 0 byzantine
        4 bft: 3 needed, 1 crashed, 1 byzantine
        5 majority: 3 needed, 2 crashed, 0 byzantine
        5 bft: 4 needed, 1 crashed, 1 byzantine
        7 majority: 4 needed, 3 crashed, 0 byzantine
        7 bft: 5 needed, 2 crashed, 2 byzantine
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_certificate_holds_for_its_network_and_block_only() {
    let ours = genesis(4, Quorum::Bft);
    let block = Hash::of(b"block");
    let verify = |signers: &[u8]| {
        certificate(&ours, 5, block, signers).verify(&ours.hash(), ours.quorum, &ours.validators)
    };
    assert!(verify(&[1, 2, 3]).is_ok());
    assert!(verify(&[1, 2, 3, 4]).is_ok());
    assert!(verify(&[1, 2]).is_err());
    assert!(verify(&[1, 1, 2]).is_err());
    let mut other_block = certificate(&ours, 5, block, &[1, 2, 3]);
    other_block.block_hash = Hash::of(b"other");
    assert!(
        other_block
            .verify(&ours.hash(), ours.quorum, &ours.validators)
            .is_err()
    );
    let other_network = genesis(4, Quorum::Majority);
    let foreign = certificate(&ours, 5, block, &[1, 2, 3]);
    assert!(
        foreign
            .verify(&other_network.hash(), ours.quorum, &ours.validators)
            .is_err()
    );
}

#[test]
fn two_different_acks_of_one_validator_contradict() {
    let genesis = Hash::of(b"network");
    let ack = |height, block: &[u8], seed| {
        Ack::sign(
            &genesis,
            height,
            Hash::of(block),
            Hash::of(b"state"),
            &key(seed),
        )
    };
    let first = ack(5, b"a", 1);
    assert!(first.verify(&genesis) && !first.verify(&Hash::of(b"other network")));
    assert!(first.contradicts(&ack(5, b"b", 1)));
    assert!(!first.contradicts(&ack(5, b"a", 1)));
    assert!(!first.contradicts(&ack(6, b"b", 1)));
    assert!(!first.contradicts(&ack(5, b"b", 2)));
}
