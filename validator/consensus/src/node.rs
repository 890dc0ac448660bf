//! Starts, runs and stops the engine of one node.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, OnceLock, atomic::AtomicU32},
    time::Duration,
};

use arc_malachitebft_codec::Codec;
use arc_malachitebft_config::ConsensusConfig;
use arc_malachitebft_core_consensus::Params;
use arc_malachitebft_core_types::{Validity, ValueOrigin, ValuePayload};
use arc_malachitebft_engine::{
    consensus::Consensus,
    network::{Network, NetworkMsg, NetworkRef},
    sync::{Params as SyncParams, Sync},
    util::{
        events::{Event, RxEvent, TxEvent},
        output_port::{OutputPort, OutputPortSubscriberTrait},
        streaming::{StreamContent, StreamMessage},
    },
    wal::Wal,
};
use arc_malachitebft_metrics::{Metrics, SharedRegistry};
use arc_malachitebft_network::{
    ChannelNames, Config as NetworkConfig, DiscoveryConfig, GossipSubConfig, Keypair,
    NetworkIdentity, ProtocolNames, PubSubMaxSizePerTopic, PubSubProtocol, TransportProtocol,
};
use arc_malachitebft_signing::Signer;
use arc_malachitebft_sync as sync;
use bytes::Bytes;
use ractor::ActorCell;
use tabella_protocol::PublicKey;
use tokio::sync::{broadcast::error::RecvError, mpsc};
use tracing::{Instrument, Span, error, error_span, info, warn};

use crate::{
    Application, Config, Fatal, Participation, PeerAddress, SetPeerError, WalError,
    codec::WireCodec,
    context::{Address, ProposalPart, Tabella, thresholds},
    gate::{Gate, GatedNetwork},
    host::{Host, check_height_start, who_may_connect},
    mail::Mail,
    parts::{self, MESSAGE_BYTES_MAX, PART_BYTES_MAX},
    peers::{self, AddressBook},
    shared::Shared,
    signing::{MessageSigner, MessageVerifier},
    supervisor::Supervisor,
    wal,
};

/// Peers that may be connected of their own accord. The engine takes four times as many connections, and as
/// many more that have not said who they are: far more than one address can hold.
const INBOUND_PEERS_MAX: usize = 1_024;

/// How long a connection that says nothing is kept. Validators have always something to say.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Blocks in one answer to a node that catches up.
const SYNC_BATCH: usize = 64;

/// Returns asked for at a time while catching up.
const SYNC_PARALLEL: usize = 3;

/// Bytes of blocks in one such answer, unless a single block is longer.
const SYNC_RESPONSE_BYTES: usize = 8 << 20;

/// What certificates and framing add to the blocks of an answer, at most: 64 blocks with the
/// signatures of 64 validators.
const SYNC_OVERHEAD_BYTES: usize = 1 << 20;

/// How long a peer may take to answer with blocks.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the network may take to listen, and an actor to stop.
const START_STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a node that cannot follow its network stays, to hear why.
const INVALID_DECISION_GRACE: Duration = Duration::from_secs(4);

/// How long the application may take to finish its work in progress at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);

/// Why consensus did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The application could not say where to start.
    #[error("the application cannot start: {0}")]
    Application(#[from] Fatal),
    /// The write-ahead log does not allow it.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The configured address cannot be listened on.
    #[error("cannot listen for peers on {address}: {error}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The engine did not come up.
    #[error("the consensus engine did not start: {0}")]
    Engine(String),
}

/// Why consensus ended while it should have run. The process should exit with a failure.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The application failed.
    #[error("the application failed: {0}")]
    Application(Fatal),
    /// Consensus cannot go on without the risk of signing twice.
    #[error(
        "consensus stopped because going on could sign contradicting votes: {0}; check the disk that \
         holds the write-ahead log, keep the log, and restart the node"
    )]
    Safety(String),
    /// The engine ended by itself.
    #[error("the consensus engine stopped: {0}; restart the node")]
    Engine(String),
}

/// A message longer than [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a message of at most {MESSAGE_BYTES_MAX} bytes, got {0}")]
pub struct MessageTooLong(pub usize);

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;

/// A node that takes part in consensus.
pub struct Node {
    handle: Handle,
    failed: mpsc::Receiver<RunError>,
    actors: Actors,
}

/// Asks and tells a running [`Node`]; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    network: NetworkRef<Tabella>,
    address_book: Arc<tokio::sync::Mutex<AddressBook>>,
    host: Arc<Host>,
    listen: SocketAddr,
}

/// Running actors, in the order in which they stop.
#[derive(Default)]
struct Actors(Vec<ActorCell>);

impl Actors {
    /// Adds an actor that stops before those added so far, under `supervisor`.
    fn add(&mut self, actor: ActorCell, supervisor: &ActorCell) {
        actor.link(supervisor.clone());
        self.0.insert(0, actor);
    }

    async fn stop(self) {
        for actor in self.0 {
            let stopped = actor.stop_and_wait(None, Some(START_STOP_TIMEOUT)).await;
            if let Err(error) = stopped {
                // It hangs, as the engine does after a failed write to the log.
                warn!(%error, "a consensus actor does not stop; killing it");
                actor.kill();
            }
        }
    }
}

impl Node {
    /// Starts to listen, connect and decide blocks.
    ///
    /// The future is boxed so that the engine is compiled here once, not in every crate that awaits
    /// it.
    pub fn start(
        config: Config,
        application: Arc<dyn Application>,
    ) -> BoxFuture<Result<Self, StartError>> {
        Box::pin(async move {
            let span = error_span!("consensus", node = %config.node_id);
            let mut actors = Actors::default();
            let started = start(config, application, span.clone(), &mut actors)
                .instrument(span)
                .await;
            match started {
                Ok((handle, failed)) => Ok(Self {
                    handle,
                    failed,
                    actors,
                }),
                Err(error) => {
                    actors.stop().await;
                    Err(error)
                }
            }
        })
    }

    /// For asking and telling the node while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until `shutdown` or until the node can no longer take part. When this returns, nothing of
    /// consensus calls the application any more.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
        let result = tokio::select! {
            // The sender lives in `handle`.
            Some(error) = self.failed.recv() => {
                error!(%error, "leaving consensus");
                Err(error)
            }
            () = shutdown => Ok(()),
        };
        let shared = &self.handle.shared;
        shared.stop.cancel();
        self.actors.stop().await;
        shared.tasks.close();
        if tokio::time::timeout(DRAIN_TIMEOUT, shared.tasks.wait())
            .await
            .is_err()
        {
            warn!("the application is still busy with blocks; not waiting any longer");
        }
        result
    }
}

impl Handle {
    /// Where this node listens for peers, with the port it was given if the configuration left that
    /// open.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Validators and configured peers that are connected now.
    pub fn connected_peers(&self) -> Vec<PublicKey> {
        self.shared.connected_peers()
    }

    /// The height being decided; 0 before the first starts.
    pub fn height(&self) -> u64 {
        self.shared.height()
    }

    /// The round of that height.
    pub fn round(&self) -> u32 {
        self.shared.round()
    }

    /// How many messages of peers were dropped because they were malformed, forged or too many.
    pub fn refused_messages(&self) -> u64 {
        self.shared.refused()
    }

    /// How often a peer was cut off because it sent too much, or too much that was refused.
    pub fn peers_cut_off(&self) -> u64 {
        self.shared.times_cut_off()
    }

    /// The heights that peers said, since this node started, that they have committed. Each speaks for
    /// itself, on its own connection.
    pub fn peer_tips(&self) -> BTreeMap<PublicKey, u64> {
        self.shared.peer_tips()
    }

    /// Tells where a validator or configured peer listens, now or after it moved. Unreachable peers
    /// are tried about once a second.
    pub async fn set_peer(&self, peer: PeerAddress) -> Result<(), SetPeerError> {
        self.address_book
            .lock()
            .await
            .set(&self.network, peer)
            .await
    }

    /// Sends a message to every connected peer's
    /// [`Application::message`](crate::Application::message), without any promise of delivery.
    pub fn broadcast(&self, message: Bytes) -> Result<(), MessageTooLong> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(MessageTooLong(message.len()));
        }
        let counter = self
            .host
            .stream_counter
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let content = StreamContent::Data(ProposalPart::Message(message));
        let message = StreamMessage::new(parts::stream_id(0, 0, counter), 0, content);
        // It fails only when the node stops.
        let _ = self.network.cast(NetworkMsg::PublishProposalPart(message));
        Ok(())
    }

    /// The engine's metrics in Prometheus' text format. They are of the whole process, labelled with
    /// the node's name as `moniker`.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        arc_malachitebft_metrics::export(&mut text);
        text
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "starts the engine's actors in their order"
)]
async fn start(
    config: Config,
    application: Arc<dyn Application>,
    span: Span,
    actors: &mut Actors,
) -> Result<(Handle, mpsc::Receiver<RunError>), StartError> {
    let engine = |error: &dyn std::fmt::Display| StartError::Engine(error.to_string());
    let height_start = application.start().await?;
    check_height_start(&height_start)?;
    let wal_path = wal::check(&config.data_dir, config.wal, height_start.height)?;
    // The engine would only log that the port is taken.
    TcpListener::bind(config.listen).map_err(|error| StartError::Listen {
        address: config.listen,
        error,
    })?;

    let own = config.signing_key.public();
    let verifier = MessageVerifier {
        genesis_hash: config.genesis_hash,
    };
    let signer = MessageSigner {
        genesis_hash: config.genesis_hash,
        signing_key: config.signing_key.clone(),
        halt: config.halt.clone(),
    };
    let address_book = AddressBook::new(own, &who_may_connect(&height_start), &config.peers);
    let (shared, failed) = Shared::new(config.listen, span.clone());
    let shared = Arc::new(shared);
    shared.set_allowed(address_book.allowed());
    shared.set_validators(height_start.quorum, &height_start.validators);
    let registry = SharedRegistry::global().with_moniker(&config.node_id);
    let metrics = Metrics::register(&registry);

    let supervisor = Supervisor {
        shared: shared.clone(),
        metrics: metrics.clone(),
    };
    let supervisor = supervisor.spawn().await.map_err(|error| engine(&error))?;
    let supervising = supervisor.get_cell();
    // The supervisor stops last and is under no one.
    actors.0.push(supervising.clone());

    let wal = spawn_wal(&wal_path, &registry, &span, &supervisor).await?;
    actors.add(wal.get_cell(), &supervising);

    let network_config = network_config(&config, address_book.multiaddrs());
    let identity = identity(&config, &signer).await?;
    let network = Network::spawn(
        identity,
        network_config,
        registry.clone(),
        WireCodec,
        span.clone(),
    )
    .await
    .map_err(|error| engine(&error))?;
    actors.add(network.get_cell(), &supervising);

    let address_book = Arc::new(tokio::sync::Mutex::new(address_book));
    let gate = Gate {
        shared: shared.clone(),
        application: application.clone(),
        network: network.clone(),
        address_book: address_book.clone(),
        genesis_hash: config.genesis_hash,
        limits: config.peer_limits,
    };
    let gate = gate.spawn().await.map_err(|error| engine(&error))?;
    actors.add(gate.get_cell(), &supervising);
    network
        .cast(NetworkMsg::Subscribe(Box::new(gate.clone())))
        .map_err(|error| engine(&error))?;
    let gated = GatedNetwork {
        network: network.clone(),
        gate,
    };
    let gated = gated.spawn().await.map_err(|error| engine(&error))?;
    actors.add(gated.get_cell(), &supervising);

    let host = Arc::new(Host {
        shared: shared.clone(),
        application: application.clone(),
        network: network.clone(),
        consensus: OnceLock::new(),
        address_book: address_book.clone(),
        genesis_hash: config.genesis_hash,
        signing_key: config.signing_key.clone(),
        timeouts: config.timeouts.linear(),
        block_bytes_max: config.block_bytes_max,
        sync_batch: SYNC_BATCH,
        sync_response_bytes_max: sync_response_bytes(&config),
        height_start: Mutex::new(height_start),
        stream_counter: AtomicU32::new(0),
        mail: Mail::new(application.clone()),
    });
    let host_ref = host.spawn().await.map_err(|error| engine(&error))?;
    actors.add(host_ref.get_cell(), &supervising);

    let events = TxEvent::new();
    shared.spawn(stop_at_invalid_decision(
        events.subscribe(),
        application.clone(),
        shared.clone(),
    ));
    let sync_port = Arc::new(OutputPort::new());
    let signs = config.participation == Participation::Sign;
    let consensus = Consensus::spawn(
        Tabella,
        Params {
            address: Address(own),
            threshold_params: thresholds(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: signs,
        },
        ConsensusConfig::default(),
        Box::new(verifier),
        // An observer has none, so that it cannot sign by mistake.
        signs.then(|| Box::new(signer) as _),
        gated.clone(),
        host_ref.clone(),
        wal,
        sync_port.clone(),
        metrics,
        events,
        supervisor,
        span.clone(),
    )
    .await
    .map_err(|error| engine(&error))?;
    actors.add(consensus.get_cell(), &supervising);
    // It was empty: this is the only place that sets it.
    let _ = host.consensus.set(consensus.clone());

    let status_interval = Duration::from_millis(config.status_interval_ms);
    let sync = Sync::spawn(
        Tabella,
        gated,
        host_ref,
        consensus,
        SyncParams {
            status_update_interval: status_interval,
            request_timeout: SYNC_TIMEOUT,
        },
        WireCodec,
        sync_config(&config),
        sync::Metrics::register(&registry, status_interval),
        span,
    )
    .await
    .map_err(|error| engine(&error))?;
    actors.add(sync.get_cell(), &supervising);
    sync.subscribe_to_port(&sync_port);
    shared.wired.send_replace(true);

    let listen = tokio::time::timeout(START_STOP_TIMEOUT, shared.listen_address()).await;
    let listen = listen.ok().flatten().ok_or_else(|| StartError::Listen {
        address: config.listen,
        error: io::Error::new(io::ErrorKind::TimedOut, "the network did not come up"),
    })?;
    info!(address = %listen, "listening for validators");
    Ok((
        Handle {
            shared,
            network,
            address_book,
            host,
            listen,
        },
        failed,
    ))
}

/// Opens the log, waiting a moment for an earlier run in this process to let go of it.
async fn spawn_wal(
    path: &std::path::Path,
    registry: &SharedRegistry,
    span: &Span,
    supervisor: &arc_malachitebft_engine::node::NodeRef,
) -> Result<arc_malachitebft_engine::wal::WalRef<Tabella>, StartError> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    loop {
        let path = path.to_owned();
        let (registry, span) = (registry.clone(), span.clone());
        match Wal::spawn(
            &Tabella,
            WireCodec,
            path,
            registry,
            span,
            supervisor.clone(),
        )
        .await
        {
            Ok(wal) => return Ok(wal),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                return Err(StartError::Engine(format!(
                    "cannot open the write-ahead log, which another process may be using: {error}"
                )));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Ends the node when the network has decided a block that is invalid here: the engine only logs it
/// and would ask for nothing any more.
async fn stop_at_invalid_decision(
    mut events: RxEvent<Tabella>,
    application: Arc<dyn Application>,
    shared: Arc<Shared>,
) -> Result<(), Fatal> {
    loop {
        let event = match shared.stop.run_until_cancelled(events.recv()).await {
            Some(Ok(event)) => event,
            // The engine is talkative, but goes silent once it is stuck.
            Some(Err(RecvError::Lagged(_))) => continue,
            None | Some(Err(RecvError::Closed)) => return Ok(()),
        };
        let Event::ReceivedProposedValue(value, ValueOrigin::Sync) = event else {
            continue;
        };
        let (height, block) = (value.height.0, value.value.0);
        if value.validity != Validity::Invalid {
            continue;
        }
        // Where the history has split, acks say so: the application then leaves consensus in order.
        let grace = tokio::time::sleep(INVALID_DECISION_GRACE);
        if shared.stop.run_until_cancelled(grace).await.is_none() {
            return Ok(());
        }
        // Were the height committed meanwhile, the block would only be invalid as the next one.
        if application.decided(height).await?.is_none() {
            return Err(Fatal::new(format_args!(
                "block {block} was decided at height {height}, but is invalid here; run the \
                 version that the other validators run, or restore this one's data from theirs"
            )));
        }
    }
}

/// The validator key as libp2p identity, so that peers know from the chain who may connect.
async fn identity(config: &Config, signer: &MessageSigner) -> Result<NetworkIdentity, StartError> {
    let engine = |error: &dyn std::fmt::Display| StartError::Engine(error.to_string());
    let own = config.signing_key.public();
    let keypair = Keypair::ed25519_from_bytes(config.signing_key.to_seed())
        .map_err(|error| engine(&error))?;
    let proof = signer
        .sign_validator_proof(own.0.to_vec(), peers::peer_id(&own).to_bytes())
        .await
        .map_err(|error| engine(&error))?;
    let proof = WireCodec.encode(&proof).map_err(|error| engine(&error))?;
    let (name, address) = (config.node_id.clone(), Address(own).to_string());
    Ok(NetworkIdentity::new_validator(
        name, keypair, address, proof,
    ))
}

fn sync_response_bytes(config: &Config) -> usize {
    SYNC_RESPONSE_BYTES.max(config.block_bytes_max)
}

fn sync_config(config: &Config) -> sync::Config {
    sync::Config::default()
        .with_request_timeout(SYNC_TIMEOUT)
        .with_max_response_size(sync_response_bytes(config) + SYNC_OVERHEAD_BYTES)
        .with_parallel_requests(SYNC_PARALLEL)
        .with_batch_size(SYNC_BATCH)
}

fn network_config(
    config: &Config,
    persistent_peers: Vec<arc_malachitebft_network::Multiaddr>,
) -> NetworkConfig {
    let sync = sync_config(config);
    NetworkConfig {
        listen_addr: peers::listen_multiaddr(&config.listen),
        persistent_peers,
        // Only these may connect.
        persistent_peers_only: true,
        discovery: DiscoveryConfig {
            // Peers are found through the chain, the configuration and bootnodes.
            enabled: false,
            persistent_peers_only: true,
            num_inbound_peers: INBOUND_PEERS_MAX,
            max_connections_per_ip: config.peer_limits.connections_per_address_max,
            // A restarted validator must be back at once.
            ip_throttle_duration: Duration::ZERO,
            // The engine's own timer tries again every second; retries would only back off.
            dial_max_retries: 0,
            ..DiscoveryConfig::default()
        },
        idle_connection_timeout: IDLE_TIMEOUT,
        transport: TransportProtocol::Tcp,
        gossipsub: GossipSubConfig::default(),
        // Validators form a full mesh, where sending to everyone is the shortest way.
        pubsub_protocol: PubSubProtocol::Broadcast,
        channel_names: channel_names(config),
        rpc_max_size: sync.max_response_size,
        pubsub_max_size: 2 * PART_BYTES_MAX,
        pubsub_max_size_per_topic: PubSubMaxSizePerTopic::default(),
        sync_request_timeout: sync.request_timeout,
        sync_max_request_size: sync.max_request_size,
        sync_parallel_requests: sync.parallel_requests,
        enable_consensus: true,
        enable_sync: true,
        protocol_names: protocol_names(config),
    }
}

/// Like the names of protocols, they keep networks apart.
fn channel_names(config: &Config) -> ChannelNames {
    let network = config.genesis_hash.short();
    let name = |channel: &str| format!("/tabella/{network}/{channel}");
    ChannelNames {
        consensus: name("consensus"),
        proposal_parts: name("parts"),
        sync: name("sync"),
        liveness: name("liveness"),
    }
}

/// The names carry the network's genesis hash, so that nodes of another network are cut off at the
/// handshake, even with the same validator keys.
fn protocol_names(config: &Config) -> ProtocolNames {
    let network = config.genesis_hash;
    let name = |part: &str| format!("/tabella/{network}/{part}/1");
    ProtocolNames {
        consensus: name("consensus"),
        discovery_kad: name("discovery-kad"),
        discovery_regres: name("discovery"),
        sync: name("sync"),
        validator_proof: name("validator-proof"),
    }
}
