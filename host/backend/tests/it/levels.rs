//! Which level of service holds, whether there is a quorum, and what the voter pays for the lack of one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tabella_protocol::{
    NodeAddress, Payload, VALIDATOR_CHANGE_DELAY, ValidatorChange, ValidatorInfo,
};

use crate::{
    deployment::{ADMIN_TOKEN, Deployment, Running, by_authority, registrar},
    fake::{Mood, Node, key},
};

/// Polls the validators' health until `holds` of its summary.
async fn until(backend: &Running, holds: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let (_, health) = backend.get("/api/admin/validators/health", None).await;
        if holds(&health["summary"]) {
            return health["summary"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "still {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn at(level: u64) -> impl Fn(&Value) -> bool {
    move |summary| summary["level"] == level
}

async fn metric(backend: &Running, name: &str) -> String {
    let url = format!("{}/metrics", backend.url);
    let text = backend.http.get(url).send().await.unwrap().text().await;
    let line = format!("tabella_backend_{name} ");
    let text = text.unwrap();
    let mut lines = text.lines();
    let found = lines.find_map(|text| text.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[tokio::test]
async fn the_level_and_the_quorum_are_told_wherever_operators_look() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let whole = until(&backend, at(1)).await;
    assert_eq!(whole["has_quorum"], true);
    assert_eq!(whole["needed"], 2);
    assert!(
        whole["meaning"]
            .as_str()
            .unwrap()
            .starts_with("goes on with 1 of 3")
    );
    assert_eq!(metric(&backend, "level").await, "1");

    deployment.nodes[2].kill().await;
    let partial = until(&backend, at(2)).await;
    assert_eq!(partial["has_quorum"], true);
    assert_eq!(partial["healthy"], 2);
    assert_eq!(partial["quorum_since"], whole["quorum_since"]);
    assert!(partial["level_since"].as_str() > whole["level_since"].as_str());

    deployment.nodes[1].kill().await;
    let without = until(&backend, |summary| summary["has_quorum"] == false).await;
    assert_eq!(without["level"], 2, "{without}");
    let meaning = without["meaning"].as_str().unwrap();
    assert!(meaning.starts_with("1 of 3 validators can be reached and 2 are needed"));
    assert!(without["quorum_since"].as_str() > partial["quorum_since"].as_str());
    assert_eq!(metric(&backend, "quorum").await, "0");

    deployment.nodes[0].kill().await;
    let local = until(&backend, at(3)).await;
    let meaning = local["meaning"].as_str().unwrap();
    assert!(
        meaning.starts_with("none of 3 validators can be reached"),
        "{meaning}"
    );
    assert_eq!(metric(&backend, "level").await, "3");
    let (status, ready) = backend.get("/health/ready", None).await;
    assert_eq!(status, 200, "ballots are taken");
    assert_eq!(
        (&ready["level"], &ready["has_quorum"], &ready["level_since"]),
        (&json!(3), &json!(false), &local["level_since"])
    );
    assert_eq!(ready["meaning"], local["meaning"]);

    deployment.restart_validators().await;
    let back = until(&backend, at(1)).await;
    assert_eq!(back["has_quorum"], true);
    assert_eq!(back["meaning"], whole["meaning"]);
}

#[tokio::test]
async fn validators_of_the_chains_set_are_counted_and_no_others() {
    let mut deployment = Deployment::new().await;
    // Of the three in the set this backend knows two, and another that is none of them.
    let stranger = Node::start(&deployment.network, 3, Mood::Honest).await;
    deployment.config.validators[2] = stranger.endpoint();
    let backend = deployment.start().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let (_, health) = backend.get("/api/admin/validators/health", None).await;
        let validators = health["validators"].as_array().unwrap();
        if validators[..3].iter().all(|v| v["status"] == "healthy") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let summary = until(&backend, |summary| summary["healthy"] == 2).await;
    assert_eq!(
        (&summary["total"], &summary["level"]),
        (&json!(3), &json!(2))
    );
    let (_, health) = backend.get("/api/admin/validators/health", None).await;
    let validators = health["validators"].as_array().unwrap().iter();
    let members: Vec<_> = validators
        .map(|v| {
            (
                v["node_id"].as_str().unwrap(),
                v["member"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        members,
        [
            ("validator-1", true),
            ("validator-2", true),
            ("validator-4", false),
            ("validator-3", true)
        ]
    );
}

/// What a submission costs while too few validators are there to confirm it.
#[tokio::test]
async fn without_a_quorum_a_ballot_is_answered_as_pending_at_once() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 30_000;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    *deployment.network.commits.lock().unwrap() = false;
    deployment.nodes[1].kill().await;
    deployment.nodes[2].kill().await;
    until(&backend, |summary| summary["has_quorum"] == false).await;
    let started = Instant::now();
    for n in 1..=5 {
        let (status, answer) = backend.cast(&format!("v{n}"), &format!("t{n}"), "a").await;
        assert_eq!(
            (status, &answer["status"]),
            (202, &json!("pending")),
            "{answer}"
        );
        assert!(answer["warning"].is_string(), "{answer}");
    }
    let each = started.elapsed() / 5;
    println!("a ballot without a quorum is answered within {each:?}");
    // The whole wait would be thirty seconds.
    assert!(each < Duration::from_secs(3), "{each:?}");
    // A repeat waits no more for what cannot come.
    let started = Instant::now();
    assert_eq!(backend.cast("v1", "t1", "a").await.0, 202);
    assert!(started.elapsed() < Duration::from_secs(3));

    *deployment.network.commits.lock().unwrap() = true;
    deployment.restart_validators_but(0).await;
    deployment.network.commit(vec![]);
    for n in 1..=5 {
        backend.until(&format!("t{n}"), "confirmed").await;
    }
    assert_eq!(backend.cast("last", "t9", "a").await.0, 201);
}

/// All validators answer, and decide nothing: the first voter waits, later ones do not.
#[tokio::test]
async fn a_network_that_decides_nothing_has_no_quorum() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 30_000;
    let backend = deployment.start().await;
    until(&backend, at(1)).await;
    *deployment.network.commits.lock().unwrap() = false;
    let started = Instant::now();
    assert_eq!(backend.cast("first", "t0", "a").await.0, 202);
    assert!(
        started.elapsed() > Duration::from_secs(1),
        "it may still be confirmed"
    );
    let stalled = until(&backend, |summary| summary["has_quorum"] == false).await;
    let meaning = stalled["meaning"].as_str().unwrap();
    assert!(meaning.contains("answer and decide no block"), "{meaning}");
    let started = Instant::now();
    assert_eq!(backend.cast("second", "t1", "a").await.0, 202);
    assert!(started.elapsed() < Duration::from_secs(4));
    *deployment.network.commits.lock().unwrap() = true;
    deployment.network.commit(vec![]);
    backend.until("t1", "confirmed").await;
    until(&backend, at(1)).await;
}

#[tokio::test]
async fn an_election_that_was_just_created_takes_ballots_at_level_4() {
    let deployment = Deployment::new().await;
    // The local ledger fails from the start on.
    std::fs::create_dir_all(&deployment.config.data).unwrap();
    std::fs::write(deployment.config.data.join("local-ledger"), "no directory").unwrap();
    let backend = deployment.start().await;
    let admin = Some(ADMIN_TOKEN);
    let election = json!({
        "title": "Now",
        "contests": [{"id": "now", "rule": "plurality", "options": [{"id": "a"}, {"id": "b"}]}],
    });
    let (status, created) = backend.post("/api/admin/elections", admin, election).await;
    assert_eq!(status, 201, "{created}");
    let id = created["election_id"].as_u64().unwrap();
    let open = format!("/api/admin/elections/{id}/open");
    assert_eq!(backend.post(&open, admin, json!({})).await.0, 200);
    // Nobody has looked at it, and a moment later nobody can.
    deployment.kill_validators().await;
    backend.stop().await;
    let backend = deployment.start().await;
    until(&backend, at(4)).await;
    let ballot = json!({
        "election_id": id, "ballot": {"choice": "b"}, "voter_id": "alice", "transaction_id": "t1",
    });
    let (status, answer) = backend.post("/api/votes/submit", admin, ballot).await;
    assert_eq!(
        (status, &answer["status"]),
        (202, &json!("recorded")),
        "{answer}"
    );
    deployment.restart_validators().await;
    let path = format!("/api/votes/transaction-status?transaction_id=t1&election_id={id}");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while backend.get(&path, admin).await.1["status"] != "confirmed" {
        assert!(tokio::time::Instant::now() < deadline, "not carried");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_election_that_appeared_on_the_chain_takes_ballots_at_level_4() {
    let deployment = Deployment::new().await;
    std::fs::create_dir_all(&deployment.config.data).unwrap();
    std::fs::write(deployment.config.data.join("local-ledger"), "no directory").unwrap();
    let backend = deployment.start().await;
    until(&backend, at(1)).await;
    // Created and opened by somebody else; nobody asks this backend for it while validators answer.
    deployment.create_election(registrar()).await;
    let open = by_authority(Payload::OpenElection { election_id: 5 });
    deployment.network.commit(vec![open]);
    let ballot = json!({
        "election_id": 5, "ballot": {"choice": "b"}, "voter_id": "alice", "transaction_id": "t1",
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        deployment.kill_validators().await;
        let submit = backend.post("/api/votes/submit", Some(ADMIN_TOKEN), ballot.clone());
        let (status, answer) = submit.await;
        if status == 202 {
            assert_eq!(answer["status"], "recorded");
            break;
        }
        // Its blocks are not executed here yet; whether a validator answers is noticed a moment later.
        assert!(matches!(status, 404 | 503), "{status} {answer}");
        assert!(tokio::time::Instant::now() < deadline, "never kept");
        deployment.restart_validators().await;
        until(&backend, |summary| summary["healthy"] == 3).await;
    }
}

/// One validator that has stopped signing answers, and is no part of a quorum.
#[tokio::test]
async fn one_that_answers_and_does_not_sign_is_no_part_of_a_quorum() {
    let deployment = Deployment::new().await;
    deployment.nodes[1].set_mood(Mood::Idle);
    let backend = deployment.start().await;
    until(&backend, |summary| summary["healthy"] == 2).await;
    deployment.nodes[2].kill().await;
    let without = until(&backend, |summary| summary["has_quorum"] == false).await;
    let meaning = without["meaning"].as_str().unwrap();
    assert!(
        meaning.starts_with("1 of 3 validators can be reached"),
        "{meaning}"
    );
}

/// A validator that joined is counted though its address is not known here, and is not counted once it
/// has left.
#[tokio::test]
async fn validators_are_counted_of_the_set_that_the_chain_has_now() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    until(&backend, |summary| summary["healthy"] == 3).await;
    let joining = ValidatorInfo {
        node_id: "validator-4".into(),
        public_key: key(44).public(),
    };
    let left = ValidatorChange::Remove {
        public_key: joining.public_key,
    };
    let joined = ValidatorChange::Add {
        validator: joining,
        address: NodeAddress {
            p2p_address: "127.0.0.1:30309".into(),
            rpc_url: "http://127.0.0.1:8009".into(),
        },
    };
    for (change, total, needed) in [(joined, 4, 3), (left, 3, 2)] {
        let changes = vec![change];
        let payload = Payload::ChangeValidators { changes };
        deployment.network.commit(vec![by_authority(payload)]);
        // It holds a few heights later.
        for _ in 0..VALIDATOR_CHANGE_DELAY {
            deployment.network.commit(vec![]);
        }
        let summary = until(&backend, |summary| summary["total"] == total).await;
        assert_eq!(summary["needed"], needed, "{summary}");
        assert_eq!(summary["healthy"], 3, "{summary}");
    }
}
