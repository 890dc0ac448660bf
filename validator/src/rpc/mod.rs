//! JSON-RPC 2.0 over HTTP: Ethereum's names, Tabella's own, health and metrics.

mod chain;
mod error;
mod eth;
mod listener;
mod methods;
mod params;
mod readiness;
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
use serde_json::Value;
use tabella_consensus::Handle;
use tabella_ledger::Tip;
use tabella_protocol::rpc::{BATCH_MAX, REQUEST_BYTES_MAX};
use tabella_runtime::StrictJson;
use tokio::sync::watch;

use crate::{application::Validator, discovery::Discovery, metrics::Gauges, stop::Stop};
use error::RpcError;
pub(crate) use listener::Listener;
use readiness::Readiness;

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
        .route("/health/ready", get(readiness::ready))
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

async fn metrics(State(context): State<Context>) -> Response {
    let consensus = context.consensus();
    let gauges = Gauges {
        height: context.tip.borrow().height,
        round: consensus.map_or(0, Handle::round),
        mempool: context.validator.intake.len(),
        peers: context.peers(),
        signing: context.is_signing(),
        ready: Readiness::of(&context).is_ready,
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

    /// Whether this node signs consensus votes now: it is a validator and takes part.
    pub(crate) fn is_signing(&self) -> bool {
        self.validator.standing().signs() && self.consensus().is_some()
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
