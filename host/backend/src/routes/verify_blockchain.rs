//! `POST /api/votes/verify-blockchain?election_id=..`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tabella_client::IntegrityError;

use crate::{app::App, extract::Query, problem::Problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    election_id: u64,
}

#[derive(Serialize)]
pub(crate) struct VerifyAnswer {
    election_id: u64,
    valid: bool,
    source: &'static str,
    checked: Checked,
    height: u64,
    validators_agreeing: usize,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Checked {
    blocks: u64,
    signatures: u64,
    ballots: u64,
}

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
