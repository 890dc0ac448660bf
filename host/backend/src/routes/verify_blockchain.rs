//! `POST /api/votes/verify-blockchain?election_id=..`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

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
/// Every block's certificate, its link to the one before, and every transaction's signature are checked against genesis; the election's board is rebuilt from the chain's ballots and roll. How voters are admitted to the election, and the board to compare with, are one validator's word; no rule is run: `tabella verify election` executes everything again. One re-check runs at a time, and of one election at most one in ten seconds: whoever asks meanwhile is answered with the last one, whose `height` says how far it went.
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
    app.elections.get(query.election_id).await?;
    let found = app.verifications.of(&app.client, query.election_id).await?;
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
