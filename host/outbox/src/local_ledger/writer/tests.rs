use serde_json::json;
use tabella_protocol::{
    ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, OpenTo, OptionSpec, Payload,
    PluginLimits, Quorum, Revote, Transaction, TransactionBody, ValidatorInfo, VoterId,
};

use super::*;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

fn sign(nonce: u64, payload: Payload) -> Vec<u8> {
    let mut body = TransactionBody::new(7, 1_000, payload);
    body.nonce = nonce;
    Transaction::sign(body, &key(1)).to_bytes()
}

/// A ledger with the open election 1, which refuses a second ballot.
fn open_election() -> (tempfile::TempDir, Opened) {
    let network = Genesis {
        version: Genesis::VERSION,
        chain_id: 7,
        network: "test".into(),
        timestamp_ms: 1,
        quorum: Quorum::Majority,
        validators: vec![ValidatorInfo {
            node_id: "validator-1".into(),
            public_key: key(2).public(),
        }],
        authorities: vec![key(1).public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 1 << 20,
        expiry_heights_max: 100_000,
    };
    let directory = tempfile::tempdir().unwrap();
    let opened = files::open(directory.path(), &network).unwrap();
    let wasm = tabella_plugins::get("plurality").unwrap().wasm;
    let options = ["a", "b"].map(|id| OptionSpec {
        id: id.into(),
        title: id.into(),
    });
    let spec = ElectionSpec {
        title: "Mayor".into(),
        contests: vec![ContestSpec {
            id: "mayor".into(),
            title: "Mayor".into(),
            plugin: Hash::of(wasm),
            options: options.into(),
            params: "{}".into(),
        }],
        eligibility: Eligibility::Registrar {
            registrar: key(1).public(),
            open_to: OpenTo::Named,
        },
        revote: Revote::Refuse,
        disclosure: Disclosure::AtClose,
    };
    let wasm = wasm.to_vec();
    for payload in [
        Payload::PublishPlugin { wasm },
        Payload::CreateElection(spec),
        Payload::OpenElection { election_id: 1 },
    ] {
        replay(&opened, &[sign(0, payload)]).unwrap();
    }
    (directory, opened)
}

fn ballot(opened: &Opened, voter: u8, choice: &str) -> Vec<u8> {
    let election = opened.ledger.election(1).expect("it is open");
    let ballot = election.contests()[0].encode_ballot(&json!({"choice": choice}));
    let payload = Payload::CastBallot {
        election_id: 1,
        voter: VoterId([voter; 32]),
        ballots: vec![ballot.unwrap()],
    };
    sign(u64::from(voter), payload)
}

/// What a voter is told of a ballot is what the ledger holds, also of one that stands against an
/// earlier ballot of the same group.
#[test]
fn a_ballot_that_stands_against_one_before_it_in_the_group_is_refused() {
    let (_directory, opened) = open_election();
    let of = |voter, choice| ballot(&opened, voter, choice);
    let group = [of(9, "a"), of(9, "b"), of(8, "a"), of(8, "a"), of(7, "b")];
    let results = append_all(&opened, &group).unwrap();
    let codes: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(|refusal| refusal.code))
        .collect();
    let second = Some(RefusalCode::AlreadyVoted);
    assert_eq!(codes, [None, second, None, None, None]);
    for (bytes, result) in group.iter().zip(&results) {
        let place = opened.ledger.place_of(&Hash::of(bytes)).unwrap();
        assert_eq!(place.is_some(), result.is_ok());
    }
    assert_eq!(opened.ledger.election(1).unwrap().board().size, 3);
}
