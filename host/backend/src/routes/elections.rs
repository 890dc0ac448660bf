//! `GET /api/elections`, `GET /api/elections/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabella_api::{ElectionSummary, RuleAnswer};
use tabella_outbox::elections::{Election, Rule};
use tabella_protocol::{
    BoardHead, Disclosure, ElectionProof, Eligibility, Hash, OptionSpec, Revote,
    rpc::{ElectionStatus, ElectionView},
};

use crate::{
    app::App,
    extract::{Path, Query},
    openapi::{AsksValidators, NamesOne, ReadsQuery},
    problem::Problem,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElectionsQuery {
    #[param(inline)]
    status: Option<StatusFilter>,
}

#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum StatusFilter {
    Open,
    Upcoming,
    /// Final ones too.
    Closed,
}

impl StatusFilter {
    fn admits(self, status: ElectionStatus) -> bool {
        match self {
            Self::Open => status == ElectionStatus::Open,
            Self::Upcoming => status == ElectionStatus::Upcoming,
            Self::Closed => matches!(status, ElectionStatus::Closed | ElectionStatus::Final),
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ElectionAnswer {
    election_id: u64,
    title: String,
    status: ElectionStatus,
    contests: Vec<ContestAnswer>,
    eligibility: Eligibility,
    revote: Revote,
    /// When this backend shows counts. Whoever reads blocks can count at any time.
    counts_shown: Disclosure,
    /// The name of before of `counts_shown`.
    disclosure: Disclosure,
    turnout: u64,
    roll_size: u64,
    board: BoardHead,
    transaction_id: Hash,
}

/// A rule's name for people.
pub(crate) fn rule_answer(rule: &Rule) -> RuleAnswer {
    RuleAnswer {
        name: rule.name.clone(),
        version: rule.version.clone(),
        sha256: rule.sha256,
    }
}

#[derive(Serialize, utoipa::ToSchema)]
struct ContestAnswer {
    id: String,
    title: String,
    rule: RuleAnswer,
    options: Vec<OptionSpec>,
    #[schema(value_type = Object)]
    params: Value,
    #[schema(value_type = Object)]
    ballot_schema: Value,
}

/// The elections
#[utoipa::path(
    get,
    path = "/api/elections",
    tag = "elections",
    operation_id = "elections",
    params(ElectionsQuery),
    responses(
        (status = 200, description = "Elections", body = [ElectionSummary]),
        ReadsQuery,
        AsksValidators
    ),
)]
pub(crate) async fn elections(
    State(app): State<Arc<App>>,
    Query(query): Query<ElectionsQuery>,
) -> Result<Json<Vec<ElectionSummary>>, Problem> {
    app.elections.catch_up().await;
    let elections = app.elections.all();
    let summaries = elections
        .iter()
        .map(|election| &*election.view)
        .filter(|view| query.status.is_none_or(|filter| filter.admits(view.status)))
        .map(summary);
    Ok(Json(summaries.collect()))
}

fn summary(view: &ElectionView) -> ElectionSummary {
    ElectionSummary {
        election_id: view.election_id,
        contests: view.spec.contests.len(),
        title: view.spec.title.clone(),
        status: view.status,
        turnout: view.turnout,
        roll_size: view.roll_size,
    }
}

/// One election
///
/// `ballot_schema` is a JSON Schema of a contest's ballot, from the rule itself: enough to draw the ballot of a rule never seen before.
#[utoipa::path(
    get,
    path = "/api/elections/{id}",
    tag = "elections",
    operation_id = "election",
    params(("id" = u64, Path, description = "The election", example = 1)),
    responses(
        (status = 200, description = "The election", body = ElectionAnswer),
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn election(
    State(app): State<Arc<App>>,
    Path(election_id): Path<u64>,
) -> Result<Json<ElectionAnswer>, Problem> {
    let election = app.elections.get(election_id).await?;
    Ok(Json(answer(&election)))
}

/// Proof of what an election asks
///
/// The statement of the election (contests, options in their order, rules, who may vote) under the state root of a certified block: with it, `tabella verify receipt --ballot --election` says whether a receipt is of a choice, without a network.
#[utoipa::path(
    get,
    path = "/api/elections/{id}/proof",
    tag = "elections",
    operation_id = "election_proof",
    params(("id" = u64, Path, description = "The election", example = 1)),
    responses(
        (status = 200, description = "The proof", body = ElectionProof),
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn proof(
    State(app): State<Arc<App>>,
    Path(election_id): Path<u64>,
) -> Result<Json<ElectionProof>, Problem> {
    app.elections.get(election_id).await?;
    let proof = app.read(move |ledger| ledger.election_proof(election_id));
    let proof = proof.await?;
    Ok(Json(
        proof.ok_or_else(|| app.elections.not_found(election_id))?,
    ))
}

pub(crate) fn answer(election: &Election) -> ElectionAnswer {
    let view = &election.view;
    let contests = view
        .spec
        .contests
        .iter()
        .zip(&election.rules.rules)
        .zip(&election.rules.contests)
        .map(|((spec, rule), contest)| ContestAnswer {
            id: spec.id.clone(),
            title: spec.title.clone(),
            rule: rule_answer(rule),
            options: spec.options.clone(),
            params: serde_json::from_str(&spec.params).unwrap_or_default(),
            ballot_schema: contest.ballot_schema(),
        });
    ElectionAnswer {
        election_id: view.election_id,
        title: view.spec.title.clone(),
        status: view.status,
        contests: contests.collect(),
        eligibility: view.spec.eligibility.clone(),
        revote: view.spec.revote,
        counts_shown: view.spec.disclosure,
        disclosure: view.spec.disclosure,
        turnout: view.turnout,
        roll_size: view.roll_size,
        board: view.board,
        transaction_id: view.transaction_id,
    }
}
