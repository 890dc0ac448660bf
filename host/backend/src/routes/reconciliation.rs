//! `GET /api/admin/reconciliation`, `GET /api/admin/local-ledger`: what was acknowledged while the
//! network did not take it, and what became of it.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tabella_outbox::{local_ledger, pending, reconciliation};
use tabella_protocol::{Hash, PublicKey};

use crate::{
    app::App,
    auth::Principal,
    clock,
    openapi::{Restricts, time},
    problem::Problem,
};

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ReconciliationAnswer {
    #[schema(schema_with = time)]
    timestamp: String,
    /// Whether a validator can be reached, so that ballots are carried there.
    connected: bool,
    /// Acknowledged and not settled, by where they are held.
    unsettled: Counts,
    /// The longest waiting of them.
    oldest: Option<Oldest>,
    /// What became of every ballot in the local ledger.
    local_ballots: LocalBallots,
    /// Acknowledged here and refused by the chain, the newest last.
    conflicts: Vec<Conflict>,
    local_ledger: LedgerView,
}

/// Unsettled submissions by where they are held.
#[derive(Serialize, utoipa::ToSchema)]
struct Counts {
    recorded: u64,
    local: u64,
    pending: u64,
}

impl From<pending::Counts> for Counts {
    fn from(counts: pending::Counts) -> Self {
        Self {
            recorded: counts.recorded,
            local: counts.local,
            pending: counts.pending,
        }
    }
}

/// An acknowledged ballot that the chain refused.
#[derive(Serialize, utoipa::ToSchema)]
struct Conflict {
    transaction_id: String,
    election_id: u64,
    code: String,
    reason: String,
    rejected_at: String,
}

impl From<reconciliation::Conflict> for Conflict {
    fn from(conflict: reconciliation::Conflict) -> Self {
        Self {
            transaction_id: conflict.transaction_id,
            election_id: conflict.election_id,
            code: conflict.code,
            reason: conflict.reason,
            rejected_at: clock::rfc3339(conflict.rejected_at_ms),
        }
    }
}

/// What the ledger holds and how it is.
#[derive(Serialize, utoipa::ToSchema)]
struct LedgerView {
    /// `healthy` or `failed`.
    status: &'static str,
    /// Why it failed.
    reason: Option<String>,
    height: u64,
    /// The newest block: who kept its hash can tell whether history was rewritten.
    block_hash: Option<Hash>,
    public_key: Option<PublicKey>,
    genesis: Option<Hash>,
    ballots: u64,
    elections: usize,
    mirrored_height: u64,
}

impl From<local_ledger::LedgerView> for LedgerView {
    fn from(view: local_ledger::LedgerView) -> Self {
        Self {
            status: view.status,
            reason: view.reason,
            height: view.height,
            block_hash: view.block_hash,
            public_key: view.public_key,
            genesis: view.genesis,
            ballots: view.ballots,
            elections: view.elections,
            mirrored_height: view.mirrored_height,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct LocalBallots {
    total: u64,
    confirmed: u64,
    rejected: u64,
    unsettled: u64,
    /// The part that is settled; 100 where there is nothing to settle.
    settled_percentage: f64,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Oldest {
    transaction_id: String,
    election_id: u64,
    #[schema(schema_with = time)]
    submitted_at: String,
    waiting_ms: u64,
}

/// What was acknowledged while the network did not take it, and what became of it
#[utoipa::path(
    get,
    path = "/api/admin/reconciliation",
    tag = "administration",
    operation_id = "reconciliation",
    responses(
        (status = 200, description = "Where it stands", body = ReconciliationAnswer),
        Restricts
    ),
    security(("bearer" = []))
)]
pub(crate) async fn reconciliation(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Json<ReconciliationAnswer>, Problem> {
    principal.require_auditor()?;
    app.outbox.reconciliation().look().await?;
    let settled = app.outbox.reconciliation().settled();
    let total = settled.confirmed + settled.rejected + settled.unsettled;
    let now_ms = clock::now_ms();
    let oldest = match app.pending.oldest() {
        Some((sequence, _)) => app.store.by_sequence(sequence).await?,
        None => None,
    };
    Ok(Json(ReconciliationAnswer {
        timestamp: clock::rfc3339(now_ms),
        connected: app.client.is_connected(),
        unsettled: app.pending.counts().into(),
        oldest: oldest.map(|submission| Oldest {
            transaction_id: submission.public_id(),
            election_id: submission.election_id,
            submitted_at: clock::rfc3339(submission.submitted_at_ms),
            waiting_ms: now_ms.saturating_sub(submission.submitted_at_ms),
        }),
        local_ballots: LocalBallots {
            total,
            confirmed: settled.confirmed,
            rejected: settled.rejected,
            unsettled: settled.unsettled,
            settled_percentage: percentage(total - settled.unsettled, total),
        },
        conflicts: settled.conflicts.into_iter().map(Conflict::from).collect(),
        local_ledger: app.local.view().into(),
    }))
}

/// To one decimal.
fn percentage(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    (part as f64 / whole as f64 * 1_000.0).round() / 10.0
}

/// The whole local ledger as JSON lines, for `tabella verify local-ledger`
#[utoipa::path(
    get,
    path = "/api/admin/local-ledger",
    tag = "administration",
    operation_id = "local_ledger",
    responses(
        (status = 200, description = "The ledger", body = String, content_type = "application/x-ndjson"),
        Restricts
    ),
    security(("bearer" = []))
)]
pub(crate) async fn local_ledger(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Response, Problem> {
    principal.require_auditor()?;
    let lines = local_ledger::export(&app.local, &app.store)?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"local-ledger.jsonl\"",
        ),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}
