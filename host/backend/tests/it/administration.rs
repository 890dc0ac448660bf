//! Elections, rolls, plugins and validators, administered over REST.

use expect_test::expect;
use serde_json::{Value, json};
use tabella_protocol::{Hash, Payload, Transaction, rpc::ElectionStatus};

use crate::deployment::{ADMIN_TOKEN, Deployment, FIRST_BLOCKS, registrar_roll};

const ADMIN: Option<&str> = Some(ADMIN_TOKEN);

fn statement() -> Value {
    json!({
        "title": "Council",
        "contests": [{
            "id": "council",
            "rule": "plurality",
            "options": [{"id": "x", "title": "X"}, {"id": "y"}],
            "params": {"max_choices": 2},
        }],
    })
}

#[tokio::test]
async fn an_election_is_created_opened_and_voted_in() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (status, created) = backend
        .post("/api/admin/elections", ADMIN, statement())
        .await;
    assert_eq!(status, 201, "{created}");
    let id = created["election_id"].as_u64().unwrap();
    let vote = json!({"election_id": id, "ballot": {"choices": ["x", "y"]}, "voter_id": "alice"});
    let (status, problem) = backend.post("/api/votes/submit", ADMIN, vote.clone()).await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("election-not-open"))
    );
    let path = format!("/api/admin/elections/{id}/open");
    assert_eq!(backend.post(&path, ADMIN, json!({})).await.0, 200);
    let (status, answer) = backend.post("/api/votes/submit", ADMIN, vote).await;
    assert_eq!(status, 201, "{answer}");

    let (_, election) = backend.get(&format!("/api/elections/{id}"), None).await;
    let contest = &election["contests"][0];
    assert_eq!(contest["rule"]["name"], "plurality");
    assert_eq!(contest["params"]["max_choices"], 2);
    assert_eq!(contest["ballot_schema"]["x-ballot-kind"], "choice");
    let (_, open) = backend.get("/api/elections?status=open", None).await;
    let ids: Vec<_> = open
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["election_id"].clone())
        .collect();
    assert!(ids.contains(&json!(id)), "{open}");
    let (_, closed) = backend.get("/api/elections?status=closed", None).await;
    assert_eq!(closed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_election_that_does_not_hold_together_is_refused() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let mut unknown = statement();
    unknown["contests"][0]["rule"] = json!("dictatorship");
    let (status, problem) = backend.post("/api/admin/elections", ADMIN, unknown).await;
    assert_eq!((status, &problem["code"]), (422, &json!("unknown-plugin")));
    assert_eq!(problem["pointer"], "/contests/0/rule");
    let mut empty = statement();
    empty["contests"][0]["options"] = json!([]);
    let (status, problem) = backend.post("/api/admin/elections", ADMIN, empty).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("invalid-election"))
    );
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn a_roll_is_taken_line_by_line() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv =
        "voter_id,weight\nalice\nbob,3\nbob,1\n,1\ncarol,none\n\ndave,0\nerin,2,2\n\"Doe, J\",1";
    let request = backend
        .http
        .post(format!("{}/api/admin/elections/5/roll", backend.url))
        .bearer_auth(ADMIN_TOKEN)
        .header("content-type", "text/csv")
        .body(csv);
    let answer = request.send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    expect![[r#"
        {
          "added": 3,
          "election_id": 5,
          "head": {
            "read": [
              "voter_id",
              "weight"
            ]
          },
          "preview": [
            {
              "line": 2,
              "realm": "registrar",
              "voter_id": "alice",
              "weight": 1
            },
            {
              "line": 3,
              "realm": "registrar",
              "voter_id": "bob",
              "weight": 3
            },
            {
              "line": 4,
              "realm": "registrar",
              "voter_id": "bob",
              "weight": 1
            },
            {
              "line": 10,
              "realm": "registrar",
              "voter_id": "Doe, J",
              "weight": 1
            }
          ],
          "refused": 5,
          "refused_lines": [
            {
              "line": 5,
              "reason": "expected a voter id of 1 to 256 bytes, got one of 0"
            },
            {
              "line": 6,
              "reason": "expected a weight from 1 to 4294967295, got \"none\""
            },
            {
              "line": 8,
              "reason": "expected a weight of at least 1"
            },
            {
              "line": 9,
              "reason": "expected the realm registrar, account or credential, got \"2\""
            },
            {
              "line": 4,
              "reason": "the same voter again"
            }
          ],
          "warning": "3 voters have a weight that fewer than 5 share; the board shows every ballot's weight, so that whoever knows theirs finds their ballots",
          "weights": [
            {
              "voters": 2,
              "weight": 1
            },
            {
              "voters": 1,
              "weight": 3
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer).unwrap());
    let chain = deployment.network.chain();
    let transaction =
        Transaction::from_bytes(&chain.blocks.last().unwrap().transactions[0]).unwrap();
    let Payload::ExtendRoll { entries, .. } = transaction.body.payload else {
        panic!("expected a roll");
    };
    let mut weights: Vec<_> = entries.iter().map(|entry| entry.weight).collect();
    weights.sort_unstable();
    assert_eq!(weights, [1, 1, 3]);
}

#[tokio::test]
async fn plugins_are_published_and_served_by_hash() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let wasm = tabella_plugins::get("instant-runoff").unwrap().wasm;
    let publish = async || {
        let request = backend
            .http
            .post(format!("{}/api/admin/plugins", backend.url))
            .bearer_auth(ADMIN_TOKEN)
            .body(wasm);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(publish().await, 201);
    assert_eq!(publish().await, 200, "the same again");
    let hash = Hash::of(wasm);
    let url = format!("{}/api/plugins/{hash}/wasm", backend.url);
    let served = backend.http.get(url).send().await.unwrap();
    assert_eq!(served.headers()["etag"], format!("W/\"{hash}\""));
    assert_eq!(served.bytes().await.unwrap(), wasm);
    let (_, plugins) = backend.get("/api/plugins", None).await;
    assert_eq!(plugins.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn validators_show_their_health() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for _ in 0..2 {
        backend
            .post("/api/admin/validators/refresh-status", None, json!({}))
            .await;
    }
    let (_, health) = backend.get("/api/admin/validators/health", None).await;
    let expected = json!({
        "healthy": 3, "total": 3, "health_percentage": 100.0, "quorum": "majority",
        "tolerates": {"crashed": 1, "byzantine": 0}, "needed": 2, "has_quorum": true, "level": 1,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(health["summary"][name], *value, "{name}: {health}");
    }
    let first = &health["validators"][0];
    assert_eq!(first["node_id"], "validator-1");
    assert_eq!(first["status"], "healthy");
    assert_eq!(first["p2p_url"], "http://127.0.0.1:30303");
    deployment.nodes[2].kill().await;
    for _ in 0..2 {
        backend
            .post("/api/admin/validators/refresh-status", None, json!({}))
            .await;
    }
    let (_, refreshed) = backend
        .post("/api/admin/validators/refresh-status", None, json!({}))
        .await;
    assert_eq!(refreshed["message"], "Validator status refreshed");
    assert_eq!(
        refreshed["validators"][2],
        json!({"node_id": "validator-3", "status": "unreachable"})
    );
}

#[tokio::test]
async fn the_chain_is_verified_again() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for n in 0..5 {
        assert_eq!(
            backend
                .cast(&format!("v{n}"), &format!("t{n}"), "a")
                .await
                .0,
            201
        );
    }
    let (status, verified) = backend
        .post(
            "/api/votes/verify-blockchain?election_id=1",
            None,
            json!({}),
        )
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        verified,
        json!({
            "election_id": 1, "valid": true, "source": "poa",
            // Of each block three of its certificate, and three acks but of the newest; and one of each
            // transaction: 5 ballots after 9 that set them up.
            "checked": {"blocks": FIRST_BLOCKS + 5, "signatures": 3 * (FIRST_BLOCKS + 5) + 24 + 14, "ballots": 5},
            "height": FIRST_BLOCKS + 5, "validators_agreeing": 3, "problems": [],
            "lies": [],
        })
    );
}

#[tokio::test]
async fn metrics_count_submissions() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    backend.cast("alice", "t1", "a").await;
    let url = format!("{}/metrics", backend.url);
    let text = backend
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.contains("tabella_backend_submissions_total{answer=\"confirmed\"}"));
    assert!(text.contains("tabella_backend_validators 3\n"), "{text}");
    assert!(text.contains("tabella_backend_database_healthy 1\n"));
}

#[tokio::test]
async fn opening_and_closing_changes_the_chain() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let status = |id: u64| deployment.network.elections.lock().unwrap()[&id].status;
    let (code, answer) = backend
        .post("/api/admin/elections/1/close", ADMIN, json!({}))
        .await;
    assert_eq!((code, &answer["status"]), (200, &json!("closed")));
    assert_eq!(status(1), ElectionStatus::Closed);
}

#[tokio::test]
async fn blocks_are_listed_newest_first_and_found_by_number_and_hash() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for n in 0..5 {
        backend.cast(&format!("v{n}"), &format!("t{n}"), "a").await;
    }
    let (status, page) = backend.get("/api/blocks?count=3", None).await;
    assert_eq!(status, 200);
    let numbers: Vec<_> = page["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["number"].clone())
        .collect();
    assert_eq!(numbers, [5, 4, 3].map(|n| FIRST_BLOCKS + n));
    assert_eq!(page["blocks"][0]["parent_hash"], page["blocks"][1]["hash"]);
    let hash = page["blocks"][1]["hash"].as_str().unwrap();
    let fourth = format!("/api/blocks/{}", FIRST_BLOCKS + 4);
    let (_, by_number) = backend.get(&fourth, None).await;
    assert_eq!(by_number["hash"], hash);
    assert_eq!(by_number["signatures"], json!({"count": 3, "of": 3}));
    assert_eq!(by_number["transaction_ids"].as_array().unwrap().len(), 1);
    assert_eq!(
        backend.get(&format!("/api/blocks/{hash}"), None).await.1,
        by_number
    );
    for unknown in [
        "0",
        &(FIRST_BLOCKS + 6).to_string(),
        "x",
        "18446744073709551615",
        &format!("0x{}", "0".repeat(64)),
    ] {
        let (status, problem) = backend.get(&format!("/api/blocks/{unknown}"), None).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("unknown-block")),
            "{unknown}"
        );
    }
}
