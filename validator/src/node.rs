//! Starting a validator, keeping it running, stopping it.

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use tabella_consensus::{
    Config as ConsensusConfig, Node, Participation, PeerAddress, StartError, WalPolicy,
};
use tabella_files::{GenesisFileError, SecretError, read_genesis, read_key};
use tabella_http_server::{Server, listen};
use tabella_ledger::{BuildLimits, Ledger, LedgerError};
use tabella_protocol::{Genesis, SigningKey};
use tokio::{sync::watch, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, accepted,
    application::{HALT_GRACE, Validator},
    attest::{Attesting, attest_results},
    backup, catch_up,
    discovery::{Advertised, Discovery},
    evidence::EvidenceLog,
    inquiry,
    intake::Intake,
    journal::{Journal, JournalError},
    mempool::Bounds,
    metrics::Metrics,
    observe,
    pool::Pool,
    replica::Replica,
    rpc, scrub,
    stop::Stop,
    undecided::{Undecided, UndecidedError},
};

/// How often peers are told this node's height.
const STATUS_INTERVAL_MS: u64 = 500;
/// How long requests in progress may take once the node is told to stop.
const RPC_DRAIN: Duration = Duration::from_secs(3);

/// Why a validator did not start, or stopped by itself. The process should exit with a failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or a directory not be used.
    #[error("{what} {path}: {error}")]
    File {
        /// What it is.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The genesis document is not usable.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The key is not a validator's.
    #[error(
        "the key in {path} is {key}, which is no validator of this genesis; use the key file that \
         belongs to it, or, to join as a new validator, set `node_id` to the name under which \
         `tabella validator add` adds it"
    )]
    NotAValidator {
        /// The key file.
        path: PathBuf,
        /// The public key.
        key: tabella_protocol::PublicKey,
    },
    /// A configured peer address is not one.
    #[error("peers")]
    Peer(#[from] tabella_consensus::PeerAddressError),
    /// The chain could not be opened.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A database could not be opened.
    #[error("{0}")]
    Storage(String),
    /// JSON-RPC could not be served.
    #[error("cannot serve JSON-RPC on {address}: {error}; is the port taken?")]
    Listen {
        /// The configured address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Consensus did not start.
    #[error(transparent)]
    ConsensusStart(#[from] tabella_consensus::StartError),
    /// Consensus ended.
    #[error(transparent)]
    Consensus(#[from] tabella_consensus::RunError),
    /// The HTTP client could not be set up.
    #[error("cannot set up the HTTP client")]
    Http(#[from] tabella_client::AskError),
    /// Something failed that the node must not outlive.
    #[error("{0}")]
    Failed(String),
}

impl From<JournalError> for RunError {
    fn from(error: JournalError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<UndecidedError> for RunError {
    fn from(error: UndecidedError) -> Self {
        Self::Storage(error.to_string())
    }
}

/// Runs a validator until `shutdown` resolves or something fails that it must not outlive.
///
/// When this returns, everything acknowledged is on disk and nothing of the node runs any more.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    run_boxed(config, Box::pin(shutdown)).await
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Boxed, so that the validator is compiled in this crate and not in every one that awaits it.
fn run_boxed(config: Config, shutdown: BoxFuture<()>) -> BoxFuture<Result<(), RunError>> {
    Box::pin(run_until(config, shutdown))
}

async fn run_until(config: Config, shutdown: BoxFuture<()>) -> Result<(), RunError> {
    let stop = Stop::default();
    // Forwards the stop signal even while the node is still starting.
    let asking = tokio::spawn({
        let stop = stop.clone();
        async move {
            shutdown.await;
            stop.stop();
        }
    });
    let result = run_to_the_end(config, &stop).await;
    asking.abort();
    result
}

#[expect(
    clippy::too_many_lines,
    reason = "assembles the validator, one part after the other"
)]
async fn run_to_the_end(mut config: Config, stop: &Stop) -> Result<(), RunError> {
    let genesis = read_genesis(&config.genesis)?;
    let key = read_key(&config.key)?;
    fs::create_dir_all(&config.data).map_err(file_error("data directory", &config.data))?;
    let listener = listen(config.rpc_listen).map_err(|error| RunError::Listen {
        address: config.rpc_listen,
        error,
    })?;

    let ledger = Arc::new(Ledger::open(&config.data, genesis.clone())?);
    let node_id = own_node_id(&config, &ledger, &key)?;
    accepted::once(&mut config, ledger.tip().height)
        .map_err(file_error("data directory", &config.data))?;
    observe::unless_first_start(&config, &ledger, &key)?;
    // What was found before the restart is known before anything is attested or handed on.
    let place = scrub::PlaceFile::in_directory(&config.data);
    let scrubbing = place.resume(&ledger);
    let undecided = Undecided::open(&config.data.join("undecided.redb"))?;
    let (journal, held) = Journal::open(&config.data.join("mempool.redb"), stop.clone())?;
    let bounds = Bounds {
        transactions_max: config.mempool_transactions_max,
        bytes_max: config.mempool_bytes_max,
    };
    let pool = Arc::new(Pool::new(Arc::clone(&ledger), bounds));
    let intake = Intake::start(Arc::clone(&pool), journal, held, stop.clone()).await;
    let discovery = Arc::new(Discovery::new(
        Arc::clone(&ledger),
        key.clone(),
        Advertised {
            node_id: node_id.clone(),
            p2p_address: config.p2p_address.clone(),
            rpc_url: config.rpc_url.clone(),
        },
        config.bootnodes.clone(),
        config.data.join("peers.json"),
    )?);

    let metrics = Arc::new(Metrics::default());
    let evidence_file = config.data.join("evidence.json");
    let evidence = EvidenceLog::open(&evidence_file, &ledger, Arc::clone(&metrics), stop.clone())
        .map_err(file_error("evidence file", &evidence_file))?;
    let (tip, follow) = watch::channel(ledger.tip());
    let evidence = Arc::new(evidence);
    let replica = Replica::new(
        Arc::clone(&ledger),
        pool,
        undecided,
        Arc::clone(&evidence),
        key.clone(),
        BuildLimits {
            bytes_max: block_bytes_max(&genesis),
            transactions_max: config.block_transactions_max,
        },
    );
    let validator = Arc::new(Validator {
        replica: Arc::new(replica),
        ledger: Arc::clone(&ledger),
        evidence,
        dissent: Arc::default(),
        intake: Arc::clone(&intake),
        metrics,
        idle_block: Duration::from_millis(config.idle_block_ms),
        tip,
        consensus: std::sync::OnceLock::new(),
        deciding: Mutex::default(),
        last_commit: Mutex::default(),
    });
    // From here on, so that a node that catches up serves what it has.
    let with_turns = rpc::Trusted::new(config.with_turns());
    let with_places = rpc::Trusted::new(config.with_places());
    let context = rpc::Context {
        validator: Arc::clone(&validator),
        discovery: Arc::clone(&discovery),
        node_id: node_id.clone(),
        tip: follow.clone(),
        stop: stop.clone(),
        bounded: Arc::new(rpc::Bounded::new(&with_turns)),
        server: Server::trusting(config.http_bounds(), move |address| {
            with_places.contains(*address)
        }),
        readers: Arc::new(rpc::Readers::new(&config, &node_id)),
    };
    let serving = tokio::spawn(rpc::serve(listener, context, stop.clone()));
    let started = start_consensus(&config, &node_id, &validator, &discovery, stop).await;
    let node = match started {
        Ok(node) => node,
        Err(error) => {
            stop.stop();
            drain(serving).await;
            return Err(error);
        }
    };
    let consensus = node.as_ref().map(Node::handle);
    if let Some(consensus) = &consensus {
        intake.relay.connect(consensus.clone());
        // Set once, at start.
        let _ = validator.consensus.set(consensus.clone());
    }
    tracing::info!(
        %node_id,
        height = ledger.tip().height,
        rpc = %config.rpc_listen,
        p2p = %config.p2p_listen,
        signing = consensus.is_some(),
        "validator started"
    );

    let tasks = [
        serving,
        tokio::spawn(until_stopped(stop.clone(), {
            let discovery = Arc::clone(&discovery);
            async move { discovery.run(consensus).await }
        })),
        tokio::spawn(until_stopped(stop.clone(), {
            let intake = Arc::clone(&intake);
            async move { intake.relay.run().await }
        })),
        tokio::spawn(until_stopped(stop.clone(), {
            let validator = Arc::clone(&validator);
            async move { validator.repeat_acks().await }
        })),
        tokio::spawn(until_stopped(
            stop.clone(),
            inquiry::run(Arc::clone(&validator), Arc::clone(&discovery)),
        )),
        tokio::spawn(until_stopped(stop.clone(), {
            let (validator, data) = (Arc::clone(&validator), config.data.clone());
            async move { catch_up::unmark_after_commit(validator, &data).await }
        })),
        tokio::spawn(until_stopped(stop.clone(), {
            let (data, genesis, own) = (config.data.clone(), ledger.genesis_hash(), key.public());
            async move { observe::note_first_log(&data, genesis, own).await }
        })),
        tokio::spawn(until_stopped(
            stop.clone(),
            attest_results(
                Attesting {
                    ledger: Arc::clone(&ledger),
                    intake: Arc::clone(&intake),
                    dissent: Arc::clone(&validator.dissent),
                    metrics: Arc::clone(&validator.metrics),
                    key,
                    stop: stop.clone(),
                },
                follow,
            ),
        )),
        tokio::spawn(until_stopped(
            stop.clone(),
            scrub::run(
                Arc::clone(&ledger),
                Arc::clone(&validator.dissent),
                Arc::clone(&validator.metrics),
                place,
                scrubbing,
            ),
        )),
    ];
    let halt = validator.evidence.halt.clone();
    let result = take_part(node, halt, stop).await;
    stop.stop();
    for task in tasks {
        drain(task).await;
    }
    ledger.flush_acks()?;
    tracing::info!(height = ledger.tip().height, "validator stopped");
    match stop.failure() {
        Some(reason) => Err(RunError::Failed(reason)),
        None => result,
    }
}

/// Catches up, and starts consensus once this node may sign; not at all where it must not any more, or
/// is told to stop meanwhile.
async fn start_consensus(
    config: &Config,
    node_id: &str,
    validator: &Arc<Validator>,
    discovery: &Discovery,
    stop: &Stop,
) -> Result<Option<Node>, RunError> {
    if validator.evidence.halt.is_cancelled() {
        return Ok(None);
    }
    tokio::select! {
        caught_up = catch_up::until_near(config, validator, discovery) => caught_up?,
        () = stop.stopped() => return Ok(None),
    }
    let consensus_config = consensus_config(config, node_id, validator, discovery)?;
    if observe::is_restored(&config.data) {
        if config.accept_missing_wal {
            backup::unmark(&config.data).map_err(file_error("restored data", &config.data))?;
        } else {
            let unsigned = consensus_config.clone();
            observe::until_safe(unsigned, Arc::clone(validator), stop).await?;
        }
        if stop.is_stopping() {
            return Ok(None);
        }
    }
    if config.accept_missing_wal {
        accepted::use_up(&config.data).map_err(file_error("data directory", &config.data))?;
    }
    let node = Node::start(consensus_config, Arc::clone(validator) as _).await?;
    Ok(Some(node))
}

async fn drain(task: JoinHandle<()>) {
    if tokio::time::timeout(RPC_DRAIN, task).await.is_err() {
        tracing::warn!("a task does not end; leaving it behind");
    }
}

/// Takes part in consensus until the node stops. Where it must not sign any more, it only answers
/// reads until then.
async fn take_part(
    node: Option<Node>,
    halt: CancellationToken,
    stop: &Stop,
) -> Result<(), RunError> {
    if let Some(node) = node {
        let stopping = stop.clone();
        let ended = node.run(async move {
            tokio::select! {
                // Nothing is signed any more; what was found may still reach the others.
                () = async { halt.cancelled().await; sleep(HALT_GRACE).await } => {}
                () = stopping.stopped() => {}
            }
        });
        ended.await?;
    }
    stop.stopped().await;
    Ok(())
}

/// The name under which the chain knows this key, or under which it is going to join.
fn own_node_id(config: &Config, ledger: &Ledger, key: &SigningKey) -> Result<String, RunError> {
    let history = ledger.validators();
    let mut sets = history.sets().iter().rev();
    let known = sets.find_map(|set| set.node_id(&key.public()));
    let known = known.map(str::to_owned).or_else(|| config.node_id.clone());
    known.ok_or_else(|| RunError::NotAValidator {
        path: config.key.clone(),
        key: key.public(),
    })
}

async fn until_stopped(stop: Stop, task: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.stopped() => {}
        () = task => {}
    }
}

fn consensus_config(
    config: &Config,
    node_id: &str,
    validator: &Validator,
    discovery: &Discovery,
) -> Result<ConsensusConfig, RunError> {
    let mut peers = discovery.known_peers();
    for peer in &config.peers {
        let address = PeerAddress::parse(peer.public_key, &peer.p2p_address)?;
        peers.retain(|known| known.validator != peer.public_key);
        peers.push(address);
    }
    // A restored node has no log until it has observed for a while.
    let fresh = config.accept_missing_wal || has_never_signed(config, validator)?;
    Ok(ConsensusConfig {
        genesis_hash: validator.ledger.genesis_hash(),
        signing_key: validator.replica.key.clone(),
        node_id: node_id.to_owned(),
        data_dir: config.data.clone(),
        wal: if fresh {
            WalPolicy::Create
        } else if catch_up::is_marked(&config.data) {
            WalPolicy::MayBeOld
        } else {
            WalPolicy::Require
        },
        halt: validator.evidence.halt.clone(),
        participation: Participation::Sign,
        listen: config.p2p_listen,
        peers,
        timeouts: (&config.timeouts).into(),
        peer_limits: (&config.peer_limits).into(),
        block_bytes_max: block_bytes_max(validator.ledger.genesis()),
        status_interval_ms: STATUS_INTERVAL_MS,
    })
}

fn has_never_signed(config: &Config, validator: &Validator) -> Result<bool, RunError> {
    let own = validator.replica.key.public();
    let never = observe::has_never_signed(&config.data, &validator.ledger, own);
    never.map_err(|error| StartError::from(error).into())
}

fn block_bytes_max(genesis: &Genesis) -> usize {
    usize::try_from(genesis.block_bytes_max).unwrap_or(usize::MAX)
}

pub(crate) fn file_error(
    what: &'static str,
    path: &Path,
) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_owned();
    move |error| RunError::File { what, path, error }
}
