//! The contract that this system grew from, row by row: six endpoints with their fields and types,
//! the client's methods, the log lines, the four levels, the unit scenarios.
//!
//! What other tests show already is named here with them, and a test checks that they exist.

use std::path::Path;

use serde_json::{Value, json};
use tabella_protocol::Hash;

use crate::deployment::{Deployment, Running};

/// What a row asks for, and the tests that show it: a file under `host`, and a function in it.
type Row = (&'static str, &'static str, &'static str);

const OPERATIONS: &str = "client/tests/it/operations.rs";
const CLIENT: &str = "client/tests/it/main.rs";
const INTEGRITY: &str = "client/tests/it/integrity.rs";
const RESULTS: &str = "client/tests/it/results.rs";
const HERE: &str = "backend/tests/it/seed_contract.rs";
const SUBMISSION: &str = "backend/tests/it/submission.rs";
const LEVELS: &str = "backend/tests/it/degradation.rs";
const LOG: &str = "backend/tests/it/log_lines.rs";
const NETWORK: &str = "cli/tests/it/degradation.rs";

const ROWS: &[Row] = &[
    // Endpoints.
    ("POST /api/votes/submit", HERE, "submit_answers_every_field"),
    (
        "GET /api/votes/transaction-status",
        HERE,
        "transaction_status_answers_every_field",
    ),
    ("GET /api/votes/results", HERE, "results_answer_every_field"),
    (
        "POST /api/votes/verify-blockchain",
        HERE,
        "verify_blockchain_answers_every_field",
    ),
    (
        "GET /api/admin/validators/health",
        HERE,
        "validators_health_answers_every_field",
    ),
    (
        "POST /api/admin/validators/refresh-status",
        HERE,
        "refresh_status_answers_every_field",
    ),
    // Methods of the client.
    (
        "Client::builder, default validators 1..3",
        OPERATIONS,
        "the_default_validators_are_three_on_this_machine",
    ),
    (
        "Client::submit_vote",
        OPERATIONS,
        "every_operation_on_an_honest_network",
    ),
    (
        "Client::transaction_receipt",
        OPERATIONS,
        "every_operation_on_an_honest_network",
    ),
    (
        "Client::confirmation_status",
        OPERATIONS,
        "every_operation_on_an_honest_network",
    ),
    (
        "Client::blockchain_state",
        OPERATIONS,
        "every_operation_on_an_honest_network",
    ),
    (
        "Client::wait_for_confirmation",
        OPERATIONS,
        "every_operation_on_an_honest_network",
    ),
    (
        "Client::refresh_validator_status",
        CLIENT,
        "refreshing_asks_every_validator_now",
    ),
    (
        "Client::agreement",
        INTEGRITY,
        "validators_of_one_chain_agree",
    ),
    (
        "Client::election_results",
        RESULTS,
        "a_quorum_of_equal_attestations_holds",
    ),
    // Lines in the log.
    (
        "every line of the log",
        LOG,
        "the_lines_that_operators_know_are_said",
    ),
    // Levels.
    (
        "level 1: confirmed on the chain",
        SUBMISSION,
        "a_voters_ballot_is_confirmed",
    ),
    (
        "level 2: some validators are down",
        CLIENT,
        "a_validator_killed_meanwhile_costs_less_than_300_ms",
    ),
    (
        "level 2: accepted, not confirmed yet",
        SUBMISSION,
        "an_unconfirmed_ballot_is_pending_then_confirmed",
    ),
    (
        "level 3: the local ledger",
        LEVELS,
        "level_3_with_no_validator_ballots_stand_in_the_local_ledger_and_are_carried_later",
    ),
    (
        "level 4: the database",
        LEVELS,
        "level_4_without_the_local_ledger_the_database_keeps_ballots_until_it_is_back",
    ),
    (
        "levels 3 and 1 on real processes",
        NETWORK,
        "all_validators_killed_during_load_everything_reconciles_exactly_once",
    ),
    // Unit scenarios.
    (
        "status healthy, degraded, unreachable",
        CLIENT,
        "health_follows_death_and_return",
    ),
    (
        "automatic failover",
        CLIENT,
        "unavailable_and_garbled_validators_are_passed_over",
    ),
    (
        "no validator is left",
        CLIENT,
        "with_no_validator_left_the_caller_is_told",
    ),
    (
        "load balancing by health and latency",
        OPERATIONS,
        "a_slow_validator_gets_less_to_do",
    ),
    (
        "circuit breaking",
        OPERATIONS,
        "a_broken_circuit_keeps_calls_away_until_it_is_closed_again",
    ),
    (
        "hedged reads",
        OPERATIONS,
        "a_read_that_one_validator_holds_is_answered_by_another",
    ),
    (
        "idempotent retries",
        SUBMISSION,
        "the_same_id_answers_the_same_and_casts_once",
    ),
    (
        "a lying validator is caught",
        CLIENT,
        "forged_certificates_are_caught",
    ),
    (
        "the backend starts with no validator there",
        LEVELS,
        "a_backend_starts_and_serves_with_no_validator_there",
    ),
    (
        "health answers change within two seconds",
        NETWORK,
        "health_answers_follow_a_validators_death_and_return",
    ),
];

#[test]
fn every_row_has_a_test_of_this_name() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (row, file, test) in ROWS {
        let text = std::fs::read_to_string(host.join(file)).unwrap();
        assert!(
            text.contains(&format!("fn {test}(")),
            "{row}: {file} has no {test}"
        );
    }
}

/// Compares a value with a shape of the same form: `"int"`, `"float"`, `"text"`, `"hash"`, `"time"`,
/// `"bool"`, or, in the place of a text, the words that it may be, divided by `|`. More members may
/// be there.
fn check(value: &Value, shape: &Value, at: &str) {
    match shape {
        Value::Object(members) => {
            for (name, shape) in members {
                let member = value.get(name);
                let member = member.unwrap_or_else(|| panic!("{at}/{name} is missing in {value}"));
                check(member, shape, &format!("{at}/{name}"));
            }
        }
        Value::Array(shapes) => {
            let items = value
                .as_array()
                .unwrap_or_else(|| panic!("{at} is no array: {value}"));
            for (item, shape) in items.iter().zip(shapes.iter().cycle()) {
                check(item, shape, &format!("{at}/*"));
            }
        }
        Value::String(shape) => assert!(is(value, shape), "{at}: expected {shape}, got {value}"),
        exact => assert_eq!(value, exact, "{at}"),
    }
}

fn is(value: &Value, shape: &str) -> bool {
    let text = value.as_str();
    match shape {
        "int" => value.is_u64(),
        "float" => value.is_f64(),
        "bool" => value.is_boolean(),
        "text" => text.is_some_and(|text| !text.is_empty()),
        "hash" => text.is_some_and(|text| text.parse::<Hash>().is_ok()),
        "time" => {
            text.is_some_and(|text| text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok())
        }
        words => text.is_some_and(|text| words.split('|').any(|word| word == text)),
    }
}

async fn voted() -> (Deployment, Running, Value) {
    let mut deployment = Deployment::new().await;
    // How busy the machine is has no part in these tests.
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    let token = backend.voter_token("alice").await;
    let body = json!({"election_id": 1, "ballot": {"choice": "a"}, "transaction_id": "mine"});
    let (status, answer) = backend.post("/api/votes/submit", Some(&token), body).await;
    assert_eq!(status, 201, "{answer}");
    (deployment, backend, answer)
}

#[tokio::test]
async fn submit_answers_every_field() {
    let (_deployment, _backend, answer) = voted().await;
    let shape = json!({
        "transaction_id": "mine", "status": "confirmed", "source": "poa",
        "block_hash": "hash", "block_number": "int",
        "validator": {"node_id": "validator-1|validator-2|validator-3", "rpc_url": "text"},
        "receipt_url": "text",
    });
    check(&answer, &shape, "");
    let id = answer["chain_transaction_id"].as_str().unwrap();
    let url = format!("/api/votes/receipt?transaction_id={id}");
    assert_eq!(answer["receipt_url"], url);
}

#[tokio::test]
async fn transaction_status_answers_every_field() {
    let (_deployment, backend, _) = voted().await;
    let path = "/api/votes/transaction-status?transaction_id=mine&election_id=1";
    let token = backend.voter_token("alice").await;
    let token = Some(token.as_str());
    let (status, answer) = backend.get(path, token).await;
    assert_eq!(status, 200);
    let shape = json!({
        "transaction_id": "mine", "status": "pending|confirmed|rejected|local|recorded",
        "source": "poa|local|database", "block_number": "int", "block_hash": "hash",
        "confirmations": "int", "signatures": {"count": "int", "of": 3},
        "submitted_at": "time", "confirmed_at": "time", "reason": null,
    });
    check(&answer, &shape, "");
    let unknown = "/api/votes/transaction-status?transaction_id=another&election_id=1";
    assert_eq!(backend.get(unknown, token).await.0, 404);
    let of_another = "/api/votes/transaction-status?transaction_id=mine&election_id=2";
    assert_eq!(backend.get(of_another, token).await.0, 404);
}

#[tokio::test]
async fn results_answer_every_field() {
    let (deployment, backend, _) = voted().await;
    let results = async || {
        let (status, answer) = backend.get("/api/votes/results?election_id=1", None).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    // Before close, turnout alone.
    let open = results().await;
    let contest = |votes: Value, percentage: Value, elected: Value, winners: Value| {
        json!({
            "id": "mayor", "rule": {"name": "plurality", "version": "text", "sha256": "hash"},
            "options": [{
                "id": "a|b", "title": "A|B", "votes": votes, "percentage": percentage, "elected": elected,
            }],
            "winners": winners, "rounds": [],
        })
    };
    let none = Value::Null;
    check(
        &open,
        &json!({
            "election_id": 1, "status": "open", "source": "poa", "total_votes": 1,
            "as_of_height": "int", "contests": [contest(none.clone(), none.clone(), none.clone(), json!([]))],
            "verified": false, "certificate": null,
        }),
        "",
    );
    assert_eq!(open["contests"][0]["winners"], json!([]));
    deployment.close(1);
    let closed = backend.counted(1).await;
    let [votes, percentage, elected, winner] = ["int", "float", "bool", "a"];
    let mut contest = contest(
        json!(votes),
        json!(percentage),
        json!(elected),
        json!([winner]),
    );
    contest["explanation"] = json!("text");
    check(
        &closed,
        &json!({
            "election_id": 1, "status": "closed", "source": "poa", "total_votes": 1,
            "as_of_height": "int", "contests": [contest], "verified": false, "certificate": null,
        }),
        "",
    );
    assert_eq!(closed["contests"][0]["winners"], json!(["a"]));
}

#[tokio::test]
async fn verify_blockchain_answers_every_field() {
    let (_deployment, backend, _) = voted().await;
    let path = "/api/votes/verify-blockchain?election_id=1";
    let (status, answer) = backend.post(path, None, json!({})).await;
    assert_eq!(status, 200);
    let shape = json!({
        "election_id": 1, "valid": true, "source": "poa",
        "checked": {"blocks": "int", "signatures": "int", "ballots": 1},
        "height": "int", "validators_agreeing": 3, "problems": [],
    });
    check(&answer, &shape, "");
    assert_eq!(answer["problems"], json!([]));
}

#[tokio::test]
async fn validators_health_answers_every_field() {
    let (_deployment, backend, _) = voted().await;
    backend
        .post("/api/admin/validators/refresh-status", None, json!({}))
        .await;
    let (status, answer) = backend.get("/api/admin/validators/health", None).await;
    assert_eq!(status, 200);
    let shape = json!({
        "timestamp": "time",
        "validators": [{
            "node_id": "validator-1|validator-2|validator-3", "rpc_url": "text", "p2p_url": "text",
            "status": "healthy|degraded|unreachable", "height": "int", "latency_ms": "float",
            "last_seen": "time",
        }],
        "summary": {
            "healthy": "int", "total": 3, "health_percentage": "float", "quorum": "majority",
            "tolerates": {"crashed": 1, "byzantine": 0},
        },
    });
    check(&answer, &shape, "");
    assert_eq!(answer["validators"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn refresh_status_answers_every_field() {
    let (_deployment, backend, _) = voted().await;
    let path = "/api/admin/validators/refresh-status";
    let (status, answer) = backend.post(path, None, json!({})).await;
    assert_eq!(status, 200);
    let shape = json!({
        "message": "Validator status refreshed", "timestamp": "time",
        "validators": [{
            "node_id": "validator-1|validator-2|validator-3", "status": "healthy|degraded|unreachable",
        }],
    });
    check(&answer, &shape, "");
    assert_eq!(answer["validators"].as_array().unwrap().len(), 3);
}

#[test]
fn a_field_of_another_type_would_be_noticed() {
    let wrong = [
        (json!({"a": 1}), json!({"b": "int"})),
        (json!("1"), json!("int")),
        (json!(1), json!("float")),
        (json!("2026-01-01"), json!("time")),
        (json!("0x00"), json!("hash")),
        (json!("other"), json!("one|two")),
        (json!({}), json!([])),
    ];
    for (value, shape) in wrong {
        let checked = std::panic::catch_unwind(|| check(&value, &shape, ""));
        assert!(checked.is_err(), "{value} passes for {shape}");
    }
}
