//! `GET /api/votes/receipt?transaction_id=..`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use tabella_protocol::{Hash, Receipt};

use crate::{
    app::App,
    conditional::{Change, tagged},
    extract::Query,
    openapi::{AsksValidators, Conflicts, NamesOne, ReadsQuery},
    problem::Problem,
    store::State as Stored,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptQuery {
    #[param(example = "t1")]
    transaction_id: String,
}

/// The receipt of a confirmed ballot
///
/// The file that `tabella verify receipt` checks without a network. It is verified before it is answered, and is to be kept as it comes, byte for byte.
#[utoipa::path(
    get,
    path = "/api/votes/receipt",
    tag = "votes",
    operation_id = "receipt",
    params(ReceiptQuery),
    responses(
        (status = 200, description = "The receipt", body = Receipt),
        (status = 304, description = "The client has it: `if-none-match`"),
        ReadsQuery,
        NamesOne,
        Conflicts,
        AsksValidators
    ),
)]
pub(crate) async fn receipt(
    State(app): State<Arc<App>>,
    Query(query): Query<ReceiptQuery>,
    request: HeaderMap,
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
    // A receipt grows by acks until every validator's is there.
    let validators = app.client.validators();
    let of = validators.at(receipt.header.height).validators.len();
    let change = match receipt.acks.len() >= of {
        true => Change::Never,
        false => Change::Perhaps,
    };
    let json = receipt.to_json();
    let tag = Hash::of(json.as_bytes()).to_string();
    Ok(tagged(&request, &tag, change, (headers, json)))
}
