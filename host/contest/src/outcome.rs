//! An outcome's canonical bytes as the JSON that people read.

use serde_json::{Map, Value, json};
use tabella_abi::codec::Wire;
use tabella_abi::number::Number;
use tabella_abi::outcome::Outcome;
use thiserror::Error;

use crate::contest_config::ContestOption;

/// Bytes that are not an outcome of this contest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OutcomeError(String);

/// Reads an outcome and checks that it makes sense for that many options.
pub fn read_outcome(bytes: &[u8], options: usize) -> Result<Outcome, OutcomeError> {
    let not_canonical = || OutcomeError("the outcome's bytes are not canonical".into());
    let outcome = Outcome::from_wire(bytes).ok_or_else(not_canonical)?;
    if outcome.options.len() != options {
        let found = outcome.options.len();
        return Err(OutcomeError(format!(
            "the outcome lists {found} options, the contest has {options}"
        )));
    }
    if !outcome.pairwise.is_empty() && outcome.pairwise.len() != options * options {
        let found = outcome.pairwise.len();
        return Err(OutcomeError(format!(
            "the outcome has {found} pairwise counts for {options} options"
        )));
    }
    let rounds = outcome.rounds.iter().flat_map(|round| {
        let totals = round.totals.iter().map(|(option, _)| *option);
        let transfers = round.transfers.iter();
        let transfers = transfers.flat_map(|moved| std::iter::once(moved.from).chain(moved.to));
        let left = round.elected.iter().chain(&round.eliminated).copied();
        totals.chain(left).chain(transfers)
    });
    let ties = outcome
        .ties
        .iter()
        .flat_map(|tie| tie.options.iter().copied());
    let mut named = outcome.winners.iter().copied().chain(ties).chain(rounds);
    if let Some(unknown) = named.find(|option| *option >= options) {
        return Err(OutcomeError(format!(
            "the outcome names option {unknown}, the contest has {options}"
        )));
    }
    Ok(outcome)
}

/// Returns an outcome's canonical bytes as the JSON shown to people.
pub fn outcome_json(bytes: &[u8], options: &[ContestOption]) -> Result<Value, OutcomeError> {
    Ok(to_json(&read_outcome(bytes, options.len())?, options))
}

/// The JSON of an outcome that [`read_outcome`] accepted.
fn to_json(outcome: &Outcome, options: &[ContestOption]) -> Value {
    let id = |option: &usize| Value::from(options[*option].id.as_str());
    let ids = |list: &[usize]| list.iter().map(id).collect::<Value>();
    let ties = outcome.ties.iter().map(|tie| {
        json!({
            "options": ids(&tie.options),
            "question": tie.question,
            "decided_by": tie.decided_by,
        })
    });
    let results = outcome.options.iter().zip(options).map(|(result, option)| {
        json!({
            "id": option.id,
            "title": if option.title.is_empty() { &option.id } else { &option.title },
            "votes": number(&result.votes),
            "elected": result.elected,
            "seats": result.seats,
        })
    });
    let rounds = outcome.rounds.iter().map(|round| {
        let totals = round.totals.iter();
        let totals: Map<_, _> = totals
            .map(|(option, votes)| (options[*option].id.clone(), json!(votes.to_string())))
            .collect();
        let transfers = round.transfers.iter().map(|moved| {
            json!({
                "from": id(&moved.from),
                "to": moved.to.as_ref().map(id),
                "votes": moved.votes.to_string(),
            })
        });
        json!({
            "totals": totals,
            "elected": ids(&round.elected),
            "eliminated": ids(&round.eliminated),
            "exhausted": round.exhausted.to_string(),
            "transfers": transfers.collect::<Value>(),
        })
    });
    let mut json = json!({
        "winners": ids(&outcome.winners),
        "ties": ties.collect::<Value>(),
        "options": results.collect::<Value>(),
        "rounds": rounds.collect::<Value>(),
        "quota": outcome.quota.as_ref().map(number),
        "explanation": outcome.explanation,
    });
    if !outcome.pairwise.is_empty() {
        let rows = outcome
            .pairwise
            .chunks(options.len())
            .zip(options)
            .map(|(row, option)| {
                let columns = row
                    .iter()
                    .zip(options)
                    .filter(|(_, other)| other.id != option.id);
                let columns: Map<_, _> = columns
                    .map(|(count, other)| (other.id.clone(), number(count)))
                    .collect();
                (option.id.clone(), Value::Object(columns))
            });
        json["pairwise"] = Value::Object(rows.collect());
    }
    json
}

/// A JSON number where it is whole and every reader takes it exactly, else a text.
fn number(number: &Number) -> Value {
    const EXACT_MAX: i128 = 1 << 53;
    match number.integer() {
        Some(whole) if (-EXACT_MAX..=EXACT_MAX).contains(&whole) => json!(whole as i64),
        _ => json!(number.to_string()),
    }
}
