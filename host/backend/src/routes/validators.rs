//! `GET /api/admin/validators/health`, `POST /api/admin/validators/refresh-status`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use tabella_client::{HealthReport, HealthStatus};
use tabella_http_server::RunFailed;

use crate::{
    app::App,
    clock,
    openapi::{one_of, optional_time, time},
    problem::Problem,
};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HealthAnswer {
    #[schema(schema_with = time)]
    timestamp: String,
    validators: Vec<ValidatorAnswer>,
    summary: Summary,
}

#[derive(Serialize, utoipa::ToSchema)]
struct ValidatorAnswer {
    node_id: String,
    rpc_url: String,
    p2p_url: String,
    #[schema(schema_with = health_status)]
    status: HealthStatus,
    height: Option<u64>,
    latency_ms: Option<f64>,
    #[schema(schema_with = optional_time)]
    last_seen: Option<String>,
    problem: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Summary {
    healthy: usize,
    total: usize,
    health_percentage: f64,
    quorum: &'static str,
    tolerates: Tolerates,
    /// What that means, for people.
    meaning: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Tolerates {
    crashed: usize,
    byzantine: usize,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RefreshAnswer {
    message: &'static str,
    validators: Vec<RefreshedValidator>,
    #[schema(schema_with = time)]
    timestamp: String,
}

#[derive(Serialize, utoipa::ToSchema)]
struct RefreshedValidator {
    node_id: String,
    #[schema(schema_with = health_status)]
    status: HealthStatus,
}

/// How the validators are, and which faults the network survives
#[utoipa::path(
    get,
    path = "/api/admin/validators/health",
    tag = "operation",
    operation_id = "validators_health",
    responses(
        (status = 200, description = "As last seen", body = HealthAnswer)
    ),
)]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<HealthAnswer> {
    Json(answer(&app, app.client.health()))
}

/// The names of every status.
fn health_status() -> utoipa::openapi::Object {
    use HealthStatus::{Degraded, Healthy, Unreachable};
    one_of(&[Healthy, Degraded, Unreachable].map(HealthStatus::name))
}

fn answer(app: &App, report: HealthReport) -> HealthAnswer {
    let set = app.client.current_validators();
    let (quorum, n) = (set.quorum, set.validators.len());
    let total = report.validators.len();
    let tolerates = Tolerates {
        crashed: quorum.tolerates_crashed(n),
        byzantine: quorum.tolerates_byzantine(n),
    };
    let meaning = match quorum {
        tabella_protocol::Quorum::Majority => format!(
            "goes on with {} of {n} validators crashed; a lying validator is caught, not masked",
            tolerates.crashed
        ),
        tabella_protocol::Quorum::Bft => format!(
            "goes on with {} of {n} validators crashed or lying",
            tolerates.byzantine
        ),
    };
    HealthAnswer {
        timestamp: clock::rfc3339(clock::now_ms()),
        summary: Summary {
            healthy: report.healthy,
            total,
            health_percentage: percentage(report.healthy, total),
            quorum: quorum.name(),
            tolerates,
            meaning,
        },
        validators: report
            .validators
            .into_iter()
            .map(|validator| ValidatorAnswer {
                node_id: validator.endpoint.node_id,
                rpc_url: validator.endpoint.rpc_url,
                p2p_url: validator.endpoint.p2p_url,
                status: validator.status,
                height: validator.height,
                latency_ms: validator
                    .latency
                    .map(|latency| (latency.as_secs_f64() * 100_000.0).round() / 100.0),
                last_seen: validator
                    .last_seen
                    .map(|seen| clock::rfc3339(clock::unix_ms(seen))),
                problem: validator.problem,
            })
            .collect(),
    }
}

/// To one decimal.
fn percentage(part: usize, total: usize) -> f64 {
    if total == 0 {
        return 0.0;
    }
    (part as f64 / total as f64 * 1_000.0).round() / 10.0
}

/// Look at every validator now
///
/// Whoever asks at the same time shares one look; the next begins half a second later.
#[utoipa::path(
    post,
    path = "/api/admin/validators/refresh-status",
    tag = "operation",
    operation_id = "refresh_validators",
    responses(
        (status = 200, description = "As seen now", body = RefreshAnswer)
    ),
)]
pub(crate) async fn refresh(State(app): State<Arc<App>>) -> Result<Json<RefreshAnswer>, Problem> {
    let client = app.client.clone();
    let run = async move { client.refresh_validator_status().await };
    let report = app.refreshed.get(run).await;
    let report = report.map_err(|RunFailed(reason)| Problem::internal(&reason))?;
    let validators = report.validators.into_iter().map(|v| RefreshedValidator {
        node_id: v.endpoint.node_id,
        status: v.status,
    });
    Ok(Json(RefreshAnswer {
        message: "Validator status refreshed",
        validators: validators.collect(),
        timestamp: clock::rfc3339(clock::now_ms()),
    }))
}
