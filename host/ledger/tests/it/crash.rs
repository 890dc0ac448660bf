//! What a crash leaves: everything of a block, or nothing of it.

use tabella_ledger::Ledger;
use tabella_protocol::{Genesis, Revote};

use crate::support::{Chain, LIMITS, by_registrar, genesis, open, registrar, voter};

#[test]
fn an_uncommitted_block_leaves_no_trace_and_a_committed_one_all() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let payload = chain.cast(voter(1), "a");
    let bytes = chain.sign(&registrar(), payload);
    let vetted = chain.judge(&bytes).unwrap();
    let before = chain.builder.tip();
    let proposer = chain.builder.proposers()[0];
    drop(
        chain
            .builder
            .build(proposer, 9_000, [&vetted], LIMITS)
            .unwrap(),
    );

    // The files as they are on disk now, as after a power cut: opened while the first is alive.
    let copy = tempfile::TempDir::new().unwrap();
    let from = chain.directories[0].path().join("chain.redb");
    std::fs::copy(&from, copy.path().join("chain.redb")).unwrap();
    assert_eq!(open(copy.path()).tip(), before);

    chain.commit(std::slice::from_ref(&vetted));
    let copy = tempfile::TempDir::new().unwrap();
    std::fs::copy(&from, copy.path().join("chain.redb")).unwrap();
    let recovered = open(copy.path());
    assert_eq!(recovered.tip(), chain.builder.tip());
    assert!(recovered.receipt(&vetted.id()).unwrap().is_some());
    assert!(recovered.verify().unwrap().valid);
}

#[test]
fn a_data_directory_belongs_to_one_network() {
    let directory = tempfile::TempDir::new().unwrap();
    drop(open(directory.path()));
    let other = Genesis {
        chain_id: 8,
        ..genesis()
    };
    let refused = Ledger::open(directory.path(), other)
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("use another data directory"), "{refused}");
}
