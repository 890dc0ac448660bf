//! `POST /api/votes/verify-blockchain?election_id=..`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tabella_follower::RecheckError;

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
/// The backend reads its own copy of the chain again: every block's certificate, its link to the one before, and every transaction's signature are checked against genesis, and the election's board is rebuilt from the chain's ballots and roll. Then each validator is asked whether it holds the newest block proven here. With none, `source` is `local` and `validators_agreeing` is 0. No rule is run: `tabella verify election` executes everything again. One re-check runs at a time.
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
    app.elections.get(query.election_id).await?;
    let follower = app.follower.clone();
    let checking = tokio::task::spawn_blocking(move || follower.recheck(query.election_id));
    let tip = app.follower.tip();
    let agreement = app.client.agreement(tip.height, tip.block_hash).await;
    let checked = checking.await;
    drop(permit);
    let checked = checked.map_err(|error| Problem::internal(&error))?;
    let mut found = checked.map_err(|error| match error {
        RecheckError::UnknownElection(id) => app.elections.not_found(id),
        RecheckError::Ledger(error) => Problem::internal(&error),
    })?;
    found.problems.extend(agreement.problems);
    let dissents = app.follower.progress().dissents;
    if dissents.contains(&query.election_id) {
        let dissent = "the certified result is not what the board and the rules give here";
        found.problems.push(dissent.to_owned());
    }
    Ok(Json(VerifyAnswer {
        election_id: query.election_id,
        valid: found.problems.is_empty(),
        source: match agreement.answered {
            0 => "local",
            _ => "poa",
        },
        checked: Checked {
            blocks: found.blocks,
            signatures: found.signatures,
            ballots: found.ballots,
        },
        height: found.height,
        validators_agreeing: agreement.agreeing,
        problems: found.problems,
    }))
}
