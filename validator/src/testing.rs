//! A ledger with an open election, for this crate's tests.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use serde_json::json;
use tabella_ledger::{BuildLimits, Ledger, Vetted};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, OpenTo,
    OptionSpec, Payload, PluginLimits, Quorum, Revote, SigningKey, Transaction, TransactionBody,
    ValidatorInfo, VoterId,
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{
    application::Validator, evidence::EvidenceLog, intake::Intake, journal::Journal,
    metrics::Metrics, pool::Pool, replica::Replica, stop::Stop, undecided::Undecided,
};

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// A ledger whose election 1 takes ballots, and the directory that holds it.
pub(crate) struct Fixture {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) directory: TempDir,
}

impl Fixture {
    pub(crate) fn new(revote: Revote) -> Self {
        Self::start(revote, Self::genesis(Quorum::Majority))
    }

    pub(crate) fn with_quorum(quorum: Quorum) -> Self {
        Self::start(Revote::Refuse, Self::genesis(quorum))
    }

    /// One whose chain begins now.
    pub(crate) fn of_today() -> Self {
        let mut genesis = Self::genesis(Quorum::Majority);
        genesis.timestamp_ms = tabella_clock::now_ms();
        Self::start(Revote::Refuse, genesis)
    }

    /// Of the validators `v`, `v2` and `v3`, with the keys 1 to 3.
    pub(crate) fn of_three() -> Self {
        let mut genesis = Self::genesis(Quorum::Majority);
        let others = [2, 3].map(|n| ValidatorInfo {
            node_id: format!("v{n}"),
            public_key: key(n).public(),
        });
        genesis.validators.extend(others);
        Self::start(Revote::Refuse, genesis)
    }

    /// A chain without a block.
    pub(crate) fn empty(genesis: Genesis) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let ledger = Arc::new(Ledger::open(directory.path(), genesis).expect("a fresh ledger"));
        Self { ledger, directory }
    }

    fn start(revote: Revote, genesis: Genesis) -> Self {
        let fixture = Self::empty(genesis);
        let wasm = tabella_plugins::get("plurality")
            .expect("a built-in rule")
            .wasm;
        let option = |id: &str| OptionSpec {
            id: id.into(),
            title: id.into(),
        };
        let spec = ElectionSpec {
            title: "Test".into(),
            contests: vec![ContestSpec {
                id: "main".into(),
                title: "Who?".into(),
                plugin: Hash::of(wasm),
                options: ["a", "b"].map(option).to_vec(),
                params: "{}".into(),
            }],
            eligibility: Eligibility::Registrar {
                registrar: key(1).public(),
                open_to: OpenTo::Named,
            },
            revote,
            disclosure: Disclosure::AtClose,
        };
        fixture.commit(Payload::PublishPlugin {
            wasm: wasm.to_vec(),
        });
        fixture.commit(Payload::CreateElection(spec));
        fixture.commit(Payload::OpenElection { election_id: 1 });
        fixture
    }

    /// A network of the one validator with [`key`]`(1)`.
    pub(crate) fn genesis(quorum: Quorum) -> Genesis {
        Genesis {
            version: Genesis::VERSION,
            chain_id: 7,
            network: "test".into(),
            timestamp_ms: 1,
            quorum,
            validators: vec![ValidatorInfo {
                node_id: "v".into(),
                public_key: key(1).public(),
            }],
            authorities: vec![key(1).public()],
            plugin_limits: PluginLimits::default(),
            block_bytes_max: 4 << 20,
            expiry_heights_max: 100,
        }
    }

    /// Canonical bytes of a signed transaction; the nonce makes equal payloads distinct.
    pub(crate) fn sign(&self, nonce: u64, payload: Payload) -> Vec<u8> {
        self.sign_by(&key(1), nonce, payload)
    }

    pub(crate) fn sign_by(&self, signer: &SigningKey, nonce: u64, payload: Payload) -> Vec<u8> {
        let expiry_height = self.ledger.tip().height + 50;
        let body = TransactionBody {
            chain_id: 7,
            expiry_height,
            nonce,
            sequence: None,
            payload,
        };
        Transaction::sign(body, signer).to_bytes()
    }

    /// A ballot of voter number `voter`.
    pub(crate) fn ballot(&self, voter: u8, nonce: u64) -> Vec<u8> {
        let election = self.ledger.election(1).expect("the fixture's election");
        let ballot = election.contests()[0].encode_ballot(&json!({ "choice": "a" }));
        let ballots = vec![ballot.expect("a valid ballot")];
        let voter = VoterId([voter; 32]);
        self.sign(
            nonce,
            Payload::CastBallot {
                election_id: 1,
                voter,
                ballots,
            },
        )
    }

    pub(crate) fn vet(&self, bytes: &[u8]) -> Vetted {
        self.ledger.vet(bytes).expect("a sound transaction")
    }

    pub(crate) fn commit(&self, payload: Payload) {
        let bytes = self.sign(0, payload);
        self.commit_bytes(&bytes);
    }

    pub(crate) fn commit_bytes(&self, bytes: &[u8]) {
        let vetted = self.vet(bytes);
        let limits = BuildLimits {
            bytes_max: 1 << 20,
            transactions_max: 10,
        };
        let built = self
            .ledger
            .build(key(1).public(), 0, [&vetted], limits)
            .expect("a block");
        assert!(built.refused.is_empty(), "{:?}", built.refused);
        let certificate = CommitCertificate {
            height: built.block.header().height,
            round: 0,
            block_hash: built.block.hash(),
            signatures: Vec::new(),
        };
        self.ledger
            .commit(built.block, &certificate)
            .expect("a commit");
    }
}

/// A validator over a fixture's chain that takes part in no consensus.
pub(crate) async fn validator(fixture: &Fixture, stop: &Stop) -> Arc<Validator> {
    let file = |name: &str| fixture.directory.path().join(name);
    let ledger = Arc::clone(&fixture.ledger);
    let metrics = Arc::new(Metrics::default());
    let evidence = EvidenceLog::open(
        &file("evidence.json"),
        &ledger,
        Arc::clone(&metrics),
        stop.clone(),
    );
    let evidence = Arc::new(evidence.unwrap());
    let (journal, held) = Journal::open(&file("mempool.redb"), stop.clone()).unwrap();
    let pool = Arc::new(Pool::new(
        Arc::clone(&ledger),
        crate::mempool::Bounds {
            transactions_max: 1_000,
            bytes_max: 1 << 20,
        },
    ));
    let intake = Intake::start(Arc::clone(&pool), journal, held, stop.clone()).await;
    let replica = Replica::new(
        Arc::clone(&ledger),
        pool,
        Undecided::open(&file("undecided.redb")).unwrap(),
        Arc::clone(&evidence),
        key(1),
        BuildLimits {
            bytes_max: 1 << 20,
            transactions_max: 10,
        },
    );
    Arc::new(Validator {
        replica: Arc::new(replica),
        evidence,
        dissent: Arc::default(),
        intake,
        metrics,
        idle_block: Duration::from_secs(1),
        tip: watch::channel(ledger.tip()).0,
        ledger,
        consensus: OnceLock::new(),
        deciding: Mutex::default(),
        last_commit: Mutex::default(),
    })
}
