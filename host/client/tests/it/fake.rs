//! A network of fake validators: one honest chain, made on demand and signed with the validators'
//! real keys, served over real HTTP by nodes that can each be told to misbehave.
//!
//! [`Network::new`] makes blocks of whatever it is given; [`Network::real`] executes them with the
//! ledger, so that whoever follows it can execute them too.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use tabella_client::ValidatorEndpoint;
use tabella_ledger::{BuildLimits, Ledger, VetError, Vetted};
use tabella_protocol::{
    Ack, Block, BoardEntry, BoardHead, CommitCertificate, Evidence, EvidenceFile, Genesis, Hash,
    Header, HexBytes, Payload, PluginLimits, Quorum, Receipt, Revote, SigningKey, Transaction,
    ValidatorHistory, ValidatorInfo,
    merkle::{self, Frontier},
    rpc::{
        BlockSummary, BlockView, BoardItem, BoardPage, ElectionStatus, ElectionView, EvidenceView,
        NodeStatus, RefusalCode, RefusalData, ResultsView, Standing, VALIDATOR_SETS_METHOD,
    },
    transactions_root,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

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

/// One fake validator.
pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    network: Arc<Network>,
    index: usize,
    mood: Mutex<Mood>,
    submission_requests: AtomicUsize,
    block_requests: AtomicUsize,
    status_calls: AtomicUsize,
    evidence_calls: AtomicUsize,
}

impl Node {
    /// Starts validator number `index`, from 0.
    pub(crate) async fn start(network: &Arc<Network>, index: usize, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            network: network.clone(),
            index,
            mood: Mutex::new(mood),
            submission_requests: AtomicUsize::new(0),
            block_requests: AtomicUsize::new(0),
            status_calls: AtomicUsize::new(0),
            evidence_calls: AtomicUsize::new(0),
        });
        let task = Mutex::new(Some(serve(listener, shared.clone())));
        Self {
            index,
            address,
            shared,
            task,
        }
    }

    /// Closes its port and every connection.
    pub(crate) async fn kill(&self) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens again on the same port.
    pub(crate) async fn restart(&self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        *self.task.lock().unwrap() = Some(serve(listener, self.shared.clone()));
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// HTTP requests that carried submissions.
    pub(crate) fn submission_requests(&self) -> usize {
        self.shared.submission_requests.load(Ordering::SeqCst)
    }

    /// HTTP requests that asked for whole blocks.
    pub(crate) fn block_requests(&self) -> usize {
        self.shared.block_requests.load(Ordering::SeqCst)
    }

    /// How often it was asked for its status.
    pub(crate) fn status_calls(&self) -> usize {
        self.shared.status_calls.load(Ordering::SeqCst)
    }

    /// How often it was asked for its evidence.
    pub(crate) fn evidence_calls(&self) -> usize {
        self.shared.evidence_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> ValidatorEndpoint {
        ValidatorEndpoint {
            node_id: format!("validator-{}", self.index + 1),
            rpc_url: format!("http://{}", self.address),
            p2p_url: format!("http://127.0.0.1:{}", 30303 + self.index),
        }
    }
}

/// Serves one connection after the other in one task tree, so that killing it cuts them all.
fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let router = Router::new().route("/", post(answer)).with_state(shared);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let router = router.clone();
            connections.spawn(async move {
                let (listener, connection) = OneConnection::new(stream);
                let server = axum::serve(listener, router);
                tokio::select! {
                    _ = server => {}
                    () = connection.closed() => {}
                }
            });
        }
    })
}

/// A listener of one connection, which axum serves in a task of its own; dropping the guard's
/// handle would leave that task running, so the stream is cut through a shared switch.
struct OneConnection {
    stream: Option<Cut>,
    address: SocketAddr,
}

struct Guard(watch::Sender<bool>);

impl Guard {
    async fn closed(self) {
        self.0.closed().await;
    }
}

struct Cut {
    stream: tokio::net::TcpStream,
    cut: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl OneConnection {
    fn new(stream: tokio::net::TcpStream) -> (Self, Guard) {
        let address = stream.peer_addr().unwrap();
        let (sender, mut receiver) = watch::channel(false);
        let cut = Box::pin(async move {
            // Ends with an error when the guard is dropped.
            let _ = receiver.changed().await;
        });
        let connection = Self {
            stream: Some(Cut { stream, cut }),
            address,
        };
        (connection, Guard(sender))
    }
}

impl axum::serve::Listener for OneConnection {
    type Io = Cut;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cut, SocketAddr) {
        match self.stream.take() {
            Some(stream) => (stream, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl tokio::io::AsyncRead for Cut {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        std::pin::Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Cut {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn asks_for(request: &Value, method: &str) -> bool {
    request.to_string().contains(&format!("\"{method}\""))
}

async fn answer(State(shared): State<Arc<Shared>>, Json(request): Json<Value>) -> Response {
    let mood = shared.mood.lock().unwrap().clone();
    if asks_for(&request, "tabella_getBlock") {
        shared.block_requests.fetch_add(1, Ordering::SeqCst);
    }
    match mood {
        Mood::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Hanging => std::future::pending().await,
        Mood::Slow(pause) => tokio::time::sleep(pause).await,
        Mood::HoldsReads => {
            let text = request.to_string();
            if !["tabella_nodeStatus", "eth_sendTransaction"]
                .iter()
                .any(|m| text.contains(m))
            {
                std::future::pending::<()>().await;
            }
        }
        Mood::HoldsBodies if asks_for(&request, "tabella_getBlock") => {
            std::future::pending::<()>().await;
        }
        Mood::SlowBodies(pause) if asks_for(&request, "tabella_getBlock") => {
            tokio::time::sleep(pause).await;
        }
        Mood::UnknownValidators if asks_for(&request, VALIDATOR_SETS_METHOD) => {
            std::future::pending::<()>().await;
        }
        Mood::Garbage => return "[{\"what\": 1}".into_response(),
        _ => {}
    }
    let is_submission = request.to_string().contains("eth_sendTransaction");
    if is_submission {
        shared.submission_requests.fetch_add(1, Ordering::SeqCst);
    }
    let calls = match request {
        Value::Array(calls) => calls,
        call => return Json(shared.call(&call, &mood).await).into_response(),
    };
    let mut answers = Vec::new();
    for call in &calls {
        answers.push(shared.call(call, &mood).await);
    }
    if is_submission && mood == Mood::LosesAnswers {
        std::future::pending::<()>().await;
    }
    Json(answers).into_response()
}

impl Shared {
    async fn call(&self, call: &Value, mood: &Mood) -> Value {
        let params = &call["params"];
        let result = match call["method"].as_str().unwrap() {
            "tabella_nodeStatus" => {
                self.status_calls.fetch_add(1, Ordering::SeqCst);
                Ok(self.status(mood))
            }
            "eth_sendTransaction" => self.submit(&params[0]["data"], mood),
            "tabella_getBlockSummaries" => Ok(self.summaries(params, mood).await),
            "tabella_getTransactionStatus" => match mood {
                Mood::RefusesUntold(..) => Err(json!({"code": -32603, "message": "not now"})),
                Mood::BusyAt(id) if params[0] == json!(id) => {
                    Err(json!({"code": -32603, "message": "busy"}))
                }
                _ => Ok(self.transaction_status(&params[0])),
            },
            "tabella_getEvidence" if *mood == Mood::FloodsEvidence => Ok(self.evidence()),
            "tabella_getBlock" => Ok(self.block(&params[0], mood)),
            "tabella_getElection" => {
                let elections = self.network.elections.lock().unwrap();
                Ok(json!(elections.get(&params[0].as_u64().unwrap())))
            }
            "tabella_getElections" => {
                let elections = self.network.elections.lock().unwrap();
                Ok(json!(elections.values().collect::<Vec<_>>()))
            }
            "tabella_getPlugins" => {
                let plugins = self.network.plugins.lock().unwrap();
                let views = plugins.iter().map(|(hash, wasm)| plugin(hash, wasm));
                Ok(views.collect())
            }
            "tabella_getPlugin" => {
                let hash: Hash = serde_json::from_value(params[0].clone()).unwrap();
                let plugins = self.network.plugins.lock().unwrap();
                Ok(plugins.get(&hash).map_or(Value::Null, |wasm| {
                    let mut view = plugin(&hash, wasm);
                    if params[1] == true {
                        view["wasm"] = json!(format!("0x{}", hex::encode(wasm)));
                    }
                    view
                }))
            }
            "tabella_getResults" => {
                let results = self.network.results.lock().unwrap();
                Ok(json!(results.get(&params[0].as_u64().unwrap())))
            }
            "tabella_getReceipt" if matches!(mood, Mood::Receipt(_)) => match mood {
                Mood::Receipt(receipt) => Ok(json!(receipt)),
                _ => unreachable!(),
            },
            "tabella_getReceipt" => {
                let id: Hash = serde_json::from_value(params[0].clone()).unwrap();
                let ledger = self.network.ledger.as_ref();
                Ok(json!(
                    ledger.and_then(|ledger| ledger.receipt(&id).unwrap())
                ))
            }
            "tabella_getBoard" => Ok(self.board(params)),
            "tabella_getValidatorSets" if self.network.ledger.is_some() => {
                let ledger = self.network.ledger.as_ref();
                Ok(json!(ledger.map(|ledger| ledger.validator_sets().unwrap())))
            }
            other => Err(json!({"code": -32601, "message": format!("no method {other}")})),
        };
        match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": call["id"], "error": error}),
        }
    }

    fn status(&self, mood: &Mood) -> Value {
        let chain = self.network.chain();
        let height = match mood {
            Mood::Behind => 0,
            Mood::Claims(height) => *height,
            _ => chain.summaries.len() as u64,
        };
        let head = chain.summaries.last();
        let genesis = self.network.genesis.hash();
        json!(NodeStatus {
            node_id: format!("validator-{}", self.index + 1),
            public_key: key(u8::try_from(self.index + 1).unwrap()).public(),
            genesis,
            chain_id: 77,
            height,
            block_hash: head.map_or(genesis, |head| head.header.hash()),
            state_root: Hash::ZERO,
            block_timestamp_ms: 0,
            mempool: chain.mempool.len() as u64,
            peers: 2,
            signing: *mood != Mood::Idle,
            standing: Standing::Validator,
            evidence: match mood {
                Mood::FloodsEvidence if head.is_some() => {
                    self.status_calls.load(Ordering::SeqCst) as u64
                }
                _ => 0,
            },
            damage: Vec::new(),
            dissents: Vec::new(),
            dissenters: Vec::new(),
            version: "fake".into(),
        })
    }

    /// Evidence that proves nothing, many times.
    fn evidence(&self) -> Value {
        self.evidence_calls.fetch_add(1, Ordering::SeqCst);
        let (chain, genesis) = (self.network.chain(), self.network.genesis.hash());
        let Some(first) = chain.summaries.first() else {
            return json!([]);
        };
        let ack = first.acks[0].clone();
        let view = EvidenceView {
            id: Hash::ZERO,
            kind: "acks".into(),
            height: 1,
            liars: vec![ack.validator],
            on_chain: false,
            file: EvidenceFile {
                version: EvidenceFile::VERSION,
                genesis,
                evidence: Evidence::Acks {
                    first: ack.clone(),
                    second: ack,
                },
                validator_sets: vec![],
            },
        };
        json!(vec![view; 1_000])
    }

    fn submit(&self, data: &Value, mood: &Mood) -> Result<Value, Value> {
        let result = match mood {
            Mood::Refuses(code, message) | Mood::RefusesUntold(code, message) => {
                Err((*code, message.clone()))
            }
            Mood::Errors => {
                return Err(json!({"code": -32603, "message": "\n\u{1b}[31m".repeat(1_000)}));
            }
            Mood::TakesAnother => Ok(Hash([9; 32])),
            _ => {
                let bytes = hex::decode(data.as_str().unwrap().trim_start_matches("0x")).unwrap();
                let is_ballot = Transaction::from_bytes(&bytes)
                    .is_ok_and(|t| matches!(t.body.payload, Payload::CastBallot { .. }));
                if is_ballot && *mood == Mood::FailsBallots {
                    return Err(json!({"code": -32603, "message": "not now"}));
                }
                self.network.take(bytes)
            }
        };
        result.map(|id| json!(id)).map_err(|(code, message)| {
            let data = RefusalData {
                code,
                plugin_code: None,
                contest: None,
            };
            json!({"code": -32003, "message": message, "data": data})
        })
    }

    async fn summaries(&self, params: &Value, mood: &Mood) -> Value {
        let from = params[0].as_u64().unwrap();
        let count = usize::try_from(params[1].as_u64().unwrap()).unwrap();
        let wait = Duration::from_millis(params[2].as_u64().unwrap());
        if *mood == Mood::Behind {
            return json!([]);
        }
        let mut height = self.network.height.subscribe();
        let _ = tokio::time::timeout(wait, height.wait_for(|height| *height >= from)).await;
        let skip = usize::try_from(from.saturating_sub(1)).unwrap();
        let chain = self.network.chain();
        let count = match mood {
            Mood::FloodsAcks => usize::MAX,
            _ => count,
        };
        let found = chain.summaries.iter().skip(skip).take(count).cloned();
        let mut summaries: Vec<BlockSummary> = found.collect();
        drop(chain);
        for summary in &mut summaries {
            self.spoil(summary, mood);
        }
        json!(summaries)
    }

    fn spoil(&self, summary: &mut BlockSummary, mood: &Mood) {
        let genesis = self.network.genesis.hash();
        match mood {
            Mood::InventsTransactions => summary.transaction_ids.push(Hash([9; 32])),
            Mood::FloodsAcks => {
                let own = summary.acks.clone();
                let others = self.network.chain();
                let others = others.summaries.iter().flat_map(|other| &other.acks);
                let flood = others.filter(|ack| ack.height != summary.header.height);
                summary.acks = flood.cloned().cycle().take(500).collect();
                summary.acks.extend(own.iter().cloned().cycle().take(500));
            }
            Mood::ForgesCertificates => {
                summary.transaction_ids = vec![Hash([9; 32])];
                summary.header.transaction_count = 1;
                summary.header.transactions_root = transactions_root(&summary.transaction_ids);
                let own = &self.network.keys[self.index..=self.index];
                let hash = summary.header.hash();
                summary.certificate = certify(&genesis, summary.header.height, hash, own);
            }
            _ => {}
        }
    }

    /// Entries alone: no election here shows its ballots before the close.
    fn board(&self, params: &Value) -> Value {
        let election_id = params[0].as_u64().unwrap();
        let from = usize::try_from(params[1].as_u64().unwrap()).unwrap();
        let count = usize::try_from(params[2].as_u64().unwrap()).unwrap();
        let chain = self.network.chain();
        let mut items = Vec::new();
        for block in &chain.blocks {
            for bytes in &block.transactions {
                let Ok(transaction) = Transaction::from_bytes(bytes) else {
                    continue;
                };
                let Payload::CastBallot {
                    election_id: of,
                    voter,
                    ballots,
                } = &transaction.body.payload
                else {
                    continue;
                };
                if *of != election_id {
                    continue;
                }
                let entry = BoardEntry {
                    election_id,
                    position: items.len() as u64,
                    transaction_id: Hash::of(bytes),
                    voter: *voter,
                    weight: 1,
                    ballot_hash: BoardEntry::ballot_hash(ballots),
                };
                items.push(BoardItem {
                    entry,
                    height: block.header.height,
                    ballots: vec![],
                    plain: vec![],
                });
            }
        }
        let board = BoardHead {
            election_id,
            size: items.len() as u64,
            root: merkle::root(&[]),
        };
        let items = items.into_iter().skip(from).take(count).collect();
        json!(BoardPage { board, items })
    }

    fn transaction_status(&self, id: &Value) -> Value {
        let id: Hash = serde_json::from_value(id.clone()).unwrap();
        let chain = self.network.chain();
        match chain.included.get(&id) {
            Some(height) => {
                let summary = &chain.summaries[usize::try_from(*height).unwrap() - 1];
                let index = summary
                    .transaction_ids
                    .iter()
                    .position(|other| *other == id);
                json!({"status": "confirmed", "height": height, "block_hash": summary.header.hash(), "index": index})
            }
            None if chain.mempool.iter().any(|bytes| Hash::of(bytes) == id) => {
                json!({"status": "pending"})
            }
            None => json!({"status": "unknown"}),
        }
    }

    fn block(&self, wanted: &Value, mood: &Mood) -> Value {
        let chain = self.network.chain();
        let place = match wanted.as_u64() {
            Some(height) => usize::try_from(height).unwrap().checked_sub(1),
            None => {
                let hash: Hash = serde_json::from_value(wanted.clone()).unwrap();
                let mut hashes = chain.summaries.iter().map(|s| s.header.hash());
                hashes.position(|other| other == hash)
            }
        };
        let Some((summary, block)) =
            place.and_then(|place| Some((chain.summaries.get(place)?, chain.blocks.get(place)?)))
        else {
            return Value::Null;
        };
        let mut block = block.clone();
        if *mood == Mood::TampersWithBlocks {
            for bytes in &mut block.transactions {
                *bytes.last_mut().unwrap() ^= 1;
            }
        }
        let (mut header, mut certificate) = (summary.header.clone(), summary.certificate.clone());
        if *mood == Mood::UnknownValidators {
            header.validators = Some(Hash([9; 32]));
            block.header = header.clone();
            certificate.block_hash = header.hash();
        }
        let bytes = tabella_protocol::codec::encode(&block);
        json!(BlockView {
            hash: header.hash(),
            header,
            block: HexBytes(bytes),
            certificate,
            acks: summary.acks.clone(),
        })
    }
}

fn plugin(hash: &Hash, wasm: &[u8]) -> Value {
    json!({"sha256": hash, "bytes": wasm.len(), "manifest": {"name": "plurality"}})
}
