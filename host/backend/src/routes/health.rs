//! `GET /health/live`, `GET /health/ready`, `GET /metrics`

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

use crate::{app::App, metrics};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Live {
    status: &'static str,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Ready {
    status: &'static str,
    database: &'static str,
    local_ledger: &'static str,
    validators_healthy: usize,
    validators: usize,
    pending_submissions: usize,
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
/// Ready while the database takes writes: with no validator there, ballots are still recorded.
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
    let report = app.client.health();
    let healthy = app.store.is_healthy();
    let (code, status, database) = if healthy {
        (StatusCode::OK, "ready", "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not-ready", "failed")
    };
    let ready = Ready {
        status,
        database,
        local_ledger: app.local.view().status,
        validators_healthy: report.healthy,
        validators: report.validators.len(),
        pending_submissions: app.pending.len(),
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
    let report = app.client.health();
    let ledger = app.local.view();
    let mut text = metrics::render(&metrics::Gauges {
        pending: app.pending.len(),
        validators_healthy: report.healthy,
        validators: report.validators.len(),
        height: app.height(),
        database_healthy: app.store.is_healthy(),
        local_ledger_healthy: ledger.is_healthy(),
        local_ledger_ballots: ledger.ballots,
        event_subscribers: app.events.subscribers(),
        streams: app.streams.taken(),
    });
    text.push_str(&app.server.render_metrics("tabella_backend"));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
