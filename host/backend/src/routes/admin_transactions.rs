//! `POST /api/admin/transactions`: what an authority signed elsewhere.

use std::sync::Arc;

use axum::{Json as JsonAnswer, extract::State, http::StatusCode};
use tabella_api::{SignedAnswer, SignedRequest};
use tabella_outbox::elections::Election;
use tabella_protocol::{Hash, Payload, Transaction};

use crate::{
    app::App,
    auth::Principal,
    extract::Json,
    openapi::{Administers, ReadsBody, Restricts},
    problem::Problem,
    routes::admin_elections::require_voters,
};

/// Put a transaction on the chain that an authority signed elsewhere
///
/// For who keeps the authority's key away from backends: it publishes a rule, creates or opens an election, extends its roll, or closes it. An election is closed so only after `POST /api/admin/elections/{id}/close` found that no acknowledged ballot is unsettled.
#[utoipa::path(
    post,
    path = "/api/admin/transactions",
    tag = "administration",
    operation_id = "put_signed_transaction",
    request_body = SignedRequest,
    responses(
        (status = 200, description = "It is on the chain", body = SignedAnswer),
        Restricts,
        ReadsBody,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<SignedRequest>,
) -> Result<JsonAnswer<SignedAnswer>, Problem> {
    principal.require_admin()?;
    let transaction = read(&request.transaction)?;
    let payload = &transaction.body.payload;
    let kind = payload.kind();
    if !payload.shapes_elections() {
        let detail = format!("expected a transaction that shapes elections, got {kind}");
        return Err(malformed(detail));
    }
    if let Payload::OpenElection { election_id } = payload {
        require_voters(&app, *election_id).await?;
    }
    let confirmation = match payload {
        Payload::CloseElection { election_id } => {
            app.outbox.close_signed(*election_id, &transaction).await?
        }
        _ => app.outbox.put_signed(&transaction).await?,
    };
    let id = confirmation.transaction_id;
    let election_id = match payload {
        Payload::CreateElection(_) => created(&app, id),
        Payload::ExtendRoll { election_id, .. }
        | Payload::OpenElection { election_id }
        | Payload::CloseElection { election_id } => Some(*election_id),
        _ => None,
    };
    Ok(JsonAnswer(SignedAnswer {
        kind: kind.to_owned(),
        election_id,
        transaction_id: id,
        block_number: confirmation.height,
        block_hash: confirmation.block_hash,
    }))
}

fn read(text: &str) -> Result<Transaction, Problem> {
    let digits = text.strip_prefix("0x").unwrap_or_default();
    let bytes = hex::decode(digits).map_err(|error| malformed(format!("transaction: {error}")))?;
    Transaction::from_bytes(&bytes).map_err(|error| malformed(format!("transaction: {error}")))
}

fn malformed(detail: String) -> Problem {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Problem::new(status, "malformed-transaction", detail).at("/transaction")
}

/// The election that a transaction created, where its block is executed here already.
fn created(app: &App, transaction_id: Hash) -> Option<u64> {
    let elections = app.elections.all().into_iter();
    let mut views = elections.map(|Election { view, .. }| view);
    let created = views.find(|view| view.transaction_id == transaction_id);
    created.map(|view| view.election_id)
}
