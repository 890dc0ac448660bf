//! From ballot to confirmation.

use std::time::Duration;

use serde_json::{Value, json};
use tabella_backend::DatabaseUrl;
use tabella_protocol::{
    Payload, Signature, Transaction, TransactionBody, VoterId, rpc::RefusalCode,
};
use tabella_test_postgres::Postgres;
use tokio::time::Instant;

use crate::{
    deployment::{ADMIN_TOKEN, Deployment, FIRST_BLOCKS},
    fake::{Mood, key},
};

#[tokio::test]
async fn a_voters_ballot_is_confirmed() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let token = backend.voter_token("alice").await;
    let body = json!({"election_id": 1, "ballot": {"choice": "a"}});
    let (status, answer) = backend.post("/api/votes/submit", Some(&token), body).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["status"], "confirmed");
    assert_eq!(answer["source"], "poa");
    assert_eq!(answer["block_number"], FIRST_BLOCKS + 1);
    assert_eq!(answer["transaction_id"], answer["chain_transaction_id"]);
    assert!(
        answer["validator"]["rpc_url"]
            .as_str()
            .unwrap()
            .starts_with("http://")
    );
    let id = answer["transaction_id"].as_str().unwrap();
    assert_eq!(
        answer["receipt_url"],
        format!("/api/votes/receipt?transaction_id={id}")
    );

    let status = backend.status(id).await;
    assert_eq!(status["status"], "confirmed");
    assert_eq!(status["block_hash"], answer["block_hash"]);
    assert_eq!(status["confirmations"], 1);
    assert_eq!(status["signatures"], json!({"count": 3, "of": 3}));

    let (_, voted) = backend
        .get("/api/votes/status?election_id=1", Some(&token))
        .await;
    assert_eq!(voted["has_voted"], true);
    let (_, history) = backend.get("/api/votes/history", Some(&token)).await;
    assert_eq!(history[0]["transaction_id"], id);
    let bob = backend.voter_token("bob").await;
    let (_, history) = backend.get("/api/votes/history", Some(&bob)).await;
    assert_eq!(history, json!([]));
}

#[tokio::test]
async fn the_voter_is_a_pseudonym_on_the_chain() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    backend.cast("alice", "t1", "a").await;
    let chain = deployment.network.chain();
    let transaction = &chain.blocks.last().unwrap().transactions[0];
    assert!(!transaction.windows(5).any(|window| window == b"alice"));
    let Payload::CastBallot { voter, .. } =
        Transaction::from_bytes(transaction).unwrap().body.payload
    else {
        panic!("expected a ballot");
    };
    assert_ne!(voter, VoterId([0; 32]));
}

#[tokio::test]
async fn the_same_id_answers_the_same_and_casts_once() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (status, first) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 201);
    assert_eq!(first["transaction_id"], "t1");
    let (status, again) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 200);
    assert_eq!(again, first);
    assert_eq!(deployment.ballots().len(), 1);

    let (status, problem) = backend.cast("alice", "t1", "b").await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("transaction-id-reused"))
    );
    assert_eq!(deployment.ballots().len(), 1);
    // Another voter's is another name.
    assert_eq!(backend.cast("bob", "t1", "a").await.0, 201);
    assert_eq!(deployment.ballots().len(), 2);
}

#[tokio::test]
async fn the_same_id_answers_the_same_after_the_election_closed() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, first) = backend.cast("alice", "t1", "a").await;
    let (status, _) = backend
        .post("/api/admin/elections/1/close", Some(ADMIN_TOKEN), json!({}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(backend.cast("alice", "t1", "a").await, (200, first));
    let (status, problem) = backend.cast("bob", "t2", "a").await;
    assert_eq!((status, &problem["code"]), (409, &json!("election-closed")));
}

#[tokio::test]
async fn a_voter_votes_once() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    let (status, problem) = backend.cast("alice", "t2", "b").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    assert_eq!(deployment.ballots().len(), 1);
}

#[tokio::test]
async fn a_hundred_requests_at_once_cast_one_ballot() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let same = (0..100).map(|_| backend.cast("alice", "t1", "a"));
    let answers = futures::future::join_all(same).await;
    let new = answers.iter().filter(|(status, _)| *status == 201).count();
    let repeated = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((new, repeated), (1, 99));
    assert_eq!(deployment.ballots().len(), 1);
}

#[tokio::test]
async fn where_revoting_is_allowed_the_last_ballot_stands() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let admin = Some(ADMIN_TOKEN);
    backend
        .post("/api/admin/elections/3/open", admin, json!({}))
        .await;
    for choice in ["a", "b"] {
        let body = json!({"election_id": 3, "ballot": {"choice": choice}, "voter_id": "alice"});
        let (status, answer) = backend.post("/api/votes/submit", admin, body).await;
        assert_eq!(status, 201, "{answer}");
    }
    assert_eq!(deployment.ballots().len(), 2);
}

/// A later ballot that arrived first would make the chain refuse the earlier one, which was acknowledged.
#[tokio::test]
async fn a_later_ballot_goes_out_once_the_earlier_one_is_settled() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 300;
    deployment.open_election(3);
    let backend = deployment.start().await;
    let cast = async |id: &str, choice: &str| {
        let body = json!({
            "election_id": 3, "ballot": {"choice": choice}, "voter_id": "alice", "transaction_id": id,
        });
        let answer = backend
            .post("/api/votes/submit", Some(ADMIN_TOKEN), body)
            .await;
        assert_eq!(answer.0, 202, "{answer:?}");
    };
    *deployment.network.commits.lock().unwrap() = false;
    let before = deployment.network.chain().mempool_len();
    cast("t1", "a").await;
    cast("t2", "b").await;
    assert_eq!(deployment.network.chain().mempool_len() - before, 1);
    *deployment.network.commits.lock().unwrap() = true;
    deployment.network.commit(vec![]);
    for id in ["t1", "t2"] {
        let path = format!("/api/votes/transaction-status?transaction_id={id}&election_id=3");
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, answer) = backend.get(&path, Some(ADMIN_TOKEN)).await;
            if answer["status"] == "confirmed" {
                break;
            }
            assert!(Instant::now() < deadline, "still {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(deployment.ballots().len(), 2);
}

#[tokio::test]
async fn the_chains_refusal_is_told_and_remembered() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    // Her other ballot came through another backend, of which this one's database knows nothing.
    let other = deployment.another().await.start().await;
    assert_eq!(other.cast("alice", "elsewhere", "b").await.0, 201);
    let (status, problem) = backend.cast("alice", "t1", "a").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    let recorded = backend.status("t1").await;
    assert_eq!(recorded["status"], "rejected");
    assert_eq!(recorded["reason"], problem["detail"]);
    assert_eq!(
        backend.cast("alice", "t1", "a").await.0,
        409,
        "the same again"
    );
    assert_eq!(deployment.ballots().len(), 1);
}

/// Whatever all of them say: what the proven chain does not refuse is kept, and carried until it does.
#[tokio::test]
async fn a_refusal_that_the_chain_does_not_show_refuses_nobody() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for node in &deployment.nodes {
        let words = "the rule's own words".to_owned();
        node.set_mood(Mood::Refuses(RefusalCode::BallotRefused, words));
    }
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 202, "{answer}");
    for node in &deployment.nodes {
        node.set_mood(Mood::Honest);
    }
    backend.until("t1", "confirmed").await;
}

#[tokio::test]
async fn an_unconfirmed_ballot_is_pending_then_confirmed() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 50;
    let backend = deployment.start().await;
    *deployment.network.commits.lock().unwrap() = false;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(
        (status, &answer["status"]),
        (202, &json!("pending")),
        "{answer}"
    );
    assert_eq!(answer["block_number"], Value::Null);
    assert_eq!(backend.status("t1").await["status"], "pending");
    deployment.network.commit(vec![]);
    let confirmed = backend.until("t1", "confirmed").await;
    assert_eq!(confirmed["block_number"], FIRST_BLOCKS + 1);
}

#[tokio::test]
async fn credential_voters_sign_for_themselves() {
    let deployment = Deployment::new().await;
    let voter = key(7);
    let entry = tabella_protocol::RollEntry {
        voter: VoterId::from(voter.public()),
        weight: 1,
    };
    deployment.extend_roll(4, vec![entry]);
    let backend = deployment.start().await;
    // The canonical ballot is what the rule's own encoding of {"choice": "a"} is; an opaque vote
    // carries the bytes as they are.
    let (_, wasm_encoded) = {
        use tabella_runtime::{ContestConfig, ContestOption, Runtime, RuntimeConfig};
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let plugin = runtime
            .load(tabella_plugins::get("plurality").unwrap().wasm)
            .unwrap();
        let options = ["a", "b"].map(|id| ContestOption {
            id: id.into(),
            title: id.to_uppercase(),
        });
        let config = ContestConfig {
            options: options.into(),
            params: json!({}),
        };
        let contest = plugin.contest(&config).unwrap();
        (0, contest.encode_ballot(&json!({"choice": "a"})).unwrap())
    };
    let payload = Payload::CastBallot {
        election_id: 4,
        voter: VoterId::from(voter.public()),
        ballots: vec![wasm_encoded],
    };
    let mut body = TransactionBody::new(77, 1_000, payload);
    body.nonce = 5;
    let signed = Transaction::sign(body, &voter);
    let token = backend.voter_token("anybody").await;
    let request = |signature: Signature| {
        json!({
            "election_id": 4,
            "ballot": {"choice": "a"},
            "credential": voter.public(),
            "signature": signature,
            "nonce": 5,
            "expiry_height": 1_000,
        })
    };
    let path = "/api/votes/submit";
    let (status, problem) = backend
        .post(path, Some(&token), request(Signature([1; 64])))
        .await;
    assert_eq!((status, &problem["code"]), (422, &json!("bad-signature")));
    // One that would expire before it is carried, or that somebody could hold back without end.
    for expiry_height in [0, 2, 200_000] {
        let mut body = signed.body.clone();
        body.expiry_height = expiry_height;
        let mut request = request(Transaction::sign(body, &voter).signature);
        request["expiry_height"] = json!(expiry_height);
        let (status, problem) = backend.post(path, Some(&token), request).await;
        assert_eq!(
            (status, &problem["code"], &problem["pointer"]),
            (422, &json!("expiry-out-of-range"), &json!("/expiry_height")),
            "{problem}"
        );
    }
    let (status, answer) = backend
        .post(path, Some(&token), request(signed.signature))
        .await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["transaction_id"], json!(signed.id()));
    assert_eq!(deployment.ballots().len(), 1);
    let unsigned = json!({"election_id": 4, "ballot": {"choice": "a"}});
    let (status, problem) = backend.post(path, Some(&token), unsigned).await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!("credential-required"))
    );
    // Who has voted is the credential's affair, not the token's.
    let path = "/api/votes/status?election_id=4";
    let (status, problem) = backend.get(path, Some(&token)).await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!("credential-required"))
    );
}

/// Both number the voter's ballots by the second: the database lets neither give a place that is taken.
#[tokio::test(flavor = "multi_thread")]
async fn two_backends_over_one_database_give_each_ballot_its_own_place() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut one = Deployment::new().await;
    one.open_election(3);
    one.config.database = Some(DatabaseUrl::new(postgres.url()));
    let mut two = one.another().await;
    two.config.database = Some(DatabaseUrl::new(postgres.url()));
    let backends = [one.start().await, two.start().await];
    const ROUNDS: usize = 12;
    let mut cast_ids = Vec::new();
    for round in 0..ROUNDS {
        let cast = async |which: usize| {
            let id = format!("t-{round}-{which}");
            let body = json!({
                "election_id": 3, "ballot": {"choice": "a"}, "voter_id": format!("voter-{round}"),
                "transaction_id": id,
            });
            let answer = backends[which]
                .post("/api/votes/submit", Some(ADMIN_TOKEN), body)
                .await;
            assert!([201, 202].contains(&answer.0), "{answer:?}");
            id
        };
        let ids = tokio::join!(cast(0), cast(1));
        cast_ids.push([ids.0, ids.1]);
    }
    for ids in &cast_ids {
        for (which, id) in ids.iter().enumerate() {
            let path = format!("/api/votes/transaction-status?transaction_id={id}&election_id=3");
            let deadline = Instant::now() + Duration::from_secs(30);
            loop {
                let (_, answer) = backends[which].get(&path, Some(ADMIN_TOKEN)).await;
                if answer["status"] == "confirmed" {
                    break;
                }
                assert_ne!(answer["status"], "rejected", "{answer}");
                assert!(Instant::now() < deadline, "still {answer}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    assert_eq!(one.ballots().len(), 2 * ROUNDS);
}
