//! What a backend answers while every validator is down: where it comes from, and as of which block.

use serde_json::{Value, json};
use tabella_protocol::Receipt;

use super::lying_validator::vote;
use crate::deployment::{ADMIN_TOKEN, Deployment, Running};

/// The three voters of [`vote`].
const VOTERS: [&str; 3] = ["alice", "bob", "carol"];

/// A backend that has counted election 1 and knows the whole chain, started again without validators;
/// and the height of the chain.
async fn alone() -> (Deployment, Running, u64) {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    vote(&deployment, &backend).await;
    let height = deployment.network.chain().blocks.len() as u64;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (_, ready) = backend.get("/health/ready", None).await;
        if ready["chain"]["height"] == height {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{ready}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    deployment.kill_validators().await;
    // Another start, so that nothing is left in memory.
    backend.stop().await;
    let backend = deployment.start().await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while backend.get("/health/ready", None).await.1["level"].as_u64() < Some(3) {
        assert!(tokio::time::Instant::now() < deadline, "not alone");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    (deployment, backend, height)
}

/// An answer's body, with the source and the height that its headers say.
async fn with_headers(backend: &Running, path: &str, accept: &str) -> (String, Value, Value) {
    let request = backend.http.get(format!("{}{path}", backend.url));
    let request = request.bearer_auth(ADMIN_TOKEN).header("accept", accept);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let header = |name: &str| match answer.headers().get(name) {
        Some(value) => json!(value.to_str().unwrap()),
        None => Value::Null,
    };
    let (source, height) = (header("tabella-source"), header("tabella-as-of-height"));
    (answer.text().await.unwrap(), source, height)
}

#[tokio::test]
async fn every_confirmed_ballots_receipt_is_answered_without_validators() {
    let (deployment, backend, height) = alone().await;
    let mut positions = Vec::new();
    for voter in VOTERS {
        let path = format!("/api/votes/receipt?transaction_id=t-{voter}");
        let (text, source, as_of) = with_headers(&backend, &path, "*/*").await;
        let receipt = Receipt::from_json(&text).unwrap();
        let proven = receipt.verify(&deployment.network.genesis);
        assert!(proven.is_ok(), "{voter}: {text}");
        positions.push(receipt.entry.position);
        assert_eq!(source, "local", "{voter}");
        assert_eq!(as_of, json!(height.to_string()), "{voter}");
    }
    positions.sort_unstable();
    assert_eq!(positions, [0, 1, 2]);
}

#[tokio::test]
async fn a_board_says_where_it_comes_from_and_as_of_which_block() {
    let (deployment, backend, height) = alone().await;
    let path = "/api/elections/1/board";
    let (status, page) = backend.get(path, None).await;
    assert_eq!((status, &page["source"]), (200, &json!("local")), "{page}");
    assert_eq!(page["as_of_height"], height, "{page}");
    let (lines, source, as_of) = with_headers(&backend, path, "application/x-ndjson").await;
    assert_eq!(lines.lines().count(), VOTERS.len());
    let said = (source, as_of);
    assert_eq!(said, (json!("local"), json!(height.to_string())));
    deployment.restart_validators().await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while backend.get(path, None).await.1["source"] != "poa" {
        assert!(tokio::time::Instant::now() < deadline, "still local");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn results_say_where_they_come_from_and_as_of_which_block() {
    let (_deployment, backend, height) = alone().await;
    let (status, results) = backend.get("/api/votes/results?election_id=1", None).await;
    assert_eq!((status, &results["verified"]), (200, &json!(true)));
    assert_eq!(results["source"], "local", "{results}");
    assert_eq!(results["as_of_height"], height, "{results}");
}

#[tokio::test]
async fn a_verification_says_where_it_comes_from_and_how_far_it_went() {
    let (_deployment, backend, height) = alone().await;
    let path = "/api/votes/verify-blockchain?election_id=1";
    let (status, verified) = backend.post(path, None, json!({})).await;
    assert_eq!((status, &verified["valid"]), (200, &json!(true)));
    assert_eq!(verified["source"], "local", "{verified}");
    assert_eq!(verified["height"], height, "{verified}");
    assert_eq!(verified["checked"]["ballots"], VOTERS.len(), "{verified}");
}
