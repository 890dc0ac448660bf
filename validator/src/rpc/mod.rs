//! JSON-RPC 2.0 over HTTP: Ethereum's names, Tabella's own, health and metrics.

#[cfg(test)]
mod adversary;
mod answer;
mod certified;
mod chain;
mod cost;
mod error;
mod eth;
mod methods;
mod metrics;
mod params;
mod places;
mod readers;
mod readiness;
mod submit;
mod tabella;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tabella_consensus::Handle;
use tabella_contest::StrictJson;
pub(crate) use tabella_http_server::Trusted;
use tabella_http_server::{Freshness, Queue, Server, SharedRun, subscriber};
use tabella_ledger::Tip;
use tabella_protocol::rpc::{BATCH_MAX, REQUEST_BYTES_MAX};
use tokio::{net::TcpListener, sync::watch};

use crate::{application::Validator, discovery::Discovery, stop::Stop};
use answer::Json;
use certified::Certified;
use error::RpcError;
use metrics::Shown;
use places::Places;
use readers::Asker;
pub(crate) use readers::Readers;

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
    pub(crate) readers: Arc<Readers>,
}

/// What all requests share.
pub(crate) struct Bounded {
    light_reads: Queue,
    reads: Queue,
    /// How long one request may read the chain in its turn.
    turn_max: Duration,
    submissions: Queue,
    long_polls: Places,
    verification: SharedRun<Result<Json, RpcError>>,
    /// Requests that wait for it.
    verifications: Places,
    certified: Certified,
}

impl Bounded {
    pub(crate) fn new(trusted: &Trusted) -> Self {
        Self {
            light_reads: Queue::new(cost::LIGHT_READS, trusted),
            reads: Queue::new(cost::READS, trusted),
            turn_max: cost::TURN_MAX,
            submissions: Queue::new(cost::SUBMISSIONS, trusted),
            long_polls: Places::new(cost::LONG_POLLS),
            verification: SharedRun::new(cost::VERIFY_PAUSE, Freshness::Recent),
            verifications: Places::new(cost::VERIFICATIONS),
            certified: Certified::default(),
        }
    }

    /// Where a request that reads the chain waits for its turn.
    fn reads(&self, is_light: bool) -> &Queue {
        match is_light {
            true => &self.light_reads,
            false => &self.reads,
        }
    }

    /// Requests that were refused because too many waited.
    fn refused(&self) -> u64 {
        let queues = [&self.light_reads, &self.reads, &self.submissions];
        queues.iter().map(|queue| queue.refused()).sum()
    }
}

/// Serves until the node stops.
pub(crate) async fn serve(listener: TcpListener, context: Context, stop: Stop) {
    let server = context.server.clone();
    let shown = Shown::new(&context);
    let router = Router::new()
        .route("/", post(json_rpc))
        .route("/health/live", get(live))
        .route("/health/ready", get(readiness::ready))
        .route("/metrics", get(metrics::metrics).with_state(shown))
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
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match answer(&context, peer, Asker::new(&headers), body).await {
        Ok(Some(pieces)) => json_response(pieces),
        // Nothing but notifications.
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => json_response(vec![answer::respond(&Value::Null, Err(error))]),
    }
}

fn json_response(text: Vec<Json>) -> Response {
    let body = tabella_http_server::pieces(text);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The pieces of the answer to a request; an error where it is refused as a whole.
async fn answer(
    context: &Context,
    peer: SocketAddr,
    asker: Asker,
    body: Bytes,
) -> Result<Option<Vec<Json>>, RpcError> {
    let address = subscriber(peer.ip());
    match read(body)? {
        Value::Array(calls) if calls.is_empty() || calls.len() > BATCH_MAX => {
            Err(RpcError::invalid_request(format!(
                "expected a batch of 1 to {BATCH_MAX} calls, got {}",
                calls.len()
            )))
        }
        Value::Array(calls) => {
            let calls = methods::read_calls(calls);
            let answers = methods::call_all(context, address, asker, calls).await?;
            Ok((!answers.is_empty()).then(|| answer::array(answers)))
        }
        call => {
            let calls = methods::read_calls(vec![call]);
            let answers = methods::call_all(context, address, asker, calls).await?;
            Ok((!answers.is_empty()).then_some(answers))
        }
    }
}

/// The body's JSON. Its values are made while nothing is awaited, so that as many requests at most hold
/// theirs as there are threads; while a request waits, it holds text.
fn read(body: Bytes) -> Result<Value, RpcError> {
    cost::check_values(&body)?;
    let StrictJson(call) =
        serde_json::from_slice(&body).map_err(|error| RpcError::parse(&error))?;
    Ok(call)
}

async fn live() -> &'static str {
    "live\n"
}

impl Context {
    /// Absent while this node catches up or must not sign.
    pub(crate) fn consensus(&self) -> Option<&Handle> {
        self.validator.consensus.get()
    }

    fn block_bytes_max(&self) -> usize {
        usize::try_from(self.validator.ledger.genesis().block_bytes_max).unwrap_or(usize::MAX)
    }

    /// Whether this node signs consensus votes now: it is a validator and takes part.
    pub(crate) fn is_signing(&self) -> bool {
        self.validator.standing().signs() && self.consensus().is_some()
    }

    /// How many other validators of the next block are connected: no newcomer that follows yet, and none that
    /// has left.
    pub(crate) fn peers(&self) -> u32 {
        u32::try_from(self.connected_validators()).unwrap_or(u32::MAX)
    }

    fn connected_validators(&self) -> usize {
        let validators = self.validator.ledger.next_validators();
        self.consensus().map_or(0, |consensus| {
            let connected = consensus.connected_peers();
            let counted = connected.iter().filter(|key| validators.contains(key));
            counted.count()
        })
    }
}
