//! `GET /api/elections`, `GET /api/elections/{id}`

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabella_protocol::{
    BoardHead, Disclosure, Eligibility, Hash, OptionSpec, Revote,
    rpc::{ElectionStatus, ElectionView},
};

use crate::{
    app::App,
    elections::Election,
    extract::{Path, Query},
    problem::Problem,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElectionsQuery {
    status: Option<StatusFilter>,
}

#[derive(Clone, Copy, Deserialize)]
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

#[derive(Serialize)]
pub(crate) struct ElectionSummary {
    election_id: u64,
    title: String,
    status: ElectionStatus,
    contests: usize,
    turnout: u64,
    roll_size: u64,
}

#[derive(Serialize)]
pub(crate) struct ElectionAnswer {
    election_id: u64,
    title: String,
    status: ElectionStatus,
    contests: Vec<ContestAnswer>,
    eligibility: Eligibility,
    revote: Revote,
    disclosure: Disclosure,
    turnout: u64,
    roll_size: u64,
    board: BoardHead,
    transaction_id: Hash,
}

#[derive(Serialize)]
struct ContestAnswer {
    id: String,
    title: String,
    rule: crate::elections::Rule,
    options: Vec<OptionSpec>,
    params: Value,
    ballot_schema: Value,
}

pub(crate) async fn elections(
    State(app): State<Arc<App>>,
    Query(query): Query<ElectionsQuery>,
) -> Result<Json<Vec<ElectionSummary>>, Problem> {
    let views = match app.client.elections().await {
        Ok(views) => views,
        // While no validator answers, what was seen last must do.
        Err(tabella_client::QueryError::NoValidator) => app.store.elections().await?,
        Err(error) => return Err(error.into()),
    };
    let summaries = views
        .into_iter()
        .filter(|view| query.status.is_none_or(|filter| filter.admits(view.status)))
        .map(summary);
    Ok(Json(summaries.collect()))
}

fn summary(view: ElectionView) -> ElectionSummary {
    ElectionSummary {
        election_id: view.election_id,
        contests: view.spec.contests.len(),
        title: view.spec.title,
        status: view.status,
        turnout: view.turnout,
        roll_size: view.roll_size,
    }
}

pub(crate) async fn election(
    State(app): State<Arc<App>>,
    Path(election_id): Path<u64>,
) -> Result<Json<ElectionAnswer>, Problem> {
    let election = app.elections.get(election_id).await?;
    Ok(Json(answer(&election)))
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
            rule: rule.clone(),
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
        disclosure: view.spec.disclosure,
        turnout: view.turnout,
        roll_size: view.roll_size,
        board: view.board,
        transaction_id: view.transaction_id,
    }
}
