//! What every run starts from: keys, genesis, an open election, ballots.

use std::path::Path;

use serde_json::json;
use tabella_ledger::{BuildLimits, Ledger};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, OpenTo,
    OptionSpec, Payload, PluginLimits, Quorum, Revote, SigningKey, Transaction, TransactionBody,
    ValidatorInfo, VoterId,
};
use tabella_runtime::Runtime;

use super::{chance::Chance, plan::Plan, world::Client};

const LIMITS: BuildLimits = BuildLimits {
    bytes_max: 1 << 20,
    transactions_max: 10,
};

/// What runs share.
pub(super) struct Setup {
    pub(super) runtime: Runtime,
}

impl Setup {
    pub(super) fn new(plugin_cache: &Path) -> Self {
        let genesis = genesis(3, Quorum::Majority);
        let runtime = Ledger::runtime_for(&genesis, plugin_cache).expect("a runtime");
        Self { runtime }
    }
}

pub(super) fn keys(validators: usize) -> Vec<SigningKey> {
    let seeds = 1..=u8::try_from(validators).expect("few validators");
    seeds
        .map(|seed| SigningKey::from_seed([seed; 32]))
        .collect()
}

fn authority() -> SigningKey {
    SigningKey::from_seed([100; 32])
}

pub(super) fn genesis(validators: usize, quorum: Quorum) -> Genesis {
    let infos = keys(validators).into_iter().enumerate();
    Genesis {
        version: Genesis::VERSION,
        chain_id: 7,
        network: "simulation".into(),
        timestamp_ms: 1_000_000,
        quorum,
        validators: infos
            .map(|(index, key)| ValidatorInfo {
                node_id: format!("validator-{}", index + 1),
                public_key: key.public(),
            })
            .collect(),
        authorities: vec![authority().public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 4 << 20,
        expiry_heights_max: 100_000,
    }
}

fn sign(nonce: u64, payload: Payload) -> Vec<u8> {
    let body = TransactionBody {
        chain_id: 7,
        expiry_height: 50_000,
        nonce,
        sequence: None,
        payload,
    };
    Transaction::sign(body, &authority()).to_bytes()
}

/// Puts an open election on the chain of every validator, before the run begins.
pub(super) fn open_election(ledgers: &[&Ledger], keys: &[SigningKey], revote: Revote) {
    let wasm = tabella_plugins::get("plurality")
        .expect("a built-in rule")
        .wasm;
    let option = |id: &str| OptionSpec {
        id: id.into(),
        title: id.into(),
    };
    let spec = ElectionSpec {
        title: "Simulated".into(),
        contests: vec![ContestSpec {
            id: "main".into(),
            title: "Who?".into(),
            plugin: Hash::of(wasm),
            options: ["a", "b"].map(option).to_vec(),
            params: "{}".into(),
        }],
        eligibility: Eligibility::Registrar {
            registrar: authority().public(),
            open_to: OpenTo::Named,
        },
        revote,
        disclosure: Disclosure::AtClose,
    };
    let payloads = [
        Payload::PublishPlugin {
            wasm: wasm.to_vec(),
        },
        Payload::CreateElection(spec),
        Payload::OpenElection { election_id: 1 },
    ];
    for payload in payloads {
        let first = ledgers[0];
        let vetted = first.vet(&sign(0, payload)).expect("a sound transaction");
        let proposer = first.proposers()[0];
        let built = first
            .build(proposer, 0, [&vetted], LIMITS)
            .expect("a block");
        assert!(built.refused.is_empty(), "{:?}", built.refused);
        let bytes = built.block.bytes().clone();
        let genesis = first.genesis_hash();
        let certificate = CommitCertificate::sign(
            &genesis,
            keys,
            built.block.header().height,
            built.block.hash(),
        );
        for ledger in ledgers {
            let known = |_: &Hash| Some(vetted.clone());
            let block = ledger.check(&bytes, known).expect("a sound host");
            let block = block.expect("a sound block");
            ledger.commit(block, &certificate).expect("a commit");
        }
    }
}

/// The ballots of a run. Some voters cast a second one, some clients send theirs to two validators.
pub(super) fn clients(ledger: &Ledger, plan: &Plan, chance: &mut Chance) -> Vec<Client> {
    let election = ledger.election(1).expect("the open election");
    let mut clients = Vec::new();
    let node = |chance: &mut Chance| loop {
        let node = chance.index(plan.validators);
        if plan.attack.is_none_or(|attack| attack.attacker != node) {
            break node;
        }
    };
    for voter in 0..plan.voters {
        let ballots = 1 + u64::from(chance.happens(200));
        for nonce in 0..ballots {
            let choice = chance.of(&["a", "b"]);
            let ballot = election.contests()[0].encode_ballot(&json!({ "choice": choice }));
            let voter = VoterId([voter + 1; 32]);
            let payload = Payload::CastBallot {
                election_id: 1,
                voter,
                ballots: vec![ballot.expect("a valid ballot")],
            };
            let transaction = sign(nonce + 1, payload);
            let copies = 1 + u64::from(chance.happens(100));
            for _ in 0..copies {
                clients.push(Client {
                    voter,
                    transaction: transaction.clone(),
                    node: node(chance),
                    answered: None,
                });
            }
        }
    }
    clients
}
