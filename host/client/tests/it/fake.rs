//! A network of fake validators: one honest chain, made on demand and signed with the validators'
//! real keys, served over real HTTP by nodes that can each be told to misbehave.
//!
//! - `node`: one validator's server; `answer`: what it answers.
//!
//! [`Network::new`] makes blocks of whatever it is given; [`Network::real`] executes them with the
//! ledger, so that whoever follows it can execute them too.

// By their paths: other crates' tests include this file from elsewhere.
#[path = "fake/answer.rs"]
mod answer;
#[path = "fake/node.rs"]
mod node;

pub(crate) use node::Node;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, atomic::AtomicUsize},
    time::Duration,
};

use tabella_ledger::{BuildLimits, Ledger, VetError, Vetted};
use tabella_protocol::{
    Ack, Block, BoardEntry, BoardHead, CommitCertificate, Genesis, Hash, Header, Payload,
    PluginLimits, Quorum, Receipt, Revote, SigningKey, Transaction, ValidatorHistory,
    ValidatorInfo,
    merkle::{self, Frontier},
    rpc::{BlockSummary, ElectionStatus, ElectionView, RefusalCode, ResultsView},
    transactions_root,
};
use tokio::sync::watch;

/// How a node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As it should.
    Honest,
    /// Status 503 to everything.
    Unavailable,
    /// Never.
    Hanging,
    /// After this long.
    Slow(Duration),
    /// Its status and submissions at once, everything else never.
    HoldsReads,
    /// Whole blocks never, everything else as it should.
    HoldsBodies,
    /// With bytes that are no JSON-RPC.
    Garbage,
    /// Serves blocks whose transaction ids it invented.
    InventsTransactions,
    /// Serves the acks of every block many times, and of more blocks than it was asked for.
    FloodsAcks,
    /// Says at each check that it holds more evidence, which proves nothing.
    FloodsEvidence,
    /// Serves blocks that only it has signed.
    ForgesCertificates,
    /// Takes every transaction, and never says so.
    LosesAnswers,
    /// Takes nothing, and fails each submission with many words that are no refusal.
    Errors,
    /// Fails each submission of a ballot so, and takes everything else.
    FailsBallots,
    /// Takes nothing, and says that it took another transaction.
    TakesAnother,
    /// Hands out this receipt, whichever is asked for.
    Receipt(Box<Receipt>),
    /// Refuses every transaction with this code and message.
    Refuses(RefusalCode, String),
    /// Refuses so as well, and does not tell where any transaction stands.
    RefusesUntold(RefusalCode, String),
    /// Has every block, and does not sign.
    Idle,
    /// Says that it has a block of this height.
    Claims(u64),
    /// Has no block yet.
    Behind,
    /// Serves blocks whose transactions' bytes it changed.
    TampersWithBlocks,
    /// Serves blocks of validators that nobody knows, and never tells who these are.
    UnknownValidators,
    /// Whole blocks after this long, everything else as it should.
    SlowBodies(Duration),
    /// Does not tell now where this transaction stands.
    BusyAt(Hash),
}

/// The chain that all nodes share.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) summaries: Vec<BlockSummary>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) included: HashMap<Hash, u64>,
    mempool: Vec<Vec<u8>>,
    pub(crate) voters: BTreeMap<(u64, [u8; 32]), Hash>,
    boards: BTreeMap<u64, Frontier>,
}

impl Chain {
    /// How many transactions wait for a block.
    pub(crate) fn mempool_len(&self) -> usize {
        self.mempool.len()
    }
}

pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) keys: Vec<SigningKey>,
    /// Executes the blocks, where they are to be executable.
    pub(crate) ledger: Option<Ledger>,
    chain: Mutex<Chain>,
    height: watch::Sender<u64>,
    /// Whether a submission is put into a block at once.
    pub(crate) commits: Mutex<bool>,
    pub(crate) elections: Mutex<BTreeMap<u64, ElectionView>>,
    pub(crate) plugins: Mutex<HashMap<Hash, Vec<u8>>>,
    pub(crate) results: Mutex<HashMap<u64, ResultsView>>,
}

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

pub(crate) const AUTHORITY: u8 = 100;
pub(crate) const REGISTRAR: u8 = 101;

pub(crate) fn genesis(validators: u8) -> Genesis {
    Genesis {
        version: Genesis::VERSION,
        chain_id: 77,
        network: "fake".into(),
        timestamp_ms: 1,
        quorum: Quorum::Majority,
        validators: (1..=validators)
            .map(|n| ValidatorInfo {
                node_id: format!("validator-{n}"),
                public_key: key(n).public(),
            })
            .collect(),
        authorities: vec![key(AUTHORITY).public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 1 << 20,
        expiry_heights_max: 100_000,
    }
}

impl Network {
    /// Blocks of anything at all.
    pub(crate) fn new(validators: u8) -> Arc<Self> {
        Self::with(genesis(validators), None)
    }

    /// Blocks of what the ledger takes; compiled plugins are cached in `cache`.
    pub(crate) fn real(genesis: Genesis, cache: &std::path::Path) -> Arc<Self> {
        let runtime = Ledger::runtime_for(&genesis, cache).unwrap();
        let storage = redb::backends::InMemoryBackend::new();
        let ledger = Ledger::open_on(storage, runtime, genesis.clone()).unwrap();
        Self::with(genesis, Some(ledger))
    }

    pub(crate) fn with(genesis: Genesis, ledger: Option<Ledger>) -> Arc<Self> {
        let validators = u8::try_from(genesis.validators.len()).unwrap();
        Arc::new(Self {
            genesis,
            ledger,
            keys: (1..=validators).map(key).collect(),
            chain: Mutex::default(),
            height: watch::Sender::new(0),
            commits: Mutex::new(true),
            elections: Mutex::default(),
            plugins: Mutex::default(),
            results: Mutex::default(),
        })
    }

    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap()
    }

    /// Puts everything submitted so far, and `more`, into a block.
    pub(crate) fn commit(&self, more: Vec<Transaction>) {
        let genesis = self.genesis.hash();
        let mut chain = self.chain();
        let mut bytes = std::mem::take(&mut chain.mempool);
        bytes.extend(more.iter().map(Transaction::to_bytes));
        if let Some(ledger) = &self.ledger {
            let height = self.commit_real(ledger, &mut chain, &bytes);
            drop(chain);
            self.height.send_replace(height);
            return;
        }
        let ids: Vec<Hash> = bytes.iter().map(|bytes| Hash::of(bytes)).collect();
        let height = chain.summaries.len() as u64 + 1;
        for (id, bytes) in ids.iter().zip(&bytes) {
            chain.included.insert(*id, height);
            self.append(&mut chain, id, bytes);
        }
        let parent = chain
            .summaries
            .last()
            .map_or(genesis, |last| last.header.hash());
        let header = Header {
            version: Header::VERSION,
            genesis,
            height,
            parent,
            timestamp_ms: 1_700_000_000_000 + height,
            proposer: self.keys[0].public(),
            transaction_count: u32::try_from(ids.len()).unwrap(),
            transactions_root: transactions_root(&ids),
            boards_root: merkle::root(&[]),
            state_root: Hash::of(&height.to_be_bytes()),
            validators: Some(ValidatorHistory::new(&self.genesis).hash()),
        };
        let hash = header.hash();
        let acks = self
            .keys
            .iter()
            .map(|key| Ack::sign(&genesis, height, hash, header.state_root, key))
            .collect();
        chain.summaries.push(BlockSummary {
            certificate: certify(&genesis, height, hash, &self.keys),
            header: header.clone(),
            acks,
            transaction_ids: ids,
        });
        chain.blocks.push(Block {
            header,
            transactions: bytes,
        });
        drop(chain);
        self.height.send_replace(height);
    }

    /// Executes a block of these transactions; one that the ledger refuses is a mistake of the test.
    fn commit_real(&self, ledger: &Ledger, chain: &mut Chain, bytes: &[Vec<u8>]) -> u64 {
        let vetted: Vec<Vetted> = bytes
            .iter()
            .map(|bytes| match ledger.vet(bytes) {
                Ok(vetted) => vetted,
                Err(error) => panic!("a transaction of the test is refused: {error}"),
            })
            .collect();
        let limits = BuildLimits {
            bytes_max: 1 << 20,
            transactions_max: 100_000,
        };
        let now = 1_700_000_000_000 + ledger.tip().height;
        let proposer = self.keys[0].public();
        let built = ledger.build(proposer, now, &vetted, limits).unwrap();
        assert!(built.refused.is_empty(), "refused: {:?}", built.refused);
        let block: Block = tabella_protocol::codec::decode(built.block.bytes(), 1 << 21).unwrap();
        let (header, hash) = (built.block.header().clone(), built.block.hash());
        let transaction_ids = built.block.transaction_ids().to_vec();
        let genesis = self.genesis.hash();
        let certificate = certify(&genesis, header.height, hash, &self.keys);
        ledger.commit(built.block, &certificate).unwrap();
        let acks: Vec<Ack> = self
            .keys
            .iter()
            .map(|key| Ack::sign(&genesis, header.height, hash, header.state_root, key))
            .collect();
        for ack in &acks {
            ledger.add_ack(ack.clone()).unwrap();
        }
        for (id, bytes) in transaction_ids.iter().zip(bytes) {
            chain.included.insert(*id, header.height);
            let payload = Transaction::from_bytes(bytes).unwrap().body.payload;
            if let Payload::CastBallot {
                election_id, voter, ..
            } = payload
            {
                chain.voters.insert((election_id, voter.0), *id);
            }
        }
        let height = header.height;
        chain.summaries.push(BlockSummary {
            certificate,
            header,
            acks,
            transaction_ids,
        });
        chain.blocks.push(block);
        let mut elections = self.elections.lock().unwrap();
        for election in ledger.elections() {
            elections.insert(election.id(), election.view());
        }
        height
    }

    /// Has `attesters` of the validators count a closed election and attest the outcome, by number.
    pub(crate) fn attest(&self, election_id: u64, attesters: &[usize]) {
        let ledger = self.ledger.as_ref().expect("a real network");
        let election = ledger.election(election_id).unwrap();
        let tally = ledger.tally(&election).unwrap();
        ledger.store_tally(&tally).unwrap();
        let attestations = attesters.iter().map(|index| {
            let payload = Payload::AttestResult(tally.attestation.clone());
            let body = tabella_protocol::TransactionBody::new(77, 1_000, payload);
            Transaction::sign(body, &self.keys[*index])
        });
        self.commit(attestations.collect());
        let election = ledger.election(election_id).unwrap();
        let view = ledger.results_view(&election).unwrap();
        self.results.lock().unwrap().insert(election_id, view);
    }

    fn append(&self, chain: &mut Chain, id: &Hash, bytes: &[u8]) {
        let Ok(transaction) = Transaction::from_bytes(bytes) else {
            return;
        };
        let mut elections = self.elections.lock().unwrap();
        match transaction.body.payload {
            Payload::CastBallot {
                election_id,
                voter,
                ballots,
            } => {
                chain.voters.insert((election_id, voter.0), *id);
                let board = chain.boards.entry(election_id).or_default();
                let entry = BoardEntry {
                    election_id,
                    position: board.size(),
                    transaction_id: *id,
                    voter,
                    weight: 1,
                    ballot_hash: BoardEntry::ballot_hash(&ballots),
                };
                board.push(entry.leaf());
                if let Some(view) = elections.get_mut(&election_id) {
                    view.turnout += 1;
                    view.board = BoardHead {
                        election_id,
                        size: board.size(),
                        root: board.root(),
                    };
                }
            }
            Payload::OpenElection { election_id } => {
                if let Some(view) = elections.get_mut(&election_id) {
                    view.status = ElectionStatus::Open;
                }
            }
            Payload::CloseElection { election_id } => {
                if let Some(view) = elections.get_mut(&election_id) {
                    view.status = ElectionStatus::Closed;
                }
            }
            Payload::CreateElection(spec) => {
                let election_id = elections.len() as u64 + 1;
                let view = election_view(election_id, spec, *id, ElectionStatus::Upcoming);
                elections.insert(election_id, view);
            }
            Payload::PublishPlugin { wasm } => {
                self.plugins.lock().unwrap().insert(Hash::of(&wasm), wasm);
            }
            _ => {}
        }
    }

    /// Takes out what was submitted and not committed, as a carrier would that holds it back.
    pub(crate) fn withdraw(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.chain().mempool)
    }

    /// Hands a transaction to every validator.
    pub(crate) fn take(&self, bytes: Vec<u8>) -> Result<Hash, (RefusalCode, String)> {
        let id = Hash::of(&bytes);
        let commits = *self.commits.lock().unwrap();
        {
            let mut chain = self.chain();
            if chain.included.contains_key(&id) || chain.mempool.contains(&bytes) {
                return Ok(id);
            }
            let transaction = Transaction::from_bytes(&bytes)
                .map_err(|e| (RefusalCode::MalformedTransaction, e.to_string()))?;
            if let Some(ledger) = &self.ledger {
                let admitted = ledger.vet(&bytes).and_then(|vetted| ledger.admit(&vetted));
                match admitted {
                    Ok(()) => {}
                    Err(VetError::Refused(refusal)) => return Err((refusal.code, refusal.message)),
                    Err(VetError::Ledger(error)) => panic!("the fake's ledger failed: {error}"),
                }
            }
            if let Payload::CastBallot {
                election_id, voter, ..
            } = &transaction.body.payload
            {
                let elections = self.elections.lock().unwrap();
                let view = elections.get(election_id);
                let revotes = view.is_some_and(|view| view.spec.revote == Revote::Last);
                if !revotes && chain.voters.contains_key(&(*election_id, voter.0)) {
                    let message = format!("voter {voter} has cast a ballot already");
                    return Err((RefusalCode::AlreadyVoted, message));
                }
                let status = view.map(|view| view.status);
                if status.is_some_and(|status| status != ElectionStatus::Open) {
                    let message = format!("election {election_id} is closed");
                    return Err((RefusalCode::ElectionClosed, message));
                }
            }
            chain.mempool.push(bytes);
        }
        if commits {
            self.commit(vec![]);
        }
        Ok(id)
    }
}

pub(crate) fn election_view(
    election_id: u64,
    spec: tabella_protocol::ElectionSpec,
    transaction_id: Hash,
    status: ElectionStatus,
) -> ElectionView {
    ElectionView {
        election_id,
        spec,
        status,
        roll_size: 0,
        turnout: 0,
        board: BoardHead {
            election_id,
            size: 0,
            root: merkle::root(&[]),
        },
        transaction_id,
        ballot_schemas: vec![],
    }
}

/// A certificate signed by `keys`.
pub(crate) fn certify(
    genesis: &Hash,
    height: u64,
    hash: Hash,
    keys: &[SigningKey],
) -> CommitCertificate {
    CommitCertificate::sign(genesis, keys, height, hash)
}

/// What a validator's server and its answers share.
struct Shared {
    network: Arc<Network>,
    index: usize,
    mood: Mutex<Mood>,
    submission_requests: AtomicUsize,
    block_requests: AtomicUsize,
    status_calls: AtomicUsize,
    evidence_calls: AtomicUsize,
}
