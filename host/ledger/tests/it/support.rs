//! A network of ledgers without a network: one builds, all check and commit.

use std::path::Path;

use serde_json::{Value, json};
use tabella_ledger::{BuildLimits, Ledger, Refusal, VetError, Vetted};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, OpenTo,
    OptionSpec, Payload, PluginLimits, Quorum, Revote, RollChanges, SigningKey, Transaction,
    TransactionBody, ValidatorInfo, VoterId,
};
use tempfile::TempDir;

pub(crate) const LIMITS: BuildLimits = BuildLimits {
    bytes_max: 1 << 20,
    transactions_max: 1_000,
};

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn authority() -> SigningKey {
    key(100)
}

pub(crate) fn registrar() -> SigningKey {
    key(101)
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        version: Genesis::VERSION,
        chain_id: 7,
        network: "test".into(),
        timestamp_ms: 1_000,
        quorum: Quorum::Majority,
        validators: (1..=3)
            .map(|n| ValidatorInfo {
                node_id: format!("validator-{n}"),
                public_key: key(n).public(),
            })
            .collect(),
        authorities: vec![authority().public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 4 << 20,
        expiry_heights_max: 1_000,
    }
}

pub(crate) fn plurality() -> &'static [u8] {
    tabella_plugins::get("plurality")
        .expect("plurality is built in")
        .wasm
}

/// Two ledgers that must stay equal.
pub(crate) struct Chain {
    pub(crate) builder: Ledger,
    pub(crate) checker: Ledger,
    pub(crate) directories: [TempDir; 2],
    nonce: u64,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        Self {
            builder: open(directories[0].path()),
            checker: open(directories[1].path()),
            directories,
            nonce: 0,
        }
    }

    /// A chain with an open plurality election between a, b and c.
    pub(crate) fn with_election(revote: Revote, eligibility: Eligibility) -> Self {
        let mut chain = Self::new();
        chain.accept(
            &authority(),
            Payload::PublishPlugin {
                wasm: plurality().to_vec(),
            },
        );
        chain.accept(
            &authority(),
            Payload::CreateElection(election(revote, eligibility)),
        );
        chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
        chain
    }

    pub(crate) fn sign(&mut self, signer: &SigningKey, payload: Payload) -> Vec<u8> {
        self.nonce += 1;
        let expiry_height = self.builder.tip().height + 100;
        let body = TransactionBody {
            chain_id: 7,
            expiry_height,
            nonce: self.nonce,
            sequence: None,
            payload,
        };
        Transaction::sign(body, signer).to_bytes()
    }

    pub(crate) fn judge(&self, bytes: &[u8]) -> Result<Vetted, Refusal> {
        let judged = self.builder.vet(bytes).and_then(|vetted| {
            self.builder.admit(&vetted)?;
            Ok(vetted)
        });
        judged.map_err(|error| match error {
            VetError::Refused(refusal) => refusal,
            VetError::Ledger(error) => panic!("{error}"),
        })
    }

    /// Judges a payload; returns the refusal as text.
    pub(crate) fn refusal(&mut self, signer: &SigningKey, payload: Payload) -> String {
        let bytes = self.sign(signer, payload);
        refusal_text(self.judge(&bytes))
    }

    /// Puts a payload into a block of its own on both ledgers; returns the transaction id.
    pub(crate) fn accept(&mut self, signer: &SigningKey, payload: Payload) -> Hash {
        let bytes = self.sign(signer, payload);
        let vetted = self.judge(&bytes).unwrap();
        self.commit(&[vetted]);
        Hash::of(&bytes)
    }

    /// Builds a block on one ledger, checks it on the other, commits it on both.
    pub(crate) fn commit(&mut self, vetted: &[Vetted]) -> Vec<(Hash, Refusal)> {
        let now = self.builder.tip().timestamp_ms + 1_000;
        let proposer = self.builder.proposers()[0];
        let built = self.builder.build(proposer, now, vetted, LIMITS).unwrap();
        let bytes = built.block.bytes().clone();
        let checked = self.checker.check(&bytes, |_| None).unwrap().unwrap();
        assert_eq!(checked.hash(), built.block.hash());
        let certificate = certify(built.block.header().height, built.block.hash());
        let tip = self.builder.commit(built.block, &certificate).unwrap();
        assert_eq!(self.checker.commit(checked, &certificate).unwrap(), tip);
        built.refused
    }

    pub(crate) fn reopen(self) -> Self {
        let Self {
            builder,
            checker,
            directories,
            nonce,
        } = self;
        drop((builder, checker));
        let (builder, checker) = (open(directories[0].path()), open(directories[1].path()));
        Self {
            builder,
            checker,
            directories,
            nonce,
        }
    }
}

pub(crate) fn open(directory: &Path) -> Ledger {
    Ledger::open(directory, genesis()).unwrap()
}

pub(crate) fn refusal_text(judged: Result<Vetted, Refusal>) -> String {
    match judged {
        Ok(_) => "accepted".into(),
        Err(refusal) => format!("{}: {}", refusal.code.as_str(), refusal.message),
    }
}

pub(crate) fn certify(height: u64, block_hash: Hash) -> CommitCertificate {
    CommitCertificate::sign(&genesis().hash(), &[key(1), key(2)], height, block_hash)
}

pub(crate) fn election(revote: Revote, eligibility: Eligibility) -> ElectionSpec {
    let option = |id: &str| OptionSpec {
        id: id.into(),
        title: id.to_uppercase(),
    };
    ElectionSpec {
        title: "Test".into(),
        contests: vec![ContestSpec {
            id: "main".into(),
            title: "Who?".into(),
            plugin: Hash::of(plurality()),
            options: ["a", "b", "c"].map(option).to_vec(),
            params: "{}".into(),
        }],
        eligibility,
        revote,
        disclosure: Disclosure::AtClose,
    }
}

pub(crate) fn by_registrar() -> Eligibility {
    Eligibility::Registrar {
        registrar: registrar().public(),
        open_to: OpenTo::Named,
    }
}

pub(crate) fn credentials(roll: RollChanges) -> Eligibility {
    Eligibility::Credentials { roll }
}

pub(crate) fn voter(n: u32) -> VoterId {
    VoterId::pseudonym(&[1; 32], &n.to_string())
}

impl Chain {
    pub(crate) fn ballot(&self, plain: Value) -> Vec<u8> {
        self.builder.election(1).unwrap().contests()[0]
            .encode_ballot(&plain)
            .unwrap()
    }

    pub(crate) fn cast(&self, voter: VoterId, choice: &str) -> Payload {
        let ballots = vec![self.ballot(json!({ "choice": choice }))];
        Payload::CastBallot {
            election_id: 1,
            voter,
            ballots,
        }
    }
}
