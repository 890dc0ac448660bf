//! `GET /api/admin/validators/health`, `POST /api/admin/validators/refresh-status`

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::Serialize;
use tabella_client::{HealthReport, HealthStatus};
use tabella_http_server::RunFailed;
use tabella_protocol::{PublicKey, ValidatorSet};

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
    /// Whether it is of the chain's current set; only those are counted.
    member: bool,
}

/// The validators of the chain's current set.
#[derive(Serialize, utoipa::ToSchema)]
struct Summary {
    healthy: usize,
    total: usize,
    health_percentage: f64,
    /// The rule by which they agree.
    quorum: &'static str,
    /// What they survive when all are well.
    tolerates: Tolerates,
    /// How many of them decide a block.
    needed: usize,
    /// Whether they confirm ballots now.
    has_quorum: bool,
    #[schema(schema_with = time)]
    quorum_since: String,
    /// Who takes a ballot now: 1 the whole network, 2 a part of it, 3 the local ledger, 4 the database
    /// alone, 0 nobody.
    level: u8,
    #[schema(schema_with = time)]
    level_since: String,
    /// How long ago the newest certified block came; nothing before the first.
    last_block_age_ms: Option<u64>,
    /// What that means now, for people.
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
    let n = set.validators.len();
    let now = app.levels.look();
    let age_ms = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let summary = Summary {
        healthy: now.seen.healthy,
        total: now.seen.members,
        health_percentage: percentage(now.seen.healthy, now.seen.members),
        quorum: set.quorum.name(),
        tolerates: Tolerates {
            crashed: set.quorum.tolerates_crashed(n),
            byzantine: set.quorum.tolerates_byzantine(n),
        },
        needed: now.seen.threshold,
        has_quorum: now.has_quorum(),
        quorum_since: clock::rfc3339(now.quorum_since_ms),
        level: now.service.level.number(),
        level_since: clock::rfc3339(now.level_since_ms),
        last_block_age_ms: now.seen.block_age.map(age_ms),
        meaning: now.seen.meaning(set.quorum),
    };
    HealthAnswer {
        timestamp: clock::rfc3339(clock::now_ms()),
        validators: validators(&set, report, &app.follower.ledger().dissenters()),
        summary,
    }
}

/// Those that this backend knows, and those of the set whose address it does not know. Whoever attested
/// another outcome than a quorum, by the proven chain, is not healthy.
fn validators(
    set: &ValidatorSet,
    report: HealthReport,
    dissenters: &[(u64, PublicKey)],
) -> Vec<ValidatorAnswer> {
    let dissent = |name: &str| {
        let mut found = dissenters.iter();
        let (election_id, _) = found.find(|(_, key)| set.node_id(key) == Some(name))?;
        Some(format!(
            "attested another outcome of election {election_id} than the others"
        ))
    };
    let is_known = |name: &str| {
        let mut known = report.validators.iter();
        known.any(|validator| validator.endpoint.node_id == name)
    };
    let members = set.validators.iter().map(|member| member.node_id.as_str());
    let strangers = members.clone().filter(|name| !is_known(name));
    let strangers: Vec<_> = strangers.map(without_address).collect();
    let known = report
        .validators
        .into_iter()
        .map(|mut validator| {
            if let Some(dissent) = dissent(&validator.endpoint.node_id) {
                validator.status = validator.status.max(HealthStatus::Degraded);
                validator.problem.get_or_insert(dissent);
            }
            validator
        })
        .map(|validator| ValidatorAnswer {
            member: members
                .clone()
                .any(|name| name == validator.endpoint.node_id),
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
        });
    known.chain(strangers).collect()
}

fn without_address(node_id: &str) -> ValidatorAnswer {
    ValidatorAnswer {
        node_id: node_id.to_owned(),
        rpc_url: String::new(),
        p2p_url: String::new(),
        status: HealthStatus::Unreachable,
        height: None,
        latency_ms: None,
        last_seen: None,
        problem: Some("its address is not in this backend's configuration".to_owned()),
        member: true,
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
