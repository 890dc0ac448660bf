//! Validator sets and evidence as the chain keeps them.

use expect_test::expect;
use tabella_protocol::{
    Ack, Evidence, Hash, NodeAddress, Payload, Quorum, Revote, VALIDATOR_CHANGE_DELAY,
    ValidatorChange, ValidatorHistory, ValidatorInfo, rpc::ElectionStatus,
};

use crate::support::{Chain, authority, by_registrar, genesis, key, registrar, voter};

fn add(n: u8) -> ValidatorChange {
    ValidatorChange::Add {
        validator: ValidatorInfo {
            node_id: format!("validator-{n}"),
            public_key: key(n).public(),
        },
        address: NodeAddress {
            p2p_address: format!("127.0.0.1:{n}"),
            rpc_url: "http://127.0.0.1:1".into(),
        },
    }
}

fn change(change: ValidatorChange) -> Payload {
    Payload::ChangeValidators {
        changes: vec![change],
    }
}

fn submit(evidence: Evidence) -> Payload {
    Payload::SubmitEvidence(Box::new(evidence))
}

fn remove(n: u8) -> Payload {
    change(ValidatorChange::Remove {
        public_key: key(n).public(),
    })
}

/// Commits empty blocks until the next one is of `height`.
fn pass(chain: &mut Chain, height: u64) {
    while chain.builder.tip().height + 1 < height {
        chain.commit(&[]);
    }
}

#[test]
fn a_change_governs_after_its_delay_and_survives_a_restart() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let before = chain.builder.validators().hash();
    chain.accept(&authority(), change(add(4)));
    let decided = chain.builder.tip().height;
    let from = decided + VALIDATOR_CHANGE_DELAY;
    assert_ne!(chain.builder.validators().hash(), before);
    assert_eq!(chain.builder.proposers().len(), 3, "not yet");

    // A receipt in between carries the change, and is of the old set.
    let payload = chain.cast(voter(1), "a");
    let id = chain.accept(&registrar(), payload);
    let receipt = chain.builder.receipt(&id).unwrap().unwrap();
    assert_eq!((receipt.version, receipt.validator_sets.len()), (2, 1));
    assert_eq!(receipt.verify(&genesis()).unwrap().of, 3);
    let mut cut = receipt;
    cut.validator_sets.clear();
    cut.version = 1;
    assert!(
        cut.verify(&genesis()).is_err(),
        "the change cannot be left out"
    );

    pass(&mut chain, from - 1);
    assert_eq!(chain.builder.proposers().len(), 3);
    pass(&mut chain, from);
    assert_eq!(chain.builder.proposers().len(), 4);
    assert!(chain.builder.next_validators().contains(&key(4).public()));

    let history = chain.builder.validators();
    let chain = chain.reopen();
    assert_eq!(chain.builder.validators(), history);
    let mut followed = ValidatorHistory::new(&genesis());
    followed
        .extend_all(&chain.builder.validator_sets().unwrap())
        .unwrap();
    assert_eq!(followed, history);
    let verified = chain.builder.verify().unwrap();
    assert!(verified.valid, "{:?}", verified.problems);
}

#[test]
fn only_validators_of_now_attest_results() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let payload = chain.cast(voter(1), "a");
    chain.accept(&registrar(), payload);
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    let election = chain.builder.election(1).unwrap();
    let attestation = chain.builder.tally(&election).unwrap().attestation;
    let attest = || Payload::AttestResult(attestation.clone());
    let refused = chain.refusal(&key(4), attest());
    assert!(refused.starts_with("not-authorised"), "{refused}");
    chain.accept(&key(3), attest());
    let changes = vec![
        add(4),
        add(5),
        ValidatorChange::Remove {
            public_key: key(3).public(),
        },
    ];
    chain.accept(&authority(), Payload::ChangeValidators { changes });
    let from = chain.builder.tip().height + VALIDATOR_CHANGE_DELAY;
    pass(&mut chain, from);
    let status = |chain: &Chain| chain.builder.election(1).unwrap().status();
    // Of four validators three are a quorum, and the one that left is none of them.
    chain.accept(&key(4), attest());
    chain.accept(&key(5), attest());
    assert_eq!(status(&chain), ElectionStatus::Closed);
    chain.accept(&key(1), attest());
    assert_eq!(status(&chain), ElectionStatus::Final);
    let election = chain.builder.election(1).unwrap();
    assert_eq!(election.result_height(), Some(chain.builder.tip().height));
}

#[test]
fn bad_changes_and_evidence_are_refused_and_change_nothing() {
    let mut chain = Chain::new();
    let before = chain.builder.validators();
    let ack = |seed: u8, block: &[u8], height| {
        let hash = Hash::of(block);
        Ack::sign(&genesis().hash(), height, hash, hash, &key(seed))
    };
    let lie = |height| Evidence::acks(ack(2, b"a", height), ack(2, b"b", height));
    chain.commit(&[]);
    let mut table = String::new();
    let mut row = |refusal: String| {
        let refusal = refusal.replace(&key(9).public().to_string(), "KEY-9");
        table.push_str(&refusal.replace(&registrar().public().to_string(), "REGISTRAR"));
        table.push('\n');
    };
    row(chain.refusal(&registrar(), change(add(4))));
    row(chain.refusal(&registrar(), submit(lie(1))));
    row(chain.refusal(&authority(), Payload::ChangeValidators { changes: vec![] }));
    row(chain.refusal(&authority(), change(add(3))));
    row(chain.refusal(&authority(), remove(9)));
    row(chain.refusal(&authority(), remove(3)));
    let quorum = ValidatorChange::SetQuorum {
        quorum: Quorum::Bft,
    };
    row(chain.refusal(&authority(), change(quorum)));
    row(chain.refusal(&authority(), submit(lie(9))));
    let none = Evidence::acks(ack(1, b"a", 1), ack(2, b"a", 1));
    row(chain.refusal(&authority(), submit(none)));
    let stranger = Evidence::acks(ack(9, b"a", 1), ack(9, b"b", 1));
    row(chain.refusal(&authority(), submit(stranger)));
    assert_eq!(chain.builder.validators(), before);

    let subject = lie(1).subject();
    assert!(!chain.builder.has_evidence(&subject));
    chain.accept(&authority(), submit(lie(1)));
    assert!(chain.builder.has_evidence(&subject) && chain.checker.has_evidence(&subject));
    let again = chain.refusal(&authority(), submit(lie(1)));
    row(again.replace(&subject.to_string(), "ID"));
    let chain = chain.reopen();
    assert!(chain.builder.has_evidence(&subject));
    expect![[r#"
        not-authorised: change-validators must be signed by an authority named in genesis, got signer REGISTRAR
        not-authorised: submit-evidence must be signed by an authority named in genesis, got signer REGISTRAR
        invalid-validator-change: expected 1 to 64 changes, got 0
        invalid-validator-change: validator-3 is a validator already; each key and each node id may stand in the set once
        invalid-validator-change: KEY-9 is not a validator; `tabella validator status` lists those that are
        invalid-validator-change: 2 validators would remain; fewer than three survive no crash
        invalid-validator-change: quorum bft needs at least four validators, there would be 3; add validators first
        invalid-evidence: the evidence is about height 9, the next block is 2
        invalid-evidence: the statements do not contradict each other
        invalid-evidence: KEY-9 was not a validator of this network at that height
        invalid-evidence: evidence ID is on the chain already
    "#]]
    .assert_eq(&table);
}
