//! The HTTP surface.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use tabella_http_server::{Bounds, Server};
use tabella_protocol::{Genesis, PeerRecord};
use tokio::net::TcpListener;

use crate::{
    BootnodeError,
    peers::{Peers, Stored},
    problem::Problem,
};

/// Largest peer record accepted, in bytes of JSON.
pub const RECORD_BYTES_MAX: usize = 4 << 10;

/// How long answers in flight may take once a stop was asked for.
const DRAIN: Duration = Duration::from_secs(2);

struct Bootnode {
    genesis: Genesis,
    peers: Mutex<Peers>,
    received: Family<Received, Counter>,
    /// Validators with a record in date, as of the last look at the metrics.
    listed: Gauge<u64, AtomicU64>,
    registry: Registry,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Received {
    outcome: &'static str,
}

const ACCEPTED: Received = Received {
    outcome: "accepted",
};
const REFUSED: Received = Received { outcome: "refused" };

impl Bootnode {
    /// The records. A panic elsewhere leaves them whole, so a poisoned lock is no reason to stop.
    fn peers(&self) -> std::sync::MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a network's peer records on `listener` until `shutdown` resolves.
pub async fn serve(
    genesis: Genesis,
    listener: TcpListener,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BootnodeError> {
    let listen = listener.local_addr().map_err(BootnodeError::Serve)?;
    tracing::info!(%listen, network = %genesis.network, "bootnode is listening");
    let server = Server::new(bounds);
    let router = router(genesis, &server);
    let serving = server.serve(listener, router, shutdown, DRAIN);
    serving.await.map_err(BootnodeError::Serve)
}

fn router(genesis: Genesis, server: &Server) -> Router {
    let mut registry = Registry::with_prefix("tabella_bootnode");
    let received = Family::default();
    for outcome in [ACCEPTED, REFUSED] {
        // Shown before the first of its kind.
        drop(received.get_or_create(&outcome));
    }
    let listed = Gauge::default();
    registry.register(
        "peers",
        "Validators with a record in date",
        Gauge::clone(&listed),
    );
    registry.register(
        "records",
        "Peer records received, by outcome",
        Family::clone(&received),
    );
    server.register(&mut registry);
    let bootnode = Arc::new(Bootnode {
        genesis,
        peers: Mutex::default(),
        received,
        listed,
        registry,
    });
    Router::new()
        .route("/peers", get(list_peers).post(store_peer))
        .route("/health/live", get(live))
        .route("/metrics", get(metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(RECORD_BYTES_MAX))
        .with_state(bootnode)
}

async fn store_peer(
    State(bootnode): State<Arc<Bootnode>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<PeerRecord>), Problem> {
    let stored = store(&bootnode, body);
    let outcome = match &stored {
        Ok(_) => ACCEPTED,
        Err(_) => REFUSED,
    };
    bootnode.received.get_or_create(&outcome).inc();
    stored
}

fn store(
    bootnode: &Bootnode,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<PeerRecord>), Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("expected a peer record of at most {RECORD_BYTES_MAX} bytes"),
        ),
        _ => Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable-body",
            "the body ended before it was complete",
        ),
    })?;
    let record: PeerRecord = serde_json::from_slice(&body).map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed-record",
            format!("expected a peer record as JSON: {error}"),
        )
    })?;
    let stored =
        bootnode
            .peers()
            .store(record.clone(), &bootnode.genesis, tabella_clock::now_ms())?;
    let status = match stored {
        Stored::New => StatusCode::CREATED,
        Stored::Replaced | Stored::Known => StatusCode::OK,
    };
    if stored != Stored::Known {
        tracing::info!(
            node_id = %record.node_id,
            p2p_address = %record.p2p_address,
            rpc_url = %record.rpc_url,
            "peer record stored"
        );
    }
    Ok((status, Json(record)))
}

async fn list_peers(State(bootnode): State<Arc<Bootnode>>) -> Json<Vec<PeerRecord>> {
    Json(bootnode.peers().list(tabella_clock::now_ms()))
}

async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "live"}))
}

async fn metrics(State(bootnode): State<Arc<Bootnode>>, headers: HeaderMap) -> Response {
    let peers = bootnode.peers().list(tabella_clock::now_ms()).len();
    bootnode.listed.set(peers as u64);
    tabella_http_server::metrics::answer(&headers, &bootnode.registry, "")
}

async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "expected /peers, /health/live or /metrics",
    )
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "expected GET, or POST for /peers",
    )
}
