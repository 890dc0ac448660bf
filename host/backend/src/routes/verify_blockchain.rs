//! `POST /api/votes/verify-blockchain?election_id=..`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    extract::Query,
    openapi::{AsksValidators, NamesOne, ReadsQuery, source},
    problem::Problem,
    verifications::VerificationError,
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
    /// What is wrong with the chain; nothing where `valid` is true.
    problems: Vec<String>,
    /// What validators sent that nobody certified. It says something of them, and nothing of the chain.
    lies: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct Checked {
    blocks: u64,
    signatures: u64,
    ballots: u64,
}

/// Check the whole chain again
///
/// The backend reads its own copy of the chain again: every block's certificate, its link to the one before, and every transaction's signature are checked against genesis, and the election's board is rebuilt from the chain's ballots and roll. Then each validator is asked whether it holds the newest block proven here. With none, `source` is `local` and `validators_agreeing` is 0. No rule is run: `tabella verify election` executes everything again. One re-check runs at a time, and of one election at most one in ten seconds: whoever asks meanwhile is answered with the last one, whose `height` says how far it went.
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
    let found = app
        .verifications
        .of(&app.client, &app.follower, query.election_id)
        .await;
    let found = found.map_err(|error| match error {
        VerificationError::UnknownElection(id) => app.elections.not_found(id).into(),
        VerificationError::OthersRun => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "verification-running",
            error.to_string(),
        ),
        VerificationError::Failed(reason) => Problem::internal(&reason),
    })?;
    let (mut recheck, agreement) = (found.recheck, found.agreement);
    recheck.problems.extend(agreement.problems);
    let dissents = app.follower.progress().dissents;
    if dissents.contains(&query.election_id) {
        let dissent = "the certified result is not what the board and the rules give here";
        recheck.problems.push(dissent.to_owned());
    }
    Ok(Json(VerifyAnswer {
        election_id: query.election_id,
        valid: recheck.problems.is_empty(),
        source: match agreement.answered {
            0 => "local",
            _ => "poa",
        },
        checked: Checked {
            blocks: recheck.blocks,
            signatures: recheck.signatures,
            ballots: recheck.ballots,
        },
        height: recheck.height,
        validators_agreeing: agreement.agreeing,
        problems: recheck.problems,
        lies: agreement.lies,
    }))
}
