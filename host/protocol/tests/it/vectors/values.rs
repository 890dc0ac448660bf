//! Values with their JSON, their canonical bytes and what is hashed or signed of them.

use borsh::BorshSerialize;
use serde::Serialize;
use serde_json::{Value, json};
use tabella_protocol::{
    Ack, Attestation, BoardEntry, BoardHead, ConsensusProposal, ConsensusVote, ConsensusVoteKind,
    ContestSpec, Disclosure, ElectionSpec, Eligibility, Evidence, Genesis, Hash, Header,
    NodeAddress, OpenTo, OptionSpec, Quorum, Revote, RollChanges, RollEntry, ValidatorChange,
    ValidatorHistory, ValidatorInfo, VoterId, codec, merkle,
};

use super::hex;
use crate::support::{certificate, genesis, key, receipt};

/// One value: its type's name in docs/verifying.md, its JSON and its bytes.
fn value<T: Serialize + BorshSerialize>(name: &str, value: &T) -> Value {
    json!({"type": name, "value": value, "bytes": hex(codec::encode(value))})
}

/// The same, with more members.
fn with(mut value: Value, more: &Value) -> Value {
    for (name, member) in more.as_object().unwrap() {
        value[name] = member.clone();
    }
    value
}

/// An election with two contests, of this eligibility.
pub(super) fn election(eligibility: Eligibility) -> ElectionSpec {
    let option = |id: &str, title: &str| OptionSpec {
        id: id.into(),
        title: title.into(),
    };
    let contest = |id: &str, params: &str| ContestSpec {
        id: id.into(),
        title: "Ω and \"é\" \\".into(),
        plugin: Hash::of(b"plugin"),
        options: vec![option("a", "A"), option("b", "ب")],
        params: params.into(),
    };
    ElectionSpec {
        title: "Council".into(),
        contests: vec![contest("mayor", "{}"), contest("law", "{\"seats\": 2}")],
        eligibility,
        revote: Revote::Last,
        disclosure: Disclosure::AtClose,
    }
}

/// Each of the six forms.
pub(super) fn eligibilities() -> [Eligibility; 6] {
    let registrar = key(50).public();
    [
        Eligibility::Registrar {
            registrar,
            open_to: OpenTo::Named,
        },
        Eligibility::RegistrarRoll {
            registrar,
            roll: RollChanges::Grows,
        },
        Eligibility::Credentials {
            roll: RollChanges::Grows,
        },
        Eligibility::Registrar {
            registrar,
            open_to: OpenTo::Accounts,
        },
        Eligibility::RegistrarRoll {
            registrar,
            roll: RollChanges::Fixed,
        },
        Eligibility::Credentials {
            roll: RollChanges::Fixed,
        },
    ]
}

/// What validators might say of an election.
pub(super) fn attestation() -> Attestation {
    Attestation {
        election_id: 3,
        board_root: Hash::of(b"board"),
        board_size: 300,
        plugins: vec![Hash::of(b"plugin"), Hash::of(b"plugin")],
        outcomes: vec![Hash::of(b"mayor"), Hash::of(b"law")],
    }
}

/// Evidence of each kind that one validator lied.
pub(super) fn evidence(genesis: &Genesis) -> [Evidence; 4] {
    let network = genesis.hash();
    let vote = |block: &[u8]| {
        let vote = precommit(Some(Hash::of(block)));
        let signature = key(1).sign(&vote.signing_bytes(&network));
        (vote, signature)
    };
    let proposal = |block: &[u8]| {
        let proposal = ConsensusProposal {
            height: 9,
            round: 2,
            value: Hash::of(block),
            valid_round: Some(1),
            proposer: key(1).public(),
        };
        let signature = key(1).sign(&proposal.signing_bytes(&network));
        (proposal, signature)
    };
    let ack = |block: &[u8]| Ack::sign(&network, 9, Hash::of(block), Hash::of(b"state"), &key(1));
    let fork = |block: &[u8]| certificate(genesis, 9, Hash::of(block), &[1, 2]);
    [
        Evidence::votes(vote(b"one"), vote(b"other")),
        Evidence::proposals(proposal(b"one"), proposal(b"other")),
        Evidence::acks(ack(b"one"), ack(b"other")),
        Evidence::fork(fork(b"one"), fork(b"other")),
    ]
}

fn precommit(value: Option<Hash>) -> ConsensusVote {
    ConsensusVote {
        kind: ConsensusVoteKind::Precommit,
        height: 9,
        round: 2,
        value,
        validator: key(1).public(),
    }
}

/// Changes of every kind, one after the other.
pub(super) fn changes() -> Vec<ValidatorChange> {
    let address = |port: u16| NodeAddress {
        p2p_address: format!("127.0.0.1:{port}"),
        rpc_url: format!("http://127.0.0.1:{}", port + 1),
    };
    vec![
        ValidatorChange::Add {
            validator: ValidatorInfo {
                node_id: "validator-4".into(),
                public_key: key(4).public(),
            },
            address: address(1_000),
        },
        ValidatorChange::Readdress {
            public_key: key(1).public(),
            address: address(2_000),
        },
        ValidatorChange::SetQuorum {
            quorum: Quorum::Bft,
        },
    ]
}

pub(super) fn vectors() -> Value {
    let genesis = genesis(3, Quorum::Majority);
    let network = genesis.hash();
    let mut values = vec![
        with(value("genesis", &genesis), &json!({"hash": network})),
        value("attestation", &attestation()),
        value(
            "roll entry",
            &RollEntry {
                voter: VoterId([9; 32]),
                weight: 7,
            },
        ),
    ];
    values.extend(eligibilities().map(|eligibility| value("election", &election(eligibility))));
    values.extend(headers(&genesis));
    values.extend(boards());
    values.extend(validators(&genesis));
    values.extend(statements(&genesis));
    values.push(json!({
        "type": "pseudonym", "secret": hex([7; 32]), "voter_id": "ada",
        "hash": VoterId::pseudonym(&[7; 32], "ada"),
    }));
    values.push(json!({
        "type": "state root", "bytes": hex(b"logs"), "elections_root": Hash::of(b"elections"),
        "hash": tabella_protocol::state_root(b"logs", &Hash::of(b"elections")),
    }));
    Value::Array(values)
}

fn headers(genesis: &Genesis) -> Vec<Value> {
    let header = receipt(genesis, 3, 7, &[]).header;
    let mut first = header.clone();
    (first.version, first.validators) = (1, None);
    let hashed = |header: &Header| with(value("header", header), &json!({"hash": header.hash()}));
    let certificate = certificate(genesis, 9, header.hash(), &[1, 3]);
    vec![
        hashed(&header),
        hashed(&first),
        value("certificate", &certificate),
    ]
}

fn boards() -> Vec<Value> {
    let entry = |position: u64| BoardEntry {
        election_id: 3,
        position,
        transaction_id: Hash::of(&position.to_be_bytes()),
        voter: VoterId([position as u8; 32]),
        weight: 2,
        ballot_hash: BoardEntry::ballot_hash(&[vec![1, 2, 3], vec![]]),
    };
    let leaves: Vec<Hash> = (0..5).map(|position| entry(position).leaf()).collect();
    let head = BoardHead {
        election_id: 3,
        size: 5,
        root: merkle::root(&leaves),
    };
    let mut values: Vec<Value> = (0..5)
        .map(|position| {
            with(
                value("board entry", &entry(position)),
                &json!({"leaf": leaves[position as usize]}),
            )
        })
        .collect();
    values.push(with(
        value("board head", &head),
        &json!({"leaf": head.leaf(), "entries": leaves}),
    ));
    let ballots = vec![vec![1u8, 2, 3], vec![]];
    values.push(json!({
        "type": "ballots", "value": ballots.iter().map(hex).collect::<Vec<_>>(),
        "bytes": hex(codec::encode(&ballots)), "hash": BoardEntry::ballot_hash(&ballots),
    }));
    values
}

fn validators(genesis: &Genesis) -> Vec<Value> {
    let mut history = ValidatorHistory::new(genesis);
    let first = with(
        value("validator set", history.latest()),
        &json!({"link": history.hash()}),
    );
    let before = history.hash();
    history.decide(9, &changes()).unwrap();
    let decided = with(
        value("validator set", history.latest()),
        &json!({"link": history.hash(), "before": before, "decided_at": 9, "changes": hex(codec::encode(&changes()))}),
    );
    vec![first, decided]
}

fn statements(genesis: &Genesis) -> Vec<Value> {
    let network = genesis.hash();
    let ack = Ack::sign(&network, 9, Hash::of(b"block"), Hash::of(b"state"), &key(2));
    let signed = |vote: &ConsensusVote| {
        with(
            value("vote", vote),
            &json!({"network": network, "message": hex(vote.signing_bytes(&network))}),
        )
    };
    let mut values = vec![
        with(value("ack", &ack), &json!({"network": network})),
        signed(&precommit(Some(Hash::of(b"block")))),
        signed(&precommit(None)),
    ];
    let history = ValidatorHistory::new(genesis);
    values.extend(evidence(genesis).map(|evidence| {
        let summary = evidence.verify(&history).unwrap();
        with(
            value("evidence", &evidence),
            &json!({"subject": evidence.subject(), "height": summary.height, "kind": summary.kind}),
        )
    }));
    values
}
