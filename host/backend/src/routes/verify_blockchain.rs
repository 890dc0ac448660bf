//! `POST /api/votes/verify-blockchain?election_id=..`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tabella_client::IntegrityError;

use crate::{
    app::App,
    extract::Query,
    openapi::{AsksValidators, NamesOne, ReadsQuery, source},
    problem::Problem,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    #[param(example = 1)]
    election_id: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VerifyAnswer {
    election_id: u64,
    valid: bool,
    #[schema(schema_with = source)]
    source: &'static str,
    checked: Checked,
    height: u64,
    validators_agreeing: usize,
    problems: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Checked {
    blocks: u64,
    signatures: u64,
    ballots: u64,
}

/// Check the whole chain again
///
/// Every block's certificate, its link to the one before, and every transaction's signature are checked against genesis; the election's board is rebuilt from the chain's ballots and roll. How voters are admitted to the election, and the board to compare with, are one validator's word; no rule is run: `tabella verify election` executes everything again. One re-check runs at a time.
#[utoipa::path(
    post,
    path = "/api/votes/verify-blockchain",
    tag = "votes",
    operation_id = "verify_blockchain",
    params(VerifyQuery),
    responses(
        (status = 200, description = "What was found", body = VerifyAnswer),
        ReadsQuery,
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn verify_blockchain(
    State(app): State<Arc<App>>,
    Query(query): Query<VerifyQuery>,
) -> Result<Json<VerifyAnswer>, Problem> {
    // A re-check reads the whole chain: one at a time is enough load.
    let permit = app.verifying.try_acquire().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "verification-running",
            "another verification is running; try again when it is done",
        )
    })?;
    let found = app.client.verify_integrity(query.election_id).await;
    drop(permit);
    let found = found.map_err(|error| match error {
        IntegrityError::UnknownElection(id) => Problem::unknown_election(id),
        IntegrityError::Query(error) => error.into(),
        IntegrityError::Task(error) => Problem::internal(&error),
    })?;
    Ok(Json(VerifyAnswer {
        election_id: query.election_id,
        valid: found.problems.is_empty(),
        source: "poa",
        checked: Checked {
            blocks: found.blocks,
            signatures: found.signatures,
            ballots: found.ballots,
        },
        height: found.height,
        validators_agreeing: found.validators_agreeing,
        problems: found.problems,
    }))
}
