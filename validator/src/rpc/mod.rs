//! JSON-RPC 2.0 over HTTP: Ethereum's names, Tabella's own, health and metrics.

#[cfg(test)]
mod adversary;
mod answer;
mod chain;
mod cost;
mod error;
mod eth;
mod methods;
mod params;
mod queue;
mod submit;
mod tabella;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tabella_consensus::Handle;
use tabella_http_server::{Freshness, Server, SharedRun, subscriber};
use tabella_ledger::Tip;
use tabella_protocol::rpc::{BATCH_MAX, REQUEST_BYTES_MAX};
use tabella_runtime::StrictJson;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::{
    application::Validator, clock::now_ms, discovery::Discovery, metrics::Gauges, stop::Stop,
};
use answer::Json;
use error::RpcError;
use queue::Queue;

/// A node whose newest block is older than this, with an idle block due every second, is not ready:
/// it has to catch up. Another machine's clock wrote the time.
const READY_BLOCK_AGE_MS: u64 = 10_000;
/// Nor is one that has committed no block for this long: the quorum is lost.
const READY_COMMIT_AGE_MS: u64 = 2_500;
/// How long answers under way may take once the node is to stop.
const DRAIN: Duration = Duration::from_millis(2_500);

/// What answering needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) validator: Arc<Validator>,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) node_id: String,
    pub(crate) tip: watch::Receiver<Tip>,
    pub(crate) stop: Stop,
    pub(crate) server: Server,
    pub(crate) bounded: Arc<Bounded>,
}

/// What all requests share.
pub(crate) struct Bounded {
    reads: Queue,
    submissions: Queue,
    long_polls: Semaphore,
    verification: SharedRun<Result<Json, RpcError>>,
}

impl Bounded {
    pub(crate) fn new() -> Self {
        Self {
            reads: Queue::new(cost::READS),
            submissions: Queue::new(cost::SUBMISSIONS),
            long_polls: Semaphore::new(cost::LONG_POLLS_MAX),
            verification: SharedRun::new(cost::VERIFY_PAUSE, Freshness::Recent),
        }
    }
}

/// Serves until the node stops.
pub(crate) async fn serve(listener: TcpListener, context: Context, stop: Stop) {
    let server = context.server.clone();
    let router = Router::new()
        .route("/", post(json_rpc))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(context);
    let stopping = stop.clone();
    let stopped = async move { stopping.stopped().await };
    if let Err(error) = server.serve(listener, router, stopped, DRAIN).await {
        stop.fail(format!("JSON-RPC ended: {error}"));
    }
}

async fn json_rpc(
    State(context): State<Context>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Response {
    match answer(&context, peer, &body).await {
        Ok(Some(answer)) => json_response(answer),
        // Nothing but notifications.
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => json_response(answer::respond(&Value::Null, Err(error))),
    }
}

fn json_response(text: Json) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The answer to a request; an error where it is refused as a whole.
async fn answer(
    context: &Context,
    peer: SocketAddr,
    body: &[u8],
) -> Result<Option<Json>, RpcError> {
    cost::check_values(body)?;
    let StrictJson(call) = serde_json::from_slice(body).map_err(|error| RpcError::parse(&error))?;
    let address = subscriber(peer.ip());
    match call {
        Value::Array(calls) if calls.is_empty() || calls.len() > BATCH_MAX => {
            Err(RpcError::invalid_request(format!(
                "expected a batch of 1 to {BATCH_MAX} calls, got {}",
                calls.len()
            )))
        }
        Value::Array(calls) => {
            let answers = methods::call_all(context, address, calls).await?;
            Ok((!answers.is_empty()).then(|| answer::array(&answers)))
        }
        call => Ok(methods::call_all(context, address, vec![call]).await?.pop()),
    }
}

async fn live() -> &'static str {
    "live\n"
}

/// Ready: blocks are coming, so what is submitted here will be decided.
///
/// Two ages are looked at. The newest block's timestamp tells a node that is catching up from one that
/// has caught up, but it is another machine's time of day, and once one clock was ahead, blocks seem
/// young for that long. How long ago this node committed a block needs no clock but its own.
async fn ready(State(context): State<Context>) -> Response {
    let tip = *context.tip.borrow();
    let block_age_ms = now_ms().saturating_sub(tip.timestamp_ms);
    let committed_age_ms = context
        .validator
        .last_commit()
        .map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
    let idle_ms = u64::try_from(context.validator.idle_block.as_millis()).unwrap_or(u64::MAX);
    let block_allowed_ms = READY_BLOCK_AGE_MS.max(idle_ms.saturating_mul(5));
    let commit_allowed_ms = READY_COMMIT_AGE_MS.max(idle_ms.saturating_mul(5) / 2);
    let standing = context.validator.standing();
    let signing = standing.signs();
    let is_ready = signing
        && context.consensus().is_some()
        && block_age_ms < block_allowed_ms
        && committed_age_ms.is_some_and(|age_ms| age_ms < commit_allowed_ms);
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "ready": is_ready,
        "signing": signing,
        "standing": standing,
        "evidence": context.validator.evidence.found().len(),
        "height": tip.height,
        "block_age_ms": block_age_ms,
        "committed_age_ms": committed_age_ms,
        "peers": context.peers(),
    });
    (status, axum::Json(body)).into_response()
}

async fn metrics(State(context): State<Context>) -> Response {
    let consensus = context.consensus();
    let gauges = Gauges {
        height: context.tip.borrow().height,
        round: consensus.map_or(0, Handle::round),
        mempool: context.validator.intake.len(),
        peers: context.peers(),
        signing: context.validator.standing().signs(),
        refused_messages: consensus.map_or(0, Handle::refused_messages),
        peers_cut_off: consensus.map_or(0, Handle::peers_cut_off),
        rpc_busy: context.bounded.reads.refused() + context.bounded.submissions.refused(),
    };
    let mut text = context
        .validator
        .metrics
        .render(&gauges, &context.validator.intake.timings());
    text.push_str(&context.server.render_metrics("tabella"));
    text.push_str(&consensus.map(Handle::metrics).unwrap_or_default());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

impl Context {
    /// Absent while this node catches up or must not sign.
    pub(crate) fn consensus(&self) -> Option<&Handle> {
        self.validator.consensus.get()
    }

    fn block_bytes_max(&self) -> usize {
        usize::try_from(self.validator.ledger.genesis().block_bytes_max).unwrap_or(usize::MAX)
    }

    /// How many other validators are connected.
    pub(crate) fn peers(&self) -> u32 {
        let peers = self
            .consensus()
            .map_or(0, |consensus| consensus.connected_peers().len());
        u32::try_from(peers).unwrap_or(u32::MAX)
    }
}
