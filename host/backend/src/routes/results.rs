//! `GET /api/votes/results?election_id=..`

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tabella_ledger::ElectionTally;
use tabella_protocol::{
    Disclosure, Hash, OptionSpec,
    rpc::{ElectionStatus, ResultCertificate},
};

use utoipa::openapi::{
    ObjectBuilder,
    schema::{SchemaType, Type},
};

use crate::{
    app::App,
    client_address::ClientAddress,
    conditional::{Change, tagged},
    elections::{Election, Rule},
    extract::Query,
    openapi::{AsksValidators, NamesOne, ReadsQuery, source},
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

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ResultsAnswer {
    election_id: u64,
    status: ElectionStatus,
    #[schema(schema_with = source)]
    source: &'static str,
    /// The newest block that this answer takes into account.
    as_of_height: u64,
    total_votes: u64,
    contests: Vec<ContestAnswer>,
    verified: bool,
    /// How many validators attested, of how many.
    attested_by: usize,
    validators: usize,
    certificate: Option<ResultCertificate>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OptionResult)]
struct OptionAnswer {
    id: String,
    title: String,
    #[schema(schema_with = exact_number)]
    votes: Value,
    /// Of all ballots, or of all votes where ballots weigh more than one.
    percentage: Option<f64>,
    elected: Option<bool>,
    seats: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ContestResult)]
struct ContestAnswer {
    id: String,
    title: String,
    rule: Rule,
    options: Vec<OptionAnswer>,
    #[schema(value_type = Vec<String>)]
    winners: Value,
    #[schema(value_type = Vec<Object>)]
    rounds: Value,
    #[schema(value_type = Vec<Object>)]
    ties: Value,
    #[schema(schema_with = exact_number)]
    quota: Value,
    /// Where the rule compares every option with every other: how many ballots prefer the first to the second.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Value::is_null")]
    pairwise: Value,
    #[schema(value_type = Option<String>)]
    explanation: Value,
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
        (Some(tally), _) if over => Some(Arc::new(from_outcomes(&election, &tally.outcomes)?)),
        // Before close, turnout alone, unless the election says otherwise.
        (_, Disclosure::Live) if status == ElectionStatus::Open => {
            app.live.outcomes(&app.follower, &election).await?
        }
        _ => None,
    };
    let total_votes = election.view.turnout;
    let contests = election
        .view
        .spec
        .contests
        .iter()
        .zip(&election.rules.rules)
        .enumerate()
        .map(|(index, (contest, rule))| {
            let outcome = outcomes.as_ref().and_then(|outcomes| outcomes.get(index));
            let outcome = outcome.cloned().unwrap_or(Value::Null);
            let whole = whole(&outcome, total_votes);
            let options = contest
                .options
                .iter()
                .map(|option| option_answer(option, &outcome, whole));
            ContestAnswer {
                id: contest.id.clone(),
                title: contest.title.clone(),
                rule: rule.clone(),
                options: options.collect(),
                winners: outcome.get("winners").cloned().unwrap_or(json!([])),
                rounds: outcome.get("rounds").cloned().unwrap_or(json!([])),
                ties: outcome.get("ties").cloned().unwrap_or(json!([])),
                pairwise: outcome.get("pairwise").cloned().unwrap_or_default(),
                quota: outcome.get("quota").cloned().unwrap_or_default(),
                explanation: outcome.get("explanation").cloned().unwrap_or_default(),
            }
        });
    let attested = election.proven.attestations();
    let answer = ResultsAnswer {
        election_id: query.election_id,
        status,
        source,
        as_of_height,
        total_votes,
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
fn source_of(app: &App, election_id: u64) -> &'static str {
    if app.client.is_connected() {
        app.lines.results(election_id);
        return "poa";
    }
    app.lines.results_fell_back(election_id);
    "local"
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

fn option_answer(option: &OptionSpec, outcome: &Value, whole: f64) -> OptionAnswer {
    let result = outcome
        .get("options")
        .and_then(Value::as_array)
        .and_then(|options| {
            options
                .iter()
                .find(|result| result["id"] == option.id.as_str())
        });
    let member = |name: &str| result.map_or(&Value::Null, |result| &result[name]);
    OptionAnswer {
        id: option.id.clone(),
        title: option.title.clone(),
        votes: member("votes").clone(),
        percentage: percentage(member("votes"), whole),
        elected: member("elected").as_bool(),
        seats: member("seats").as_u64(),
    }
}

/// Whole where every reader takes it exactly, else a text such as `7/3`.
fn exact_number() -> utoipa::openapi::Object {
    let types = [Type::Integer, Type::String, Type::Null];
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .build()
}

/// What percentages are of: all ballots, or, where ballots weigh more than one, all votes.
fn whole(outcome: &Value, total_votes: u64) -> f64 {
    let options = outcome.get("options").and_then(Value::as_array);
    let votes = options.into_iter().flatten();
    let votes: Vec<f64> = votes.filter_map(|o| approximate(&o["votes"])).collect();
    let ballots = total_votes as f64;
    if votes.iter().any(|votes| *votes > ballots) {
        votes.iter().sum()
    } else {
        ballots
    }
}

/// Votes as a share of the whole, for display: two decimals.
fn percentage(votes: &Value, whole: f64) -> Option<f64> {
    approximate(votes).map(|votes| match whole > 0.0 {
        true => (votes / whole * 10_000.0).round() / 100.0,
        false => 0.0,
    })
}

/// A number, a decimal text or a ratio such as `7/3`, near enough for a percentage.
fn approximate(votes: &Value) -> Option<f64> {
    let text = match votes {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text,
        _ => return None,
    };
    match text.split_once('/') {
        Some((numerator, denominator)) => {
            let denominator: f64 = denominator.trim().parse().ok()?;
            let numerator: f64 = numerator.trim().parse().ok()?;
            (denominator != 0.0).then(|| numerator / denominator)
        }
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_of_all_ballots() {
        let check = |votes: Value, whole: f64, expected: Option<f64>| {
            assert_eq!(percentage(&votes, whole), expected, "{votes} of {whole}");
        };
        check(json!(4313), 8980.0, Some(48.03));
        check(json!("7/3"), 7.0, Some(33.33));
        check(json!("12.5"), 50.0, Some(25.0));
        check(json!(0), 0.0, Some(0.0));
        check(Value::Null, 5.0, None);
    }

    #[test]
    fn where_ballots_weigh_more_percentages_are_of_all_votes() {
        let outcome = json!({"options": [{"votes": 9}, {"votes": "3"}]});
        let check = |outcome: &Value, ballots, expected: f64| {
            assert!((whole(outcome, ballots) - expected).abs() < f64::EPSILON);
        };
        check(&outcome, 20, 20.0);
        check(&outcome, 2, 12.0);
        check(&Value::Null, 2, 2.0);
    }
}
