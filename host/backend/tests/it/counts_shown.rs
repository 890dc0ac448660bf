//! `counts_shown: at_close`: before its close an election shows no ballot here.

use serde_json::{Value, json};

use crate::deployment::{ADMIN_TOKEN, Deployment, Running, registrar_roll};

async fn board(backend: &Running) -> Vec<Value> {
    let path = "/api/elections/1/board";
    let (status, page) = backend.get(path, None).await;
    assert_eq!(status, 200, "{page}");
    let lines = backend
        .http
        .get(format!("{}{path}", backend.url))
        .header("accept", "application/x-ndjson");
    let lines = lines.send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(page["items"], Value::from(lines.clone()));
    lines
}

#[tokio::test]
async fn the_board_of_an_open_election_shows_no_ballot_before_its_close() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    let (_, election) = backend.get("/api/elections/1", None).await;
    assert_eq!(election["counts_shown"], "at_close");
    assert_eq!(election["disclosure"], "at_close");
    let before = board(&backend).await;
    assert_eq!(before.len(), 1);
    assert_eq!(
        (&before[0]["ballots"], &before[0]["plain"]),
        (&json!([]), &json!([]))
    );

    let close = "/api/admin/elections/1/close";
    let (status, answer) = backend.post(close, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let after = board(&backend).await;
    assert_eq!(after[0]["plain"], json!([{"choice": "a"}]));
    assert_eq!(after[0]["ballots"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_election_says_when_it_shows_counts_by_either_name() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for name in ["counts_shown", "disclosure"] {
        let mut statement = json!({
            "title": "T",
            "contests": [{"id": "c", "rule": "plurality", "options": [{"id": "a"}, {"id": "b"}]}],
        });
        statement[name] = json!("live");
        let path = "/api/admin/elections";
        let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
        assert_eq!(status, 201, "{created}");
        let path = format!("/api/elections/{}", created["election_id"]);
        let (_, election) = backend.get(&path, None).await;
        assert_eq!(election["counts_shown"], "live", "{name}");
        assert_eq!(election["disclosure"], "live", "{name}");
    }
}

/// A name within its voter is another's name, too: who kept one voter's answer must not give it to others.
#[tokio::test]
async fn a_receipt_by_a_voters_own_name_is_for_no_shared_cache() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    let alice = backend.voter_token("alice").await;
    let body = json!({"election_id": 1, "transaction_id": "t1", "ballot": {"choice": "a"}});
    let (status, answer) = backend.post("/api/votes/submit", Some(&alice), body).await;
    assert_eq!(status, 201, "{answer}");
    let ask = async |id: &str, token: Option<&str>| {
        let url = format!("{}/api/votes/receipt?transaction_id={id}", backend.url);
        let mut request = backend.http.get(url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let text = |name: &str| {
            let values = answer.headers().get_all(name).into_iter();
            let values: Vec<&str> = values.map(|value| value.to_str().unwrap()).collect();
            values.join(", ")
        };
        (text("cache-control"), text("vary"))
    };
    let (cache, vary) = ask("t1", Some(&alice)).await;
    assert_eq!(cache, "private, no-cache");
    assert!(vary.contains("authorization"), "{vary}");
    // The chain's id is one ballot's alone.
    let chain_id = answer["chain_transaction_id"].as_str().unwrap();
    let (cache, _) = ask(chain_id, None).await;
    assert!(!cache.contains("private"), "{cache}");
}

#[tokio::test]
async fn a_rule_that_compares_options_shows_how_each_did_against_each() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    let wasm = tabella_plugins::get("schulze").unwrap().wasm;
    let published = backend
        .http
        .post(format!("{}/api/admin/plugins", backend.url))
        .bearer_auth(ADMIN_TOKEN)
        .header("content-type", "application/wasm")
        .body(wasm);
    assert_eq!(published.send().await.unwrap().status(), 201);
    let statement = json!({
        "title": "T",
        "counts_shown": "live",
        "contests": [{"id": "c", "rule": "schulze", "options": [{"id": "a"}, {"id": "b"}]}],
    });
    let path = "/api/admin/elections";
    let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
    assert_eq!(status, 201, "{created}");
    let id = created["election_id"].as_u64().unwrap();
    let open = format!("/api/admin/elections/{id}/open");
    assert_eq!(
        backend.post(&open, Some(ADMIN_TOKEN), json!({})).await.0,
        200
    );
    let body = json!({
        "election_id": id, "voter_id": "v", "transaction_id": "t", "ballot": {"ranking": ["b", "a"]},
    });
    let (status, cast) = backend
        .post("/api/votes/submit", Some(ADMIN_TOKEN), body)
        .await;
    assert_eq!(status, 201, "{cast}");
    let path = format!("/api/votes/results?election_id={id}");
    let (_, results) = backend.get(&path, None).await;
    let expected = json!({"a": {"b": 0}, "b": {"a": 1}});
    assert_eq!(results["contests"][0]["pairwise"], expected, "{results}");

    // Other rules have no such table.
    let (_, results) = backend.get("/api/votes/results?election_id=2", None).await;
    assert!(
        results["contests"][0].get("pairwise").is_none(),
        "{results}"
    );
}

/// Two ballots that weigh three: neither option has all of them.
#[tokio::test]
async fn percentages_are_of_what_the_ballots_weigh() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let roll = format!("{}/api/admin/elections/5/roll", backend.url);
    let roll = backend.http.post(roll).bearer_auth(ADMIN_TOKEN);
    let roll = roll.header("content-type", "text/csv");
    let answer = roll.body("voter_id,weight\nalice,2\nbob,1\n").send().await;
    assert_eq!(answer.unwrap().status(), 200);
    deployment.open_election(5);
    for (voter, choice) in [("alice", "a"), ("bob", "b")] {
        let body = json!({
            "election_id": 5, "ballot": {"choice": choice}, "voter_id": voter, "transaction_id": voter,
        });
        let (status, answer) = backend
            .post("/api/votes/submit", Some(ADMIN_TOKEN), body)
            .await;
        assert_eq!(status, 201, "{answer}");
    }
    deployment.close(5);
    let results = backend.counted(5).await;
    assert_eq!(results["total_votes"], 2);
    let options = results["contests"][0]["options"].as_array().unwrap();
    let shown = options
        .iter()
        .map(|option| (&option["votes"], &option["percentage"]));
    let expected = [(&json!(2), &json!(66.67)), (&json!(1), &json!(33.33))];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}
