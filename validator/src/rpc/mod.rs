//! JSON-RPC 2.0 over HTTP: Ethereum's names, Tabella's own, health and metrics.

mod chain;
mod error;
mod eth;
mod listener;
mod methods;
mod params;
mod submit;
mod tabella;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tabella_consensus::Handle;
use tabella_ledger::Tip;
use tabella_protocol::rpc::{BATCH_MAX, REQUEST_BYTES_MAX};
use tabella_runtime::StrictJson;
use tokio::sync::watch;

use crate::{
    application::Validator, clock::now_ms, discovery::Discovery, metrics::Gauges, stop::Stop,
};
use error::RpcError;
pub(crate) use listener::Listener;

/// A node whose newest block is older than this, with an idle block due every second, is not ready:
/// it has to catch up. Another machine's clock wrote the time.
const READY_BLOCK_AGE_MS: u64 = 10_000;
/// Nor is one that has committed no block for this long: the quorum is lost.
const READY_COMMIT_AGE_MS: u64 = 2_500;

/// What answering needs.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) validator: Arc<Validator>,
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) node_id: String,
    pub(crate) tip: watch::Receiver<Tip>,
    pub(crate) stop: Stop,
}

/// Serves until the node stops.
pub(crate) async fn serve(listener: Listener, context: Context, stop: Stop) {
    let router = Router::new()
        .route("/", post(json_rpc))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .with_state(context);
    let stopping = stop.clone();
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stopping.stopped().await })
        .await;
    if let Err(error) = served {
        stop.fail(format!("JSON-RPC ended: {error}"));
    }
}

async fn json_rpc(State(context): State<Context>, body: Bytes) -> Response {
    let call = serde_json::from_slice(&body).map(|StrictJson(call)| call);
    let answer = match call {
        Err(error) => Some(RpcError::parse(&error).respond(Value::Null)),
        Ok(Value::Array(calls)) if calls.is_empty() || calls.len() > BATCH_MAX => Some(
            RpcError::invalid_request(format!(
                "expected a batch of 1 to {BATCH_MAX} calls, got {}",
                calls.len()
            ))
            .respond(Value::Null),
        ),
        Ok(Value::Array(calls)) => {
            let answers = methods::call_all(&context, calls).await;
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(call) => methods::call_all(&context, vec![call]).await.pop(),
    };
    match answer {
        // Nothing but notifications.
        None => StatusCode::NO_CONTENT.into_response(),
        Some(answer) => (
            [(header::CONTENT_TYPE, "application/json")],
            answer.to_string(),
        )
            .into_response(),
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
    };
    let mut text = context
        .validator
        .metrics
        .render(&gauges, &context.validator.intake.timings());
    text.push_str(&consensus.map(Handle::metrics).unwrap_or_default());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

impl Context {
    /// Absent while this node catches up or must not sign.
    pub(crate) fn consensus(&self) -> Option<&Handle> {
        self.validator.consensus.get()
    }

    /// How many other validators are connected.
    pub(crate) fn peers(&self) -> u32 {
        let peers = self
            .consensus()
            .map_or(0, |consensus| consensus.connected_peers().len());
        u32::try_from(peers).unwrap_or(u32::MAX)
    }
}

/// How long a call may wait for a block.
const WAIT_MAX: Duration = Duration::from_secs(20);
