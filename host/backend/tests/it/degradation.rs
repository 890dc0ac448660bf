//! What is acknowledged stays acknowledged, whatever fails.

use std::time::Duration;

use serde_json::json;

use crate::{deployment::Deployment, fake::Mood};

#[tokio::test]
async fn with_no_validator_ballots_are_recorded_and_carried_later() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    for node in &deployment.nodes {
        node.kill().await;
    }
    for n in 1..=20 {
        let (status, answer) = backend
            .cast(&format!("voter-{n}"), &format!("t{n}"), "b")
            .await;
        assert_eq!(status, 202, "{answer}");
        assert_eq!(answer["status"], "recorded");
        assert_eq!(answer["source"], "database");
        assert!(answer["warning"].is_string());
    }
    assert_eq!(backend.status("t7").await["status"], "recorded");
    // The same again is no second ballot, at this level neither.
    assert_eq!(backend.cast("voter-7", "t7", "b").await.0, 202);
    let (status, problem) = backend.cast("voter-7", "other", "a").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    // A ballot that the rule refuses is refused with no validator there.
    assert_eq!(backend.cast("voter-99", "t99", "nobody").await.0, 422);

    for node in &deployment.nodes {
        node.restart().await;
    }
    for n in 1..=20 {
        backend.until(&format!("t{n}"), "confirmed").await;
    }
    let chain = deployment.network.chain();
    assert_eq!(chain.voters.len(), 21);
    assert_eq!(chain.included.len(), 21, "each once");
}

#[tokio::test]
async fn recorded_ballots_survive_a_restart_with_no_validator_there() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    for node in &deployment.nodes {
        node.kill().await;
    }
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    backend.stop().await;

    let backend = deployment.start().await;
    assert_eq!(backend.status("t1").await["status"], "recorded");
    // The election is still known, so that ballots are still taken.
    assert_eq!(backend.cast("bob", "t2", "b").await.0, 202);
    for node in &deployment.nodes {
        node.restart().await;
    }
    backend.until("t1", "confirmed").await;
    backend.until("t2", "confirmed").await;
    assert_eq!(deployment.network.chain().included.len(), 3);
}

#[tokio::test]
async fn confirmations_that_came_while_the_backend_was_down_are_found() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 50;
    let backend = deployment.start().await;
    *deployment.network.commits.lock().unwrap() = false;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    backend.stop().await;
    deployment.network.commit(vec![]);
    for _ in 0..100 {
        deployment.network.commit(vec![]);
    }
    let backend = deployment.start().await;
    let confirmed = backend.until("t1", "confirmed").await;
    assert_eq!(confirmed["block_number"], 1);
}

#[tokio::test]
async fn a_hanging_validator_costs_a_voter_less_than_300_ms() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    deployment.nodes[0].set_mood(Mood::Hanging);
    let started = std::time::Instant::now();
    for n in 1..=3 {
        assert_eq!(
            backend
                .cast(&format!("v{n}"), &format!("t{n}"), "a")
                .await
                .0,
            201
        );
    }
    let cost = started.elapsed();
    assert!(
        cost < Duration::from_millis(450),
        "three submissions took {cost:?}"
    );
}

#[tokio::test]
async fn a_backend_starts_and_serves_with_no_validator_there() {
    let deployment = Deployment::new().await;
    for node in &deployment.nodes {
        node.kill().await;
    }
    let backend = deployment.start().await;
    assert_eq!(backend.get("/health/live", None).await.0, 200);
    assert_eq!(backend.get("/health/ready", None).await.0, 200);
    let (_, health) = backend.get("/api/admin/validators/health", None).await;
    assert_eq!(health["summary"]["healthy"], 0);
    assert_eq!(health["summary"]["total"], 3);
    let (status, problem) = backend.get("/api/votes/results?election_id=1", None).await;
    assert!(status == 502 || status == 503, "{problem}");
}
