//! `GET /health/live`, `GET /health/ready`, `GET /metrics`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

use crate::{app::App, clock, metrics, openapi::time};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Live {
    status: &'static str,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Ready {
    status: &'static str,
    database: &'static str,
    /// `healthy`; `failed` while it takes no ballots; `damaged` where a block of it cannot be read, which the log names.
    local_ledger: &'static str,
    validators_healthy: usize,
    validators: usize,
    pending_submissions: usize,
    /// Who takes a ballot now: 1 the whole network, 2 a part of it, 3 the local ledger, 4 the database
    /// alone, 0 nobody.
    level: u8,
    #[schema(schema_with = time)]
    level_since: String,
    /// Whether the network confirms ballots now.
    has_quorum: bool,
    #[schema(schema_with = time)]
    quorum_since: String,
    /// What that means, for people.
    meaning: String,
    chain: ProvenChain,
}

/// How far the backend's own copy of the chain is, from which everything is shown
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ProvenChain {
    /// Blocks up to here were proven and executed.
    height: u64,
    /// Certified blocks that are still to be executed.
    behind: u64,
    /// Why the copy does not advance, where it does not.
    problem: Option<String>,
}

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operation",
    operation_id = "live",
    responses(
        (status = 200, description = "It does", body = Live)
    ),
)]
pub(crate) async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

/// Whether ballots are taken
///
/// Ready while the database takes writes: with no validator there, ballots are still recorded. `level` and `has_quorum` say what becomes of them.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operation",
    operation_id = "ready",
    responses(
        (status = 200, description = "Ready", body = Ready),
        (status = 503, description = "The database takes no writes", body = Ready)
    ),
)]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Ready>) {
    let now = app.levels.look();
    let healthy = now.seen.has_database;
    let (code, status, database) = if healthy {
        (StatusCode::OK, "ready", "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "failed")
    };
    let progress = app.follower.progress();
    let ready = Ready {
        status,
        database,
        local_ledger: match app.local.view() {
            view if view.is_healthy() && app.outbox.reconciliation().is_damaged() => "damaged",
            view => view.status,
        },
        validators_healthy: now.seen.healthy,
        validators: now.seen.members,
        pending_submissions: app.pending.len(),
        level: now.service.level.number(),
        level_since: clock::rfc3339(now.level_since_ms),
        has_quorum: now.has_quorum(),
        quorum_since: clock::rfc3339(now.quorum_since_ms),
        meaning: now.seen.meaning(app.client.current_validators().quorum),
        chain: ProvenChain {
            height: progress.height,
            behind: progress.behind(),
            problem: progress.problem,
        },
    };
    (code, Json(ready))
}

/// Counters, in the Prometheus text format
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    operation_id = "metrics",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain")
    ),
)]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let now = app.levels.look();
    let ledger = app.local.view();
    let validators = app.client.health().validators.into_iter();
    let lies = validators.map(|validator| (validator.endpoint.node_id, validator.lies));
    let waits_ms = app.pending.oldest().map_or(0, |(_, submitted_at_ms)| {
        clock::now_ms().saturating_sub(submitted_at_ms)
    });
    let mut text = metrics::render(&metrics::Gauges {
        pending: app.pending.len(),
        oldest_pending_s: waits_ms / 1_000,
        now,
        height: app.height(),
        proven_height: app.follower.tip().height,
        local_ledger_healthy: ledger.is_healthy() && !app.outbox.reconciliation().is_damaged(),
        local_ledger_ballots: ledger.ballots,
        event_subscribers: app.events.subscribers(),
        streams: app.streams.taken(),
        lies: lies.collect(),
    });
    text.push_str(&app.server.render_metrics("tabella_backend"));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
