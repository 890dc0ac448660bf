//! `GET /api/votes/receipt?transaction_id=..`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tabella_protocol::Hash;

use crate::{app::App, extract::Query, problem::Problem, store::State as Stored};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptQuery {
    transaction_id: String,
}

/// The receipt's canonical file form, verified, so that it can be kept as it comes.
pub(crate) async fn receipt(
    State(app): State<Arc<App>>,
    Query(query): Query<ReceiptQuery>,
) -> Result<Response, Problem> {
    let problem = |status, code, detail: &str| Problem::new(status, code, detail);
    let unknown = || {
        problem(
            StatusCode::NOT_FOUND,
            "unknown-transaction",
            "no submission has this transaction_id",
        )
    };
    let known = app.store.submission(&query.transaction_id).await?;
    let pending = matches!(&known, Some(submission) if submission.state == Stored::Open);
    let id = match known {
        Some(submission) => submission.transaction_id,
        None => query
            .transaction_id
            .parse::<Hash>()
            .map_err(|_| unknown())?,
    };
    let Some(receipt) = app.client.transaction_receipt(id).await? else {
        return Err(if pending {
            problem(
                StatusCode::CONFLICT,
                "not-confirmed",
                "the ballot is not on the chain yet",
            )
        } else {
            unknown()
        });
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"receipt.json\"",
        ),
    ];
    Ok((headers, receipt.to_json()).into_response())
}
