//! Validator sets: what may change, and how a chain of changes is followed from genesis.

use expect_test::expect;
use tabella_protocol::{
    Hash, Header, HeaderError, NodeAddress, PublicKey, Quorum, Receipt, ReceiptError,
    VALIDATOR_CHANGE_DELAY, ValidatorChange, ValidatorHistory, ValidatorInfo, ValidatorProofError,
    ValidatorSet, ValidatorSetProof,
};

use crate::support::{certificate, genesis, key, receipt};

fn address(port: u16) -> NodeAddress {
    NodeAddress {
        p2p_address: format!("127.0.0.1:{port}"),
        rpc_url: format!("http://127.0.0.1:{}", port + 1),
    }
}

fn add(n: u8) -> ValidatorChange {
    ValidatorChange::Add {
        validator: ValidatorInfo {
            node_id: format!("validator-{n}"),
            public_key: key(n).public(),
        },
        address: address(1000 + u16::from(n)),
    }
}

fn remove(n: u8) -> ValidatorChange {
    ValidatorChange::Remove {
        public_key: key(n).public(),
    }
}

fn quorum(quorum: Quorum) -> ValidatorChange {
    ValidatorChange::SetQuorum { quorum }
}

#[test]
fn bad_changes_are_refused_and_named() {
    let three = ValidatorSet::of_genesis(&genesis(3, Quorum::Majority));
    let four = ValidatorSet::of_genesis(&genesis(4, Quorum::Bft));
    let refused = |set: &ValidatorSet, changes: &[ValidatorChange]| match set.changed(changes, 9) {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    };
    let named = |node_id: &str, public_key| ValidatorChange::Add {
        validator: ValidatorInfo {
            node_id: node_id.into(),
            public_key,
        },
        address: address(1),
    };
    let moved = |p2p_address: &str, rpc_url: &str| ValidatorChange::Readdress {
        public_key: key(1).public(),
        address: NodeAddress {
            p2p_address: p2p_address.into(),
            rpc_url: rpc_url.into(),
        },
    };
    let table = [
        refused(&three, &[]),
        refused(&three, &vec![remove(1); 65]),
        refused(&three, &[add(1)]),
        refused(&three, &[named("validator-1", key(9).public())]),
        refused(&three, &[named("other", key(1).public())]),
        refused(&three, &[named("", key(9).public())]),
        refused(&three, &[named("a b", key(9).public())]),
        refused(&three, &[named("weak", PublicKey([0; 32]))]),
        refused(&three, &[remove(9)]).replace(&key(9).public().to_string(), "KEY"),
        refused(&three, &[remove(1)]),
        refused(&three, &[remove(1), remove(2), remove(3)]),
        refused(&three, &[remove(1), add(4)]),
        refused(&three, &[add(4), remove(4)]),
        refused(&three, &[quorum(Quorum::Majority)]),
        refused(&three, &[quorum(Quorum::Bft)]),
        refused(&three, &[add(4), quorum(Quorum::Bft)]),
        refused(&four, &[remove(4)]),
        refused(&four, &[remove(4), quorum(Quorum::Majority)]),
        refused(&three, &[moved("nowhere", "http://a")]),
        refused(&three, &[moved("a:1", "ftp://a")]),
        refused(&three, &(4..=65).map(add).collect::<Vec<_>>()),
    ];
    expect![[r#"
        expected 1 to 64 changes, got 0
        expected 1 to 64 changes, got 65
        validator-1 is a validator already; each key and each node id may stand in the set once
        validator-1 is a validator already; each key and each node id may stand in the set once
        validator-1 is a validator already; each key and each node id may stand in the set once
        expected a node id of 1 to 64 visible ASCII characters, got ""
        expected a node id of 1 to 64 visible ASCII characters, got "a b"
        the key of weak is not an ed25519 public key
        KEY is not a validator; `tabella validator status` lists those that are
        2 validators would remain; fewer than three survive no crash
        0 validators would remain; fewer than three survive no crash
        taken
        the validator set would stay as it is
        the validator set would stay as it is
        quorum bft needs at least four validators, there would be 3; add validators first
        taken
        quorum bft needs at least four validators, there would be 3; add validators first
        taken
        expected a p2p address host:port, got "nowhere"
        expected an rpc_url that starts with http:// or https://, got "ftp://a"
        expected at most 64 validators, got 65"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn a_set_governs_from_its_height_on() {
    let genesis = genesis(3, Quorum::Majority);
    let mut history = ValidatorHistory::new(&genesis);
    let before = history.hash();
    history.decide(10, &[add(4)]).unwrap();
    history
        .decide(10, &[quorum(Quorum::Bft)])
        .expect("changes of one block add up");
    assert_ne!(history.hash(), before);
    assert_eq!(history.sets().len(), 2);
    let from = 10 + VALIDATOR_CHANGE_DELAY;
    assert_eq!(history.at(from - 1).validators.len(), 3);
    assert_eq!(history.at(from).validators.len(), 4);
    assert_eq!(history.at(from).quorum, Quorum::Bft);
    assert_eq!(
        history.followers(10),
        [key(4).public()],
        "it may connect before it joins"
    );
    assert!(history.followers(from).is_empty());
    history
        .decide(20, &[quorum(Quorum::Majority), remove(1)])
        .unwrap();
    let left = 20 + VALIDATOR_CHANGE_DELAY;
    assert_eq!(
        history.followers(left),
        [key(1).public()],
        "it may hear that it left"
    );
    assert!(history.followers(left + 1_000).is_empty());
    let sets = history.sets().to_vec();
    assert_eq!(
        ValidatorHistory::from_sets(&genesis, sets.clone()).as_ref(),
        Some(&history)
    );
    assert_eq!(
        ValidatorHistory::from_sets(&genesis, sets[1..].to_vec()),
        None
    );
}

/// A chain on which the fourth validator joins at 15, the fifth at 25, and the first leaves at 35.
struct Chain {
    genesis: tabella_protocol::Genesis,
    history: ValidatorHistory,
    proofs: Vec<ValidatorSetProof>,
}

impl Chain {
    fn new() -> Self {
        let genesis = genesis(3, Quorum::Majority);
        let mut chain = Self {
            history: ValidatorHistory::new(&genesis),
            genesis,
            proofs: Vec::new(),
        };
        let changes: [(u64, &[ValidatorChange], &[u8]); 3] = [
            (10, &[add(4), quorum(Quorum::Bft)], &[1, 2]),
            (20, &[add(5)], &[1, 3, 4]),
            (30, &[remove(1)], &[2, 3, 4, 5]),
        ];
        for (height, changes, signers) in changes {
            chain.history.decide(height, changes).unwrap();
            let header = chain.header(height);
            let certificate = certificate(&chain.genesis, height, header.hash(), signers);
            let set = chain.history.latest().clone();
            chain.proofs.push(ValidatorSetProof {
                header,
                certificate,
                set,
            });
        }
        chain
    }

    fn header(&self, height: u64) -> Header {
        let mut header = receipt(&self.genesis, 0, 1, &[]).header;
        header.height = height;
        header.validators = Some(self.history.hash());
        header
    }

    fn followed(&self) -> ValidatorHistory {
        let mut history = ValidatorHistory::new(&self.genesis);
        history.extend_all(&self.proofs).unwrap();
        history
    }
}

#[test]
fn changes_are_followed_from_genesis() {
    let chain = Chain::new();
    let mut history = chain.followed();
    assert_eq!(history, chain.history);
    history
        .extend_all(&chain.proofs)
        .expect("nothing new is no error");
    let verify = |height: u64, signers: &[u8]| {
        let header = chain.header(height);
        let certificate = certificate(&chain.genesis, height, header.hash(), signers);
        match history.verify_header(&header, &certificate) {
            Ok(_) => "holds".to_owned(),
            Err(error) => error
                .to_string()
                .replace(&key(1).public().to_string(), "KEY"),
        }
    };
    let table = [
        verify(34, &[1, 2, 3, 4]),
        verify(34, &[1, 2, 3]),
        verify(35, &[1, 2, 3, 4]),
        verify(35, &[2, 3, 4]),
        verify(12, &[1, 2]),
    ];
    expect![[r#"
        holds
        expected signatures of at least 4 of 5 validators, got 3
        KEY signed, but is not a validator of this network at this height
        holds
        the header commits to other validator sets than those known; the proofs of all changes since genesis are needed"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn forged_changes_are_refused() {
    let chain = Chain::new();
    let refused = |change: &dyn Fn(&mut Vec<ValidatorSetProof>)| {
        let mut proofs = chain.proofs.clone();
        change(&mut proofs);
        let mut history = ValidatorHistory::new(&chain.genesis);
        history.extend_all(&proofs).unwrap_err().to_string()
    };
    let resigned = |proof: &mut ValidatorSetProof, signers: &[u8]| {
        let hash = proof.header.hash();
        proof.certificate = certificate(&chain.genesis, proof.header.height, hash, signers);
    };
    let table = [
        refused(&|proofs| proofs[0].set.quorum = Quorum::Majority),
        refused(&|proofs| proofs[0].set.validators.clear()),
        refused(&|proofs| proofs[0].set.from_height += 1),
        refused(&|proofs| proofs[1].header.validators = None),
        refused(&|proofs| proofs[1].header.height = 21),
        refused(&|proofs| proofs.swap(0, 1)),
        refused(&|proofs| drop(proofs.remove(0))),
        refused(&|proofs| resigned(&mut proofs[1], &[1, 2])),
        refused(&|proofs| {
            proofs[2].certificate.signatures.pop();
        }),
    ];
    expect![[r#"
        the header at height 10 commits to another validator set
        the header at height 10 commits to another validator set
        the change of validators decided at height 10 does not follow the one before
        the header at height 20 commits to another validator set
        the change of validators decided at height 21 does not follow the one before
        the header at height 20 commits to another validator set
        the header at height 20 commits to another validator set
        the change of validators decided at height 20: expected signatures of at least 3 of 4 validators, got 2
        the change of validators decided at height 30: expected signatures of at least 4 of 5 validators, got 3"#]]
    .assert_eq(&table.join("\n"));
    // The old set decides its own successor, and no newcomer does.
    let mut history = ValidatorHistory::new(&chain.genesis);
    let mut usurped = chain.proofs[0].clone();
    resigned(&mut usurped, &[1, 4]);
    assert!(matches!(
        history.extend(&usurped),
        Err(ValidatorProofError::Header {
            error: HeaderError::Certificate(_),
            ..
        })
    ));
    assert_eq!(history, ValidatorHistory::new(&chain.genesis));
}

fn later_receipt(chain: &Chain) -> Receipt {
    let mut receipt = receipt(&chain.genesis, 3, 7, &[]);
    receipt.header.height = 40;
    receipt.header.validators = Some(chain.history.hash());
    receipt.certificate = certificate(&chain.genesis, 40, receipt.header.hash(), &[2, 3, 5]);
    receipt.version = 2;
    receipt.validator_sets = chain.proofs.clone();
    receipt
}

#[test]
fn a_receipt_of_a_later_set_carries_its_changes() {
    let chain = Chain::new();
    let receipt = later_receipt(&chain);
    let summary = receipt.verify(&chain.genesis).unwrap();
    assert_eq!(summary.of, 4);
    assert_eq!(
        Receipt::from_json(&receipt.to_json()).as_ref(),
        Ok(&receipt)
    );
    // Left out, the changes are missed: the header says that there were some.
    for left_out in 0..3 {
        let mut changed = receipt.clone();
        changed.validator_sets.remove(left_out);
        assert!(
            changed.verify(&chain.genesis).is_err(),
            "without {left_out}"
        );
    }
    let mut truncated = receipt.clone();
    truncated.validator_sets.pop();
    assert_eq!(
        truncated.verify(&chain.genesis),
        Err(ReceiptError::OtherValidators)
    );
}

#[test]
fn no_byte_of_a_receipt_with_changes_can_be_changed() {
    let chain = Chain::new();
    let text = later_receipt(&chain).to_json();
    let bytes = text.as_bytes();
    // Every byte of the changes, and of the rest every seventh: the other test takes all of those.
    let changes = text.find("\"validator_sets\"").unwrap();
    let positions = (0..changes)
        .step_by(7)
        .chain((changes..bytes.len()).step_by(3));
    for position in positions {
        let mut changed = bytes.to_vec();
        changed[position] ^= 1;
        let accepted = String::from_utf8(changed)
            .ok()
            .and_then(|text| Receipt::from_json(&text).ok())
            .is_some_and(|receipt| receipt.verify(&chain.genesis).is_ok());
        assert!(!accepted, "byte {position} was accepted");
    }
}

#[test]
fn receipts_of_version_1_still_hold() {
    let genesis = genesis(3, Quorum::Majority);
    let mut old = receipt(&genesis, 3, 7, &[]);
    old.header.version = 1;
    old.header.validators = None;
    old.certificate = certificate(&genesis, 9, old.header.hash(), &[1, 2]);
    let text = old.to_json();
    assert!(!text.contains("validators"), "{text}");
    let read = Receipt::from_json(&text).unwrap();
    assert_eq!(read.verify(&genesis).unwrap().of, 3);
    assert_ne!(old.header.hash(), Hash::ZERO);
}
