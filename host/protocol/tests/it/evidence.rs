//! Evidence convinces a third party, and nothing else does.

use expect_test::expect;
use tabella_protocol::{
    Ack, ConsensusProposal, ConsensusVote, ConsensusVoteKind, Evidence, EvidenceFile, Genesis,
    Hash, Quorum, Signature, ValidatorHistory,
};

use crate::support::{certificate, genesis, key};

fn vote(
    genesis: &Genesis,
    seed: u8,
    round: u32,
    value: Option<&[u8]>,
) -> (ConsensusVote, Signature) {
    let vote = ConsensusVote {
        kind: ConsensusVoteKind::Precommit,
        height: 7,
        round,
        value: value.map(Hash::of),
        validator: key(seed).public(),
    };
    let signature = key(seed).sign(&vote.signing_bytes(&genesis.hash()));
    (vote, signature)
}

fn proposal(genesis: &Genesis, seed: u8, value: &[u8]) -> (ConsensusProposal, Signature) {
    let proposal = ConsensusProposal {
        height: 7,
        round: 0,
        value: Hash::of(value),
        valid_round: None,
        proposer: key(seed).public(),
    };
    let signature = key(seed).sign(&proposal.signing_bytes(&genesis.hash()));
    (proposal, signature)
}

fn ack(genesis: &Genesis, seed: u8, block: &[u8]) -> Ack {
    let hash = Hash::of(block);
    Ack::sign(&genesis.hash(), 7, hash, hash, &key(seed))
}

fn every_kind(g: &Genesis) -> [Evidence; 5] {
    let certified = |block: &[u8], signers: &[u8]| certificate(g, 7, Hash::of(block), signers);
    [
        Evidence::votes(vote(g, 1, 0, Some(b"a")), vote(g, 1, 0, None)),
        Evidence::proposals(proposal(g, 2, b"a"), proposal(g, 2, b"b")),
        Evidence::acks(ack(g, 3, b"a"), ack(g, 3, b"b")),
        Evidence::acks(ack(g, 1, b"a"), ack(g, 2, b"b")),
        Evidence::fork(certified(b"a", &[1, 3]), certified(b"b", &[2, 3])),
    ]
}

fn file(genesis: &Genesis, evidence: Evidence) -> EvidenceFile {
    EvidenceFile {
        version: EvidenceFile::VERSION,
        genesis: genesis.hash(),
        evidence,
        validator_sets: Vec::new(),
    }
}

#[test]
fn says_who_lied() {
    let genesis = genesis(3, Quorum::Majority);
    let table = every_kind(&genesis).map(|evidence| {
        let summary = evidence.verify(&ValidatorHistory::new(&genesis)).unwrap();
        let names = |named: &[tabella_protocol::Named]| {
            let names: Vec<_> = named.iter().map(|n| n.node_id.as_str()).collect();
            let mut names = names.into_iter().map(str::to_owned).collect::<Vec<_>>();
            names.sort();
            names.join(" ")
        };
        format!(
            "{} at {}: liars [{}], suspects [{}]",
            summary.kind,
            summary.height,
            names(&summary.liars),
            names(&summary.suspects)
        )
    });
    expect![[r#"
        votes at 7: liars [validator-1], suspects []
        proposals at 7: liars [validator-2], suspects []
        acks at 7: liars [validator-3], suspects []
        acks at 7: liars [], suspects [validator-1 validator-2 validator-3]
        fork at 7: liars [validator-3], suspects []"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn what_is_no_contradiction_is_refused() {
    let g = genesis(3, Quorum::Majority);
    let refusal = |evidence: Evidence| {
        let refused = evidence.verify(&ValidatorHistory::new(&g)).unwrap_err();
        let mut text = refused.to_string();
        for seed in [1, 9] {
            text = text.replace(&key(seed).public().to_string(), &format!("KEY-{seed}"));
        }
        text
    };
    let certified = |block: &[u8], signers: &[u8]| certificate(&g, 7, Hash::of(block), signers);
    let (a, b) = (vote(&g, 1, 0, Some(b"a")), vote(&g, 1, 0, None));
    let (first, second) = match Evidence::votes(a.clone(), b.clone()) {
        Evidence::Votes { first, second } => (first, second),
        _ => unreachable!(),
    };
    let table = [
        refusal(Evidence::votes(a.clone(), a.clone())),
        refusal(Evidence::votes(a.clone(), vote(&g, 1, 1, None))),
        refusal(Evidence::votes(a.clone(), vote(&g, 2, 0, None))),
        refusal(Evidence::votes(a.clone(), (b.0, a.1))),
        refusal(Evidence::votes(
            vote(&g, 9, 0, None),
            vote(&g, 9, 0, Some(b"a")),
        )),
        refusal(Evidence::Votes {
            first: second,
            second: first,
        }),
        refusal(Evidence::acks(ack(&g, 1, b"a"), ack(&g, 2, b"a"))),
        refusal(Evidence::fork(
            certified(b"a", &[1, 2]),
            certified(b"b", &[1]),
        )),
        refusal(Evidence::fork(
            certified(b"a", &[1, 2]),
            certified(b"a", &[1, 3]),
        )),
    ];
    expect![[r#"
        the statements do not contradict each other
        the statements do not contradict each other
        the statements do not contradict each other
        the signature of KEY-1 does not verify
        KEY-9 was not a validator of this network at that height
        the statements are not in canonical order
        the statements do not contradict each other
        a certificate does not hold: expected signatures of at least 2 of 3 validators, got 1
        the statements do not contradict each other"#]]
    .assert_eq(&table.join("\n"));
}

#[test]
fn another_network_believes_none_of_it() {
    let ours = genesis(3, Quorum::Majority);
    let mut other = genesis(3, Quorum::Majority);
    other.chain_id = 8;
    for evidence in every_kind(&ours) {
        let file = file(&ours, evidence);
        assert!(file.verify(&ours).is_ok());
        let refused = file.verify(&other).unwrap_err().to_string();
        assert!(
            refused.starts_with("the evidence is of network"),
            "{refused}"
        );
        // Nor does it once it names the other network.
        let renamed = EvidenceFile {
            genesis: other.hash(),
            ..file
        };
        assert!(renamed.verify(&other).is_err());
    }
}

#[test]
fn no_single_byte_can_be_changed() {
    let genesis = genesis(3, Quorum::Majority);
    for evidence in every_kind(&genesis) {
        let text = file(&genesis, evidence).to_json();
        assert!(
            EvidenceFile::from_json(&text)
                .unwrap()
                .verify(&genesis)
                .is_ok()
        );
        for position in 0..text.len() {
            for change in [1, 0x20] {
                let mut changed = text.clone().into_bytes();
                changed[position] ^= change;
                let accepted = String::from_utf8(changed)
                    .ok()
                    .and_then(|text| EvidenceFile::from_json(&text).ok())
                    .is_some_and(|file| file.verify(&genesis).is_ok());
                assert!(
                    !accepted,
                    "byte {position} xor {change} of {text} was accepted"
                );
            }
        }
    }
}
