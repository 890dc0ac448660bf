//! What is acknowledged stays acknowledged, whatever fails.

use std::time::Duration;

use serde_json::json;
use tabella_backend::DatabaseUrl;
use tabella_protocol::{Payload, Transaction, TransactionBody, rpc::RefusalCode};
use tabella_test_postgres::Postgres;

use crate::{
    deployment::{Deployment, FIRST_BLOCKS},
    fake::{Mood, Node, REGISTRAR, key},
};

#[tokio::test]
async fn level_3_with_no_validator_ballots_stand_in_the_local_ledger_and_are_carried_later() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.mirrored().await;
    deployment.kill_validators().await;
    for n in 1..=20 {
        let (status, answer) = backend
            .cast(&format!("voter-{n}"), &format!("t{n}"), "b")
            .await;
        assert_eq!(status, 202, "{answer}");
        assert_eq!(answer["status"], "local");
        assert_eq!(answer["source"], "local");
        assert_eq!(answer.get("validator"), Some(&json!(null)));
        assert!(answer["warning"].is_string());
    }
    let status = backend.status("t7").await;
    assert_eq!(
        (&status["status"], &status["source"]),
        (&json!("local"), &json!("local"))
    );
    // The same again is no second ballot, at this level neither.
    let (status, again) = backend.cast("voter-7", "t7", "b").await;
    assert_eq!((status, &again["status"]), (202, &json!("local")));
    let (status, problem) = backend.cast("voter-7", "other", "a").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    // A ballot that the rule refuses is refused with no validator there.
    assert_eq!(backend.cast("voter-99", "t99", "nobody").await.0, 422);
    let reconciliation = backend.reconciliation().await;
    assert_eq!(
        reconciliation["unsettled"],
        json!({"recorded": 0, "local": 20, "pending": 0})
    );
    assert_eq!(reconciliation["oldest"]["transaction_id"], "t1");
    assert_eq!(reconciliation["local_ledger"]["ballots"], 20);
    assert_eq!(reconciliation["local_ballots"]["settled_percentage"], 0.0);

    deployment.restart_validators().await;
    for n in 1..=20 {
        backend.until(&format!("t{n}"), "confirmed").await;
    }
    assert_eq!(deployment.network.chain().voters.len(), 21);
    assert_eq!(deployment.ballots().len(), 21, "each once");
    let settled = backend
        .until_reconciliation(|answer| answer["local_ballots"]["unsettled"] == 0)
        .await;
    assert_eq!(settled["local_ballots"]["confirmed"], 20);
    assert_eq!(settled["conflicts"], json!([]));
    assert_eq!(settled["oldest"], json!(null));
}

#[tokio::test]
async fn the_local_ledger_survives_a_restart_with_no_validator_there() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.1["status"], "local");
    backend.stop().await;

    let backend = deployment.start().await;
    assert_eq!(backend.status("t1").await["status"], "local");
    // The election is still known, so that ballots are still taken.
    assert_eq!(backend.cast("bob", "t2", "b").await.1["status"], "local");
    deployment.restart_validators().await;
    backend.until("t1", "confirmed").await;
    backend.until("t2", "confirmed").await;
    assert_eq!(deployment.ballots().len(), 3);
}

#[tokio::test]
async fn level_4_without_the_local_ledger_the_database_keeps_ballots_until_it_is_back() {
    let deployment = Deployment::new().await;
    let ledger = deployment.config.data.join("local-ledger");
    std::fs::create_dir_all(&deployment.config.data).unwrap();
    std::fs::write(&ledger, "not a directory").unwrap();
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    let reconciliation = backend.reconciliation().await;
    assert_eq!(reconciliation["local_ledger"]["status"], "failed");
    let reason = "it cannot be opened; the backend's log says why";
    assert_eq!(reconciliation["local_ledger"]["reason"], reason);
    deployment.kill_validators().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!((status, &answer["status"]), (202, &json!("recorded")));
    assert_eq!(answer["source"], "database");
    assert!(answer["warning"].is_string());
    assert_eq!(backend.status("t1").await["status"], "recorded");

    // Repaired, it is used again without a restart of the backend.
    std::fs::remove_file(&ledger).unwrap();
    deployment.restart_validators().await;
    backend.until("t1", "confirmed").await;
    backend.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("bob", "t2", "a").await.1["status"], "local");
    deployment.restart_validators().await;
    backend.until("t2", "confirmed").await;
    assert_eq!(deployment.ballots().len(), 3);
}

#[tokio::test]
async fn another_ballot_of_the_voter_that_stands_on_the_chain_is_the_reason() {
    let deployment = Deployment::new().await;
    let cut_off = deployment.start().await;
    cut_off.mirrored().await;
    let other = deployment.another().await.start().await;
    deployment.kill_validators().await;
    assert_eq!(cut_off.cast("alice", "t1", "a").await.1["status"], "local");
    assert_eq!(other.cast("alice", "t1", "b").await.0, 201);
    deployment.restart_validators().await;
    let rejected = cut_off.until("t1", "rejected").await;
    assert_eq!(rejected["code"], "already-voted");
}

#[tokio::test]
async fn a_conflict_is_decided_by_the_chain_and_told_to_the_voter() {
    let deployment = Deployment::new().await;
    let cut_off = deployment.start().await;
    cut_off.cast("first", "t0", "a").await;
    cut_off.mirrored().await;
    let other_deployment = deployment.another().await;
    let other = other_deployment.start().await;
    deployment.kill_validators().await;
    for (voter, id) in [("alice", "t1"), ("bob", "t2"), ("carol", "t3")] {
        assert_eq!(cut_off.cast(voter, id, "a").await.1["status"], "local");
    }
    // Meanwhile alice votes elsewhere, under the very same id, and the election closes.
    assert_eq!(other.cast("alice", "t1", "b").await.0, 201);
    let close = "/api/admin/elections/1/close";
    assert_eq!(
        other
            .post(close, Some(crate::deployment::ADMIN_TOKEN), json!({}))
            .await
            .0,
        200
    );
    deployment.restart_validators().await;
    let mut codes = Vec::new();
    for id in ["t1", "t2", "t3"] {
        let rejected = cut_off.until(id, "rejected").await;
        assert!(rejected["reason"].is_string(), "{rejected}");
        codes.push(rejected["code"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        codes,
        ["election-closed", "election-closed", "election-closed"]
    );
    assert_eq!(other.status("t1").await["status"], "confirmed");
    let settled = cut_off
        .until_reconciliation(|answer| answer["local_ballots"]["unsettled"] == 0)
        .await;
    assert_eq!(settled["local_ballots"]["rejected"], 3);
    let conflicts = |answer: &serde_json::Value| {
        let conflicts = answer["conflicts"].as_array().unwrap().iter();
        let ids = conflicts.map(|c| c["transaction_id"].as_str().unwrap().to_owned());
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(conflicts(&settled).len(), 3);
    assert_eq!(deployment.ballots().len(), 2);
    // A restart forgets none of it.
    cut_off.stop().await;
    let cut_off = deployment.start().await;
    let again = cut_off
        .until_reconciliation(|answer| answer["local_ballots"]["rejected"] == 3)
        .await;
    assert_eq!(again["local_ballots"]["total"], 3);
    assert_eq!(conflicts(&again), conflicts(&settled));
}

#[tokio::test]
async fn one_validators_refusal_does_not_end_an_acknowledged_ballot() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    backend.cast("first", "t0", "a").await;
    backend.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.1["status"], "local");
    let words = "I say so".to_owned();
    deployment.nodes[0].set_mood(Mood::Refuses(RefusalCode::ElectionClosed, words));
    deployment.nodes[0].restart().await;
    let asked = deployment.nodes[0].submission_requests();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while deployment.nodes[0].submission_requests() < asked + 2 {
        assert!(tokio::time::Instant::now() < deadline, "it was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(backend.status("t1").await["status"], "local");
    deployment.nodes[1].restart().await;
    deployment.nodes[2].restart().await;
    backend.until("t1", "confirmed").await;
}

#[tokio::test]
async fn a_refusal_for_what_the_proven_chain_does_not_hold_ends_no_ballot() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    backend.cast("first", "t0", "b").await;
    backend.mirrored().await;
    deployment.kill_validators().await;
    let (_, kept) = backend.cast("alice", "t1", "a").await;
    assert_eq!(kept["status"], "local", "{kept}");
    let words = "once".to_owned();
    for node in &deployment.nodes {
        node.set_mood(Mood::Refuses(RefusalCode::AlreadyVoted, words.clone()));
        node.restart().await;
    }
    let asked = || -> usize {
        let nodes = deployment.nodes.iter();
        nodes.map(Node::submission_requests).sum()
    };
    // Two validators in each of two rounds.
    let enough = asked() + 4;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while asked() < enough {
        assert!(
            tokio::time::Instant::now() < deadline,
            "they were not asked"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(backend.status("t1").await["status"], "local");
    // Another ballot of hers comes by another way, and a block shows it.
    let other = Payload::CastBallot {
        election_id: 1,
        voter: kept["voter"].as_str().unwrap().parse().unwrap(),
        ballots: deployment.ballots().remove(0),
    };
    let other = Transaction::sign(TransactionBody::new(77, 1_000, other), &key(REGISTRAR));
    deployment.network.commit(vec![other]);
    let rejected = backend.until("t1", "rejected").await;
    assert_eq!(rejected["code"], "already-voted");
}

#[tokio::test]
async fn a_voters_ballots_reach_the_chain_in_the_order_of_casting() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let admin = Some(crate::deployment::ADMIN_TOKEN);
    let open = "/api/admin/elections/3/open";
    assert_eq!(backend.post(open, admin, json!({})).await.0, 200);
    backend
        .until_reconciliation(|answer| {
            answer["local_ledger"]["mirrored_height"].as_u64() > Some(FIRST_BLOCKS)
        })
        .await;
    let cast = async |n: usize| {
        let choice = ["a", "b"][n % 2];
        let body = json!({"election_id": 3, "ballot": {"choice": choice}, "voter_id": "alice",
            "transaction_id": format!("t{n}")});
        backend.post("/api/votes/submit", admin, body).await
    };
    assert_eq!(cast(0).await.0, 201);
    deployment.kill_validators().await;
    for n in 1..20 {
        assert_eq!(cast(n).await.1["status"], "local");
    }
    deployment.restart_validators().await;
    let path = "/api/votes/transaction-status?transaction_id=t19&election_id=3";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while backend.get(path, admin).await.1["status"] != "confirmed" {
        assert!(tokio::time::Instant::now() < deadline, "not carried");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ballots = deployment.ballots();
    assert_eq!(ballots.len(), 20);
    for (n, ballot) in ballots.iter().enumerate() {
        assert_eq!(*ballot, ballots[n % 2], "ballot {n}");
    }
    assert_ne!(ballots[0], ballots[1]);
}

#[tokio::test]
async fn two_backends_before_one_network_count_each_voter_once() {
    let deployment = Deployment::new().await;
    let (one, second_deployment) = (deployment.start().await, deployment.another().await);
    let two = second_deployment.start().await;
    // The same ballot of the same voter at both at once: it is on the chain once, and both say so.
    for n in 0..10 {
        let (voter, id) = (format!("voter-{n}"), format!("t{n}"));
        let (a, b) = tokio::join!(one.cast(&voter, &id, "a"), two.cast(&voter, &id, "a"));
        for (status, answer) in [a, b] {
            assert_eq!(
                (status, &answer["status"]),
                (201, &json!("confirmed")),
                "{answer}"
            );
        }
    }
    // Both keep ballots of the same voters while neither reaches a validator.
    one.mirrored().await;
    two.mirrored().await;
    deployment.kill_validators().await;
    second_deployment.kill_validators().await;
    for n in 10..20 {
        let (voter, id) = (format!("voter-{n}"), format!("t{n}"));
        assert_eq!(one.cast(&voter, &id, "a").await.1["status"], "local");
        assert_eq!(two.cast(&voter, &id, "b").await.1["status"], "local");
    }
    deployment.restart_validators().await;
    second_deployment.restart_validators().await;
    let done = |answer: &serde_json::Value| answer["local_ballots"]["unsettled"] == 0;
    let one = one.until_reconciliation(done).await;
    let two = two.until_reconciliation(done).await;
    let sum = |what: &str| {
        let count = |answer: &serde_json::Value| answer["local_ballots"][what].as_u64().unwrap();
        count(&one) + count(&two)
    };
    assert_eq!((sum("confirmed"), sum("rejected")), (10, 10));
    assert_eq!(deployment.ballots().len(), 20);
    assert_eq!(deployment.network.chain().voters.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_after_the_close_at_another_backend_says_no_more_than_is_known_there() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut deployment = Deployment::new().await;
    let mut other_deployment = deployment.another().await;
    for deployment in [&mut deployment, &mut other_deployment] {
        deployment.config.database = Some(DatabaseUrl::new(postgres.url()));
    }
    let cut_off = deployment.start().await;
    let other = other_deployment.start().await;
    assert_eq!(cut_off.cast("first", "t0", "a").await.0, 201);
    cut_off.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(cut_off.cast("alice", "t1", "a").await.1["status"], "local");
    // Not through a backend, which would wait for the ballot.
    deployment.close(1);
    let (status, again) = other.cast("alice", "t1", "a").await;
    assert_eq!(
        (status, &again["status"], &again["source"]),
        (202, &json!("recorded"), &json!("database"))
    );
}

/// The database has the ballot, and its word is lost on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_that_may_be_recorded_is_not_said_to_be_lost() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut deployment = Deployment::new().await;
    deployment.config.database = Some(DatabaseUrl::new(postgres.url()));
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    let psql = |sql: &str| {
        let mut psql = std::process::Command::new(postgres.program("psql"));
        let done = psql.args([&postgres.url(), "-c", sql]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    // Commits are done, and answered once a standby has them, which never comes.
    psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    psql("SELECT pg_reload_conf()");
    let mut casting = std::pin::pin!(backend.cast("alice", "t1", "a"));
    let (status, problem) = loop {
        let pause = tokio::time::sleep(Duration::from_millis(20));
        tokio::select! {
            answer = &mut casting => break answer,
            () = pause => psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
            ),
        }
    };
    let code = &problem["code"];
    assert_eq!((status, code), (503, &json!("database-unavailable")));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("may have been recorded"), "{detail}");
    psql("ALTER SYSTEM RESET synchronous_standby_names");
    psql("SELECT pg_reload_conf()");
    backend.until("t1", "confirmed").await;
    let (status, again) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 200, "{again}");
    assert_eq!(deployment.ballots().len(), 2);
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
    assert_eq!(confirmed["block_number"], FIRST_BLOCKS + 1);
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
    // Whether the chain has a transaction is not known while nobody can be asked.
    let path = "/api/admin/validators/health";
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !all_unreachable(&backend.get(path, None).await.1) {
        assert!(tokio::time::Instant::now() < deadline, "still reachable");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = "0x".to_owned() + &"9".repeat(64);
    let path = format!("/api/votes/transaction-status?transaction_id={id}");
    let (status, problem) = backend.get(&path, None).await;
    assert_eq!((status, &problem["code"]), (503, &json!("no-validator")));
}

fn all_unreachable(health: &serde_json::Value) -> bool {
    let mut validators = health["validators"].as_array().unwrap().iter();
    validators.all(|validator| validator["status"] == "unreachable")
}
