//! `GET /api/votes/receipt?transaction_id=..`

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use tabella_outbox::store::State as Stored;
use tabella_protocol::{Hash, Receipt};

use crate::{
    app::App,
    as_of::AsOf,
    auth::Principal,
    client_address::ClientAddress,
    conditional::{Change, tagged},
    extract::Query,
    lookup::{Found, Wanted, unknown},
    openapi::{AsksValidators, Conflicts, NamesOne, ReadsQuery, Restricts},
    problem::Problem,
};

/// How long validators may take to send acks that came after the block was executed here.
const ACKS_DEADLINE: Duration = Duration::from_secs(1);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptQuery {
    /// The chain's id of the ballot, or the one that the client chose.
    #[param(example = "t1")]
    transaction_id: String,
    /// The election, where one voter or several chose the same id in several.
    election_id: Option<u64>,
    /// The voter, where a registrar asks and several chose the same id.
    voter_id: Option<String>,
}

/// The receipt of a confirmed ballot
///
/// The file that `tabella verify receipt` checks without a network. It is verified before it is answered, and is to be kept as it comes, byte for byte. Under an id that the client chose it needs the voter's token, or a registrar's scope; under the chain's id it needs none.
#[utoipa::path(
    get,
    path = "/api/votes/receipt",
    tag = "votes",
    operation_id = "receipt",
    params(ReceiptQuery),
    responses(
        (status = 200, description = "The receipt", body = Receipt, headers(
            ("tabella-source" = String, description = "`poa` while validators answer; `local` where this is what the backend proved before"),
            ("tabella-as-of-height" = u64, description = "The block up to which the chain was proven here when it was read")
        )),
        (status = 304, description = "The client has it: `if-none-match`"),
        ReadsQuery,
        Restricts,
        NamesOne,
        Conflicts,
        AsksValidators
    ),
    security((), ("bearer" = []))
)]
pub(crate) async fn receipt(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    principal: Option<Principal>,
    Query(query): Query<ReceiptQuery>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let wanted = Wanted {
        transaction_id: query.transaction_id,
        election_id: query.election_id,
        voter_id: query.voter_id,
    };
    let found = app.find(principal.as_ref(), &wanted).await?;
    let is_own = matches!(found, Found::Own(_));
    let (id, known) = match found {
        Found::Own(submission) => (submission.transaction_id, Some(submission)),
        // Signed again, a ballot stands on the chain under another id.
        Found::ByChainId { id, known } => (known.as_ref().map_or(id, |k| k.transaction_id), known),
    };
    app.elections.catch_up().await;
    let as_of = AsOf::at(&app, app.follower.tip().height);
    let pending = known.is_some_and(|submission| submission.state == Stored::Open);
    let Some(receipt) = receipt_of(&app, address, id).await? else {
        return Err(if pending {
            Problem::new(
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
        // A name within its voter: another's ballot may have the same.
        _ if is_own => Change::ForAsker,
        true => Change::Never,
        false => Change::Perhaps,
    };
    let json = receipt.to_json();
    let tag = Hash::of(json.as_bytes()).to_string();
    let answer = tagged(&request, &tag, change, (headers, json));
    Ok(as_of.write(answer))
}

/// Returns the receipt from the proven chain, with the acks of more validators where they have them.
async fn receipt_of(
    app: &App,
    address: ClientAddress,
    id: Hash,
) -> Result<Option<Receipt>, Problem> {
    let Some(own) = app
        .read_blocks(address, move |ledger| ledger.receipt(&id))
        .await?
    else {
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
