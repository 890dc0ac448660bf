//! `POST /api/admin/elections`, `POST /api/admin/elections/{id}/open`, `.../close`

use std::sync::Arc;

use axum::{
    Json as JsonAnswer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabella_api::{AdminAnswer, ClosingAnswer, ClosingStatus, CreateRequest, OptionRequest};
use tabella_client::Confirmation;
use tabella_outbox::{Closed, elections::Election, store::Closing};
use tabella_protocol::{
    ContestSpec, ElectionSpec, Eligibility, EligibilityKind, Hash, OptionSpec, Payload, PublicKey,
    RollChanges, StatedEligibility, StatedEligibilityError,
    rpc::{ElectionStatus, PluginView},
};

use crate::{
    app::App,
    auth::Principal,
    extract::{Json, Path, Query},
    openapi::{Administers, ReadsBody, ReadsQuery, Restricts},
    problem::Problem,
    proven::published,
};

/// Create an election
#[utoipa::path(
    post,
    path = "/api/admin/elections",
    tag = "administration",
    operation_id = "create_election",
    request_body = CreateRequest,
    responses(
        (status = 201, description = "It is on the chain", body = AdminAnswer),
        Restricts,
        ReadsBody,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<CreateRequest>,
) -> Result<(StatusCode, JsonAnswer<AdminAnswer>), Problem> {
    principal.require_admin()?;
    let published = app.read(published).await?;
    let spec = spec(&app, request, &published)?;
    spec.check().map_err(|error| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-election",
            error.to_string(),
        )
    })?;
    let confirmation = app.outbox.administer(Payload::CreateElection(spec)).await?;
    let mut elections = app.elections.all().into_iter();
    let created = elections.find(|e| e.view.transaction_id == confirmation.transaction_id);
    let Some(Election { view, .. }) = created else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "catching-up",
            "the election is on the chain, and this backend has not executed its block yet; list \
             the elections",
        )
        .about(confirmation.transaction_id.to_string()));
    };
    let answer = on_chain(view.election_id, view.status, &confirmation);
    Ok((StatusCode::CREATED, JsonAnswer(answer)))
}

fn spec(
    app: &App,
    request: CreateRequest,
    published: &[PluginView],
) -> Result<ElectionSpec, Problem> {
    let eligibility = eligibility(app.outbox.registrar(), &request)?;
    let mut contests = Vec::with_capacity(request.contests.len());
    for (index, contest) in request.contests.into_iter().enumerate() {
        let plugin = find_plugin(&contest.rule, published)
            .map_err(|problem| problem.at(format!("/contests/{index}/rule")))?;
        contests.push(ContestSpec {
            title: contest.title.unwrap_or_else(|| contest.id.clone()),
            id: contest.id,
            plugin,
            options: contest.options.into_iter().map(option).collect(),
            params: Value::Object(contest.params.0).to_string(),
        });
    }
    Ok(ElectionSpec {
        title: request.title,
        contests,
        eligibility,
        revote: request.revote,
        disclosure: request.counts_shown,
    })
}

fn option(request: OptionRequest) -> OptionSpec {
    OptionSpec {
        title: request.title.unwrap_or_else(|| request.id.clone()),
        id: request.id,
    }
}

/// Who may vote; an error names the member that does not fit.
fn eligibility(registrar: PublicKey, request: &CreateRequest) -> Result<Eligibility, Problem> {
    let voters = StatedEligibility {
        kind: request.eligibility.map(EligibilityKind::from),
        open_to: request.open_to,
        roll: request.roll,
    };
    voters.eligibility(Some(registrar)).map_err(|error| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let problem = Problem::new(status, "invalid-election", error.to_string());
        problem.at(match error {
            StatedEligibilityError::OpenTo => "/open_to",
            StatedEligibilityError::Roll => "/roll",
            StatedEligibilityError::NoRegistrar => "/eligibility",
        })
    })
}

/// A plugin by its hash, or by a name that only one published plugin has.
fn find_plugin(wanted: &str, published: &[PluginView]) -> Result<Hash, Problem> {
    if let Ok(hash) = Hash::parse_lenient(wanted) {
        return Ok(hash);
    }
    let named: Vec<_> = published
        .iter()
        .filter(|plugin| {
            plugin
                .manifest
                .get("name")
                .is_some_and(|name| name == wanted)
        })
        .collect();
    match named.as_slice() {
        [plugin] => Ok(plugin.sha256),
        [] => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unknown-plugin",
            format!("no published plugin has the name {wanted:?}; publish it first"),
        )),
        _ => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "ambiguous-plugin",
            format!("several published plugins have the name {wanted:?}; give the sha256"),
        )),
    }
}

/// Open an election: it takes ballots from now on
#[utoipa::path(
    post,
    path = "/api/admin/elections/{id}/open",
    tag = "administration",
    operation_id = "open_election",
    params(("id" = u64, Path, description = "The election", example = 1)),
    responses(
        (status = 200, description = "It is open", body = AdminAnswer),
        Restricts,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(election_id): Path<u64>,
) -> Result<JsonAnswer<AdminAnswer>, Problem> {
    principal.require_admin()?;
    require_voters(&app, election_id).await?;
    let payload = Payload::OpenElection { election_id };
    let confirmation = app.outbox.administer(payload).await?;
    let status = ElectionStatus::Open;
    let answer = on_chain(election_id, status, &confirmation);
    Ok(JsonAnswer(answer))
}

/// Refuses to open an election whose roll is empty and cannot grow afterwards: nobody could ever vote in it.
pub(super) async fn require_voters(app: &App, election_id: u64) -> Result<(), Problem> {
    // What this backend does not know of yet, the chain judges.
    let Ok(Election { view, .. }) = app.elections.get(election_id).await else {
        return Ok(());
    };
    let is_fixed = view.spec.eligibility.roll() == Some(RollChanges::Fixed);
    if view.status == ElectionStatus::Upcoming && is_fixed && view.roll_size == 0 {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "roll-empty",
            "nobody is on the election's roll, which is fixed once the election opens; put the voters on it first, \
             or create an election whose roll grows",
        ));
    }
    Ok(())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseQuery {
    /// Close at once: ballots that were acknowledged and are not on the chain yet may be refused.
    #[serde(default)]
    leave_unsettled: bool,
}

/// Close an election: validators tally it now
///
/// From the request on, no backend over this database acknowledges another ballot of the election. Every ballot that was acknowledged before is carried to its end first; then the election is closed. Where that takes longer than a request may, as without a quorum, the answer is 202, and the backend goes on by itself.
#[utoipa::path(
    post,
    path = "/api/admin/elections/{id}/close",
    tag = "administration",
    operation_id = "close_election",
    params(("id" = u64, Path, description = "The election", example = 1), CloseQuery),
    responses(
        (status = 200, description = "It is closed", body = AdminAnswer),
        (status = 202, description = "It takes no ballots any more, and is closed once those acknowledged have ended", body = ClosingAnswer),
        ReadsQuery,
        Restricts,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn close(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(election_id): Path<u64>,
    Query(query): Query<CloseQuery>,
) -> Result<Response, Problem> {
    principal.require_admin()?;
    app.elections.get(election_id).await?;
    let how = match query.leave_unsettled {
        true => Closing::AtOnce,
        false => Closing::AfterBallots,
    };
    let status = ElectionStatus::Closed;
    match app.outbox.close_election(election_id, how).await? {
        Closed::Now(confirmation) => {
            let answer = on_chain(election_id, status, &confirmation);
            Ok(JsonAnswer(answer).into_response())
        }
        Closed::Later { unsettled } => {
            let answer = ClosingAnswer {
                election_id,
                status: ClosingStatus::Closing,
                unsettled,
                detail: match app.outbox.has_authority() {
                    true => {
                        "no more ballots are taken; the election is closed as soon as every acknowledged one is confirmed or refused"
                    }
                    false => {
                        "no more ballots are taken; once none is unsettled, close the election where the authority's key is, with `tabella election close --authority`"
                    }
                }
                .to_owned(),
            };
            Ok((StatusCode::ACCEPTED, JsonAnswer(answer)).into_response())
        }
    }
}

/// An election that takes ballots again.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ResumedAnswer {
    election_id: u64,
    status: ElectionStatus,
}

/// Take ballots of an election again that was asked to be closed
///
/// Where the authority's key is elsewhere, its close may never come. Only a backend without that key and with a database of its own takes ballots again, and not while a close that it was given may come: another backend may be closing the election just now. It remembers that one was given over a restart.
#[utoipa::path(
    delete,
    path = "/api/admin/elections/{id}/close",
    tag = "administration",
    operation_id = "resume_election",
    params(("id" = u64, Path, description = "The election", example = 1)),
    responses(
        (status = 200, description = "It takes ballots", body = ResumedAnswer),
        Restricts,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(election_id): Path<u64>,
) -> Result<JsonAnswer<ResumedAnswer>, Problem> {
    principal.require_admin()?;
    app.elections.get(election_id).await?;
    app.outbox.resume_election(election_id).await?;
    Ok(JsonAnswer(ResumedAnswer {
        election_id,
        status: ElectionStatus::Open,
    }))
}

fn on_chain(election_id: u64, status: ElectionStatus, confirmation: &Confirmation) -> AdminAnswer {
    AdminAnswer {
        election_id,
        status,
        transaction_id: confirmation.transaction_id,
        block_number: confirmation.height,
        block_hash: confirmation.block_hash,
    }
}
