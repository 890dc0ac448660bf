//! A chain of one election with three ballots, whose result two of three validators certified.

use tabella_ledger::Ledger;
use tabella_protocol::{
    Ack, Evidence, EvidenceFile, ExportLine, Hash, HexBytes, LedgerLine, Payload, Transaction,
    VoterId,
};
use tabella_testing::chain::{
    AUTHORITY, ELECTION, commit, genesis, key, open_election, rule, sign,
};
use tempfile::TempDir;

/// The export of a backend's local ledger for this network: one block, in which a rule is published.
pub(crate) fn local_export() -> Vec<LedgerLine> {
    let (backend, directory) = (key(50), TempDir::new().unwrap());
    let genesis = tabella_protocol::local_genesis(&genesis(), backend.public());
    let ledger = Ledger::open(directory.path(), genesis.clone()).unwrap();
    let published = sign(AUTHORITY, 1, Payload::PublishPlugin { wasm: rule() });
    commit(&ledger, &published, &[backend]);
    let stored = ledger.block(1).unwrap().unwrap();
    vec![
        LedgerLine::Genesis {
            genesis: Box::new(genesis),
        },
        LedgerLine::Block {
            block: HexBytes(stored.bytes),
            certificate: stored.certificate,
        },
        LedgerLine::End { blocks: 1 },
    ]
}

/// Evidence that the third validator acknowledged two blocks of one height.
pub(crate) fn evidence() -> String {
    let ack = |block: &[u8]| {
        let hash = Hash::of(block);
        Ack::sign(&genesis().hash(), 7, hash, hash, &key(3))
    };
    let file = EvidenceFile {
        version: EvidenceFile::VERSION,
        genesis: genesis().hash(),
        evidence: Evidence::acks(ack(b"a"), ack(b"b")),
        validator_sets: Vec::new(),
    };
    file.to_json()
}

pub(crate) struct Scene {
    ledger: Ledger,
    first_ballot: Transaction,
    _directory: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// As [`Scene::new`], with validators that agree on a wrong outcome.
    pub(crate) fn certifying_another_result() -> Self {
        Self::with(|outcome| *outcome = Hash::of(b"another"))
    }

    fn with(change: impl Fn(&mut Hash)) -> Self {
        let directory = TempDir::new().unwrap();
        let ledger = Ledger::open(directory.path(), genesis()).unwrap();
        let mut scene = Self {
            ledger,
            first_ballot: sign(AUTHORITY, 0, Payload::OpenElection { election_id: 0 }),
            _directory: directory,
        };
        open_election(&scene.ledger, &[1, 2].map(key));
        let election_id = ELECTION;
        for (n, choice) in [(1, 0), (2, 0), (3, 1)] {
            let payload = Payload::CastBallot {
                election_id,
                voter: VoterId([n; 32]),
                ballots: vec![vec![choice]],
            };
            let ballot = sign(AUTHORITY, 10 + u64::from(n), payload);
            if n == 1 {
                scene.first_ballot = ballot.clone();
            }
            scene.commit(ballot);
        }
        scene.commit(sign(AUTHORITY, 4, Payload::CloseElection { election_id }));
        let election = scene.ledger.election(election_id).unwrap();
        let mut attestation = scene.ledger.tally(&election).unwrap().attestation;
        change(&mut attestation.outcomes[0]);
        for validator in [1, 2] {
            let payload = Payload::AttestResult(attestation.clone());
            scene.commit(sign(validator, 5, payload));
        }
        scene
    }

    fn commit(&self, transaction: Transaction) {
        commit(&self.ledger, &transaction, &[1, 2].map(key));
    }

    /// The lines of the election's export.
    pub(crate) fn export(&self) -> Vec<ExportLine> {
        let blocks = self.ledger.tip().height;
        let mut lines = vec![ExportLine::Genesis {
            election_id: ELECTION,
            genesis: Box::new(genesis()),
        }];
        lines.extend((1..=blocks).map(|height| {
            let stored = self.ledger.block(height).unwrap().unwrap();
            ExportLine::Block {
                block: HexBytes(stored.bytes),
                certificate: stored.certificate,
            }
        }));
        lines.push(ExportLine::End { blocks });
        lines
    }

    /// The transaction of the first ballot, which chose `a`.
    pub(crate) fn first_ballot(&self) -> &Transaction {
        &self.first_ballot
    }

    /// Its receipt.
    pub(crate) fn receipt(&self) -> String {
        let receipt = self.ledger.receipt(&self.first_ballot.id()).unwrap();
        receipt.unwrap().to_json()
    }

    /// The proof of what the election asks.
    pub(crate) fn election_proof(&self) -> Vec<u8> {
        let proof = self.ledger.election_proof(ELECTION).unwrap();
        serde_json::to_vec(&proof.unwrap()).unwrap()
    }
}
