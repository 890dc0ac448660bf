//! `GET /api/votes/status?election_id=..`, `GET /api/votes/history`: what this voter has cast.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tabella_api::SubmissionStatus;
use tabella_outbox::{
    elections::Election,
    pending::Standing,
    store::{State as Stored, Submission},
};
use tabella_protocol::VoterId;

use crate::{
    app::App,
    auth::{Principal, Role},
    clock,
    extract::Query,
    openapi::{AsksValidators, NamesOne, ReadsQuery, Restricts, submission_status, time},
    problem::Problem,
    routes::transaction_status::status_and_source,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoterQuery {
    #[param(example = 1)]
    election_id: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VoterStatus {
    election_id: u64,
    has_voted: bool,
    vote: Option<VoteAnswer>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct VoteAnswer {
    election_id: u64,
    transaction_id: String,
    /// The pseudonym under which the ballot stands on the board: the receipt names it.
    voter: VoterId,
    #[schema(schema_with = submission_status)]
    status: SubmissionStatus,
    #[schema(schema_with = time)]
    submitted_at: String,
    block_number: Option<u64>,
}

/// Whether this voter has voted, as far as this backend knows
#[utoipa::path(
    get,
    path = "/api/votes/status",
    tag = "votes",
    operation_id = "vote_status",
    params(VoterQuery),
    responses(
        (status = 200, description = "Whether, and the ballot's standing", body = VoterStatus),
        Restricts,
        ReadsQuery,
        NamesOne,
        AsksValidators
    ),
    security(("bearer" = []))
)]
pub(crate) async fn status(
    State(app): State<Arc<App>>,
    principal: Principal,
    Query(query): Query<VoterQuery>,
) -> Result<Json<VoterStatus>, Problem> {
    require_voter(&principal)?;
    let election = app.elections.get(query.election_id).await?;
    if election.view.spec.eligibility.registrar().is_none() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "credential-required",
            format!(
                "voters of election {} are known by their credentials alone; look for yours on its board",
                query.election_id
            ),
        ));
    }
    let mut vote = None;
    let own = app.electorate.own(query.election_id, &principal.subject);
    for voter in own.await? {
        vote = app.store.ballot_of(query.election_id, &voter).await?;
        if vote.is_some() {
            break;
        }
    }
    Ok(Json(VoterStatus {
        election_id: query.election_id,
        has_voted: vote.is_some(),
        vote: vote.map(|submission| answer(&app, submission)),
    }))
}

/// This voter's standing ballots in all elections that this backend has seen
#[utoipa::path(
    get,
    path = "/api/votes/history",
    tag = "votes",
    operation_id = "vote_history",
    responses(
        (status = 200, description = "Ballots", body = [VoteAnswer]),
        Restricts
    ),
    security(("bearer" = []))
)]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<Json<Vec<VoteAnswer>>, Problem> {
    require_voter(&principal)?;
    let mut votes = Vec::new();
    for Election { view, .. } in app.elections.all() {
        // A pseudonym of its own in every election: there is no list to look into.
        let own = app.electorate.own(view.election_id, &principal.subject);
        for voter in own.await? {
            if let Some(submission) = app.store.ballot_of(view.election_id, &voter).await? {
                votes.push(answer(&app, submission));
            }
        }
    }
    Ok(Json(votes))
}

fn require_voter(principal: &Principal) -> Result<(), Problem> {
    if principal.role == Role::Voter {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "only a voter has votes",
    ))
}

fn answer(app: &App, submission: Submission) -> VoteAnswer {
    let (status, block_number) = match submission.state {
        Stored::Open => {
            let standing = app.pending.standing(&submission.transaction_id);
            let standing = standing.unwrap_or(Standing::Recorded);
            (status_and_source(standing).0, None)
        }
        Stored::Confirmed { height, .. } => (SubmissionStatus::Confirmed, Some(height)),
        Stored::Rejected { .. } => (SubmissionStatus::Rejected, None),
    };
    VoteAnswer {
        election_id: submission.election_id,
        transaction_id: submission.public_id(),
        voter: submission.voter,
        status,
        submitted_at: clock::rfc3339(submission.submitted_at_ms),
        block_number,
    }
}
