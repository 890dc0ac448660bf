//! `GET /api/admin/alerts`: what somebody should act on now, for operators without Prometheus.

use std::sync::Arc;

use axum::{Json, extract::State};
use tabella_api::{AlertAnswer, AlertsAnswer};
use tabella_client::HealthStatus;

use crate::{
    alerts::{Alert, Member, Observed},
    app::App,
    auth::Principal,
    clock,
    openapi::Restricts,
    problem::Problem,
};

fn answer(alert: Alert) -> AlertAnswer {
    AlertAnswer {
        name: alert.rule.name.to_owned(),
        severity: alert.rule.severity,
        node_id: alert.node_id,
        summary: alert.summary,
        runbook: format!("docs/troubleshooting.md#{}", alert.rule.anchor),
    }
}

/// What somebody should act on now
///
/// The conditions of the alert rules for Prometheus under their names, as far as this backend observes them, and as of now: nothing is waited for. `TabellaLiar` stays until the backend starts again.
#[utoipa::path(
    get,
    path = "/api/admin/alerts",
    tag = "operation",
    operation_id = "alerts",
    responses(
        (status = 200, description = "What holds", body = AlertsAnswer),
        Restricts
    ),
    security(("bearer" = []))
)]
pub(crate) async fn alerts(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Json<AlertsAnswer>, Problem> {
    principal.require_auditor()?;
    let alerts = observed(&app).alerts().into_iter();
    Ok(Json(AlertsAnswer {
        timestamp: clock::rfc3339(clock::now_ms()),
        alerts: alerts.map(answer).collect(),
    }))
}

fn observed(app: &App) -> Observed {
    let set = app.client.current_validators();
    let report = app.client.health();
    let dissenters = app.follower.ledger().dissenters();
    let members = set.validators.iter().map(|validator| {
        let node_id = &validator.node_id;
        let mut known = report.validators.iter();
        // None where its address is not known here: it cannot be reached.
        let known = known.find(|known| known.endpoint.node_id == *node_id);
        Member {
            node_id: node_id.clone(),
            is_reachable: known.is_some_and(|known| known.status != HealthStatus::Unreachable),
            is_signing: known.is_some_and(|known| known.signing),
            height: known.and_then(|known| known.height),
            lies: known.map_or(0, |known| known.lies),
            dissents: dissenters
                .iter()
                .any(|(_, key)| *key == validator.public_key),
        }
    });
    Observed {
        now: app.levels.look(),
        oldest_pending_s: app.oldest_pending_s(),
        height: app.height(),
        proven_height: app.follower.tip().height,
        is_local_ledger_damaged: app.outbox.reconciliation().is_damaged(),
        members: members.collect(),
    }
}
