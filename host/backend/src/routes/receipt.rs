//! `GET /api/votes/receipt?transaction_id=..`

use std::{sync::Arc, time::Duration};

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

/// How long validators may take to send acks that came after the block was executed here.
const ACKS_DEADLINE: Duration = Duration::from_secs(1);

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
    app.elections.catch_up().await;
    let Some(receipt) = receipt_of(&app, id).await? else {
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
    let validators = app.follower.ledger().validators();
    let of = validators.at(receipt.header.height).validators.len();
    let change = match receipt.acks.len() >= of {
        true => Change::Never,
        false => Change::Perhaps,
    };
    let json = receipt.to_json();
    let tag = Hash::of(json.as_bytes()).to_string();
    Ok(tagged(&request, &tag, change, (headers, json)))
}

/// Returns the receipt from the proven chain, with the acks of more validators where they have them.
async fn receipt_of(app: &App, id: Hash) -> Result<Option<Receipt>, Problem> {
    let Some(own) = app.read(move |ledger| ledger.receipt(&id)).await? else {
        return Ok(None);
    };
    let validators = app.follower.ledger().validators();
    let of = validators.at(own.header.height).validators.len();
    if own.acks.len() >= of || !app.client.is_connected() {
        return Ok(Some(own));
    }
    let asked = tokio::time::timeout(ACKS_DEADLINE, app.client.transaction_receipt(id)).await;
    Ok(Some(match asked {
        // It was verified against genesis, and is of the same ballot in the same block.
        Ok(Ok(Some(other))) if other.acks.len() > own.acks.len() && same_place(&own, &other) => {
            other
        }
        _ => own,
    }))
}

fn same_place(own: &Receipt, other: &Receipt) -> bool {
    own.header == other.header && own.entry == other.entry
}
