//! `GET /api/votes/results?election_id=..`

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tabella_api::{ContestResult, OptionResult, ResultsAnswer, RuleAnswer, Source};
use tabella_ledger::ElectionTally;
use tabella_outbox::elections::Election;
use tabella_protocol::{ContestSpec, Disclosure, Hash, OptionSpec, rpc::ElectionStatus};

use super::elections::rule_answer;
use crate::{
    app::App,
    client_address::ClientAddress,
    conditional::{Change, tagged},
    extract::Query,
    live::Shown,
    openapi::{AsksValidators, NamesOne, ReadsQuery},
    percentage::Whole,
    problem::Problem,
};

/// How long the answer waits for the backend's own count of an election that just became final.
const COUNT_WAIT: Duration = Duration::from_secs(2);

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultsQuery {
    #[param(example = 1)]
    election_id: u64,
}

/// The results of an election
///
/// Before close, counts only where the election's `counts_shown` is `live`, otherwise turnout alone; whoever may read blocks can count at any time. The backend counts the board itself, from blocks whose certificates it has checked; `verified` says that a quorum of validators attested the same outcome. Such results carry an entity tag, and are answered with every validator down: `source` is then `local`, and `as_of_height` says up to which block.
#[utoipa::path(
    get,
    path = "/api/votes/results",
    tag = "votes",
    operation_id = "results",
    params(ResultsQuery),
    responses(
        (status = 200, description = "Results", body = ResultsAnswer),
        (status = 304, description = "The client has it: `if-none-match`"),
        ReadsQuery,
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn results(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Query(query): Query<ResultsQuery>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let election = app.elections.get(query.election_id).await?;
    let status = election.view.status;
    if status == ElectionStatus::Final {
        let election_id = query.election_id;
        app.follower.wait_for_count(election_id, COUNT_WAIT).await;
    }
    let proven = Arc::clone(&election.proven);
    let read = app.read_blocks(address, move |ledger| {
        let tally = ledger.stored_tally(proven.id())?;
        let certificate = ledger.result_certificate(&proven)?;
        Ok((tally, certificate, ledger.tip().height))
    });
    let (tally, certificate, as_of_height) = read.await?;
    let source = source_of(&app, query.election_id);
    let certified = |tally: &ElectionTally| election.proven.result() == Some(&tally.attestation);
    let verified = tally.as_ref().is_some_and(certified);
    let over = matches!(status, ElectionStatus::Closed | ElectionStatus::Final);
    let outcomes = match (&tally, election.view.spec.disclosure) {
        // Counted here, from the proven board; `verified` once a quorum attested the same.
        (Some(tally), _) if over => Some(Arc::new(Shown {
            outcomes: from_outcomes(&election, &tally.outcomes)?,
            weight: tally.weight,
        })),
        // Before close, turnout alone, unless the election says otherwise.
        (_, Disclosure::Live) if status == ElectionStatus::Open => {
            app.live.outcomes(&app.follower, &election).await?
        }
        _ => None,
    };
    let weight = outcomes.as_ref().map_or(0, |shown| shown.weight);
    let contests = election
        .view
        .spec
        .contests
        .iter()
        .zip(election.rules.rules.iter().zip(&election.rules.contests))
        .enumerate()
        .map(|(index, (contest, (rule, configured)))| {
            let outcome = outcomes
                .as_ref()
                .and_then(|shown| shown.outcomes.get(index));
            let outcome = outcome.cloned().unwrap_or(Value::Null);
            let whole = Whole::new(configured.manifest(), &outcome, weight);
            contest_answer(contest, rule_answer(rule), &outcome, whole)
        });
    let attested = election.proven.attestations();
    let answer = ResultsAnswer {
        election_id: query.election_id,
        status,
        source,
        as_of_height,
        total_votes: election.view.turnout,
        contests: contests.collect(),
        verified,
        attested_by: match &certificate {
            Some(certificate) => certificate.proofs.len(),
            None => attested.count(),
        },
        validators: app.client.current_validators().validators.len(),
        certificate,
    };
    if !answer.verified {
        return Ok(Json(answer).into_response());
    }
    let json = serde_json::to_vec(&answer).map_err(|error| Problem::internal(&error))?;
    let tag = Hash::of(&json).to_string();
    let headers = [(header::CONTENT_TYPE, "application/json")];
    // The outcome stays; more validators may attest it.
    Ok(tagged(&request, &tag, Change::Perhaps, (headers, json)))
}

/// `poa` while validators answer; `local` where this is what the backend proved before.
fn source_of(app: &App, election_id: u64) -> Source {
    if app.client.is_connected() {
        app.result_lines.results(election_id);
        return Source::Poa;
    }
    app.result_lines.results_fell_back(election_id);
    Source::Local
}

/// Returns the outcomes as plain JSON.
fn from_outcomes(election: &Election, outcomes: &[Vec<u8>]) -> Result<Vec<Value>, Problem> {
    if outcomes.len() != election.rules.contests.len() {
        return Err(Problem::internal(
            &"the count has another number of contests than the election",
        ));
    }
    let plain = election.rules.contests.iter().zip(outcomes);
    plain
        .map(|(contest, outcome)| {
            contest
                .outcome_json(outcome)
                .map_err(|error| Problem::internal(&error))
        })
        .collect()
}

fn contest_answer(
    contest: &ContestSpec,
    rule: RuleAnswer,
    outcome: &Value,
    whole: Whole,
) -> ContestResult {
    let member = |name: &str| outcome.get(name).cloned();
    let options = contest.options.iter();
    ContestResult {
        id: contest.id.clone(),
        title: contest.title.clone(),
        rule,
        options: options
            .map(|option| option_answer(option, outcome, whole))
            .collect(),
        winners: member("winners").unwrap_or(json!([])),
        rounds: member("rounds").unwrap_or(json!([])),
        ties: member("ties").unwrap_or(json!([])),
        pairwise: member("pairwise").unwrap_or_default(),
        quota: member("quota").unwrap_or_default(),
        explanation: member("explanation").unwrap_or_default(),
    }
}

fn option_answer(option: &OptionSpec, outcome: &Value, whole: Whole) -> OptionResult {
    let result = outcome
        .get("options")
        .and_then(Value::as_array)
        .and_then(|options| {
            options
                .iter()
                .find(|result| result["id"] == option.id.as_str())
        });
    let member = |name: &str| result.map_or(&Value::Null, |result| &result[name]);
    OptionResult {
        id: option.id.clone(),
        title: option.title.clone(),
        votes: member("votes").clone(),
        percentage: whole.percentage(member("votes")),
        elected: member("elected").as_bool(),
        seats: member("seats").as_u64(),
    }
}
