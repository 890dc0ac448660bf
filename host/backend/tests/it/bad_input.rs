//! What comes in wrong gets a clear problem with a stable code; nothing is recorded, nothing fails.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::deployment::{ADMIN_TOKEN, Deployment, Running};

fn line(status: u16, problem: &Value) -> String {
    let pointer = problem.get("pointer").and_then(Value::as_str);
    let pointer = pointer.map_or(String::new(), |pointer| format!(" at {pointer:?}"));
    assert_eq!(problem["status"], status);
    format!(
        "{status} {}{pointer}: {}",
        problem["code"].as_str().unwrap(),
        problem["detail"].as_str().unwrap()
    )
}

async fn submit(backend: &Running, body: String) -> String {
    let (status, problem) = backend
        .post_text("/api/votes/submit", Some(ADMIN_TOKEN), body)
        .await;
    line(status, &problem)
}

/// Submits each body; compares the answers, and that nothing was recorded.
async fn check(bodies: Vec<String>, expected: Expect) {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let included = deployment.network.chain().included.len();
    let mut lines = String::new();
    for body in bodies {
        lines.push_str(&submit(&backend, body).await);
        lines.push('\n');
    }
    expected.assert_eq(&lines);
    assert_eq!(deployment.network.chain().included.len(), included);
    let (_, ready) = backend.get("/health/ready", None).await;
    assert_eq!(ready["pending_submissions"], 0);
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201, "still works");
}

fn with(change: impl FnOnce(&mut Value)) -> String {
    let mut body = json!({
        "election_id": 1,
        "ballot": {"choice": "a"},
        "voter_id": "alice",
        "transaction_id": "t1",
    });
    change(&mut body);
    body.to_string()
}

fn set(name: &str, value: Value) -> String {
    with(|body| body[name] = value)
}

#[tokio::test]
async fn malformed_requests() {
    check(
        vec![
            String::new(),
            "{".into(),
            "[]".into(),
            "\u{0}\u{1}garbage".into(),
            format!("{}{}", "[".repeat(100_000 / 2), "]".repeat(10)),
            "x".repeat(tabella_backend::BODY_BYTES_MAX + 1),
            set("surprise", json!(1)),
            set("election_id", json!("1")),
            set("election_id", json!(-1)),
            set("election_id", json!(1.5)),
            set("transaction_id", json!("")),
            set("transaction_id", json!("with space")),
            set("transaction_id", json!("x".repeat(129))),
            set("transaction_id", json!(format!("0x{}", "a".repeat(64)))),
            set("voter_id", json!("")),
            set("voter_id", json!("x".repeat(257))),
            with(|body| {
                body.as_object_mut().unwrap().remove("voter_id");
            }),
            with(|body| {
                body.as_object_mut().unwrap().remove("ballot");
            }),
            set("encrypted_vote", json!("AAAA")),
            with(|body| {
                body.as_object_mut().unwrap().remove("ballot");
                body["encrypted_vote"] = json!("not base64!");
            }),
            set("credential", json!(format!("0x{}", "a".repeat(64)))),
            set("signature", json!("0x00")),
        ],
        expect![[r#"
            400 malformed-json: EOF while parsing a value at line 1 column 0
            400 malformed-json: EOF while parsing an object at line 1 column 1
            400 invalid-request: expected a JSON object, got an array
            400 malformed-json: expected value at line 1 column 1
            400 invalid-request: expected a JSON object, got an array
            413 body-too-large: the body is larger than this path accepts
            400 invalid-request at "/surprise": unknown field `surprise`, expected one of `election_id`, `ballot`, `encrypted_vote`, `transaction_id`, `voter_id`, `credential`, `signature`, `nonce`, `sequence`, `expiry_height`
            400 invalid-request at "/election_id": invalid type: string "1", expected u64
            400 invalid-request at "/election_id": invalid value: integer `-1`, expected u64
            400 invalid-request at "/election_id": invalid type: floating point `1.5`, expected u64
            400 invalid-request at "/transaction_id": expected a transaction_id of 1 to 128 printable characters without spaces, not shaped like the chain's own ids
            400 invalid-request at "/transaction_id": expected a transaction_id of 1 to 128 printable characters without spaces, not shaped like the chain's own ids
            400 invalid-request at "/transaction_id": expected a transaction_id of 1 to 128 printable characters without spaces, not shaped like the chain's own ids
            400 invalid-request at "/transaction_id": expected a transaction_id of 1 to 128 printable characters without spaces, not shaped like the chain's own ids
            400 invalid-request at "/voter_id": expected a voter id of 1 to 256 bytes, got one of 0
            400 invalid-request at "/voter_id": expected a voter id of 1 to 256 bytes, got one of 257
            400 invalid-request at "/voter_id": expected a voter_id, because this token is not a voter's
            400 invalid-request at "": expected ballot, or encrypted_vote in its place
            400 invalid-request at "": expected ballot, or encrypted_vote in its place
            400 invalid-request at "/encrypted_vote": expected base64
            400 invalid-request at "": expected credential and signature together
            400 invalid-request at "/signature": expected 0x and 128 lowercase hex digits, got "0x00"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn refused_ballots() {
    let ballots = [
        json!(null),
        json!(5),
        json!({}),
        json!({"choice": "nobody"}),
        json!({"choice": 1}),
        json!({"choice": "a", "extra": true}),
        json!({"choices": ["a", "b"]}),
        json!({"choices": ["a", "a"]}),
        json!({"ranking": ["a"]}),
    ];
    check(
        ballots
            .into_iter()
            .map(|ballot| set("ballot", ballot))
            .collect(),
        expect![[r#"
            400 invalid-request at "": expected ballot, or encrypted_vote in its place
            422 ballot-malformed at "/ballot": expected a ballot such as {"choice": "…"}
            422 ballot-malformed at "/ballot": expected a ballot such as {"choice": "…"}
            422 ballot-malformed at "/ballot/choice": "nobody" is not an option of this contest
            422 ballot-malformed at "/ballot/choice": expected an option id, found 1
            422 ballot-malformed at "/ballot/extra": unknown member; a ballot looks like {"choice": "…"}
            422 ballot-refused at "/ballot": mark at most 1 option, not 2
            422 ballot-malformed at "/ballot/choices/1": "a" is named twice
            422 ballot-malformed at "/ballot/ranking": unknown member; a ballot looks like {"choice": "…"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn elections_that_take_no_ballots() {
    let elections = [0, 2, 3, 4, 99, u64::MAX];
    check(
        elections.map(|id| set("election_id", json!(id))).into(),
        expect![[r#"
            404 unknown-election: there is no election 0
            409 election-closed: election 2 is closed
            409 election-not-open: election 3 is not open yet
            403 credential-required: voters of election 4 sign their own ballots; send credential and signature
            404 unknown-election: there is no election 99
            404 unknown-election: there is no election 18446744073709551615
        "#]],
    )
    .await;
}

#[tokio::test]
async fn tokens_that_are_none() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let good = backend.voter_token("alice").await;
    let mut forged = good.clone();
    forged.replace_range(forged.len() - 2.., "AA");
    let mut lines = String::new();
    for header in [
        None,
        Some(String::new()),
        Some("Basic YTpi".into()),
        Some("Bearer".into()),
        Some("Bearer x".into()),
        Some(format!("Bearer {forged}")),
        Some(format!("Bearer {}", "x".repeat(5_000))),
    ] {
        let mut request = backend
            .http
            .get(format!("{}/api/auth/profile", backend.url));
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        let status = response.status().as_u16();
        let problem: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        lines.push_str(&line(status, &problem));
        lines.push('\n');
    }
    expect![[r#"
        401 token-missing: expected the header authorization: Bearer with a token
        401 token-malformed: expected authorization: Bearer with a token
        401 token-malformed: expected authorization: Bearer with a token
        401 token-malformed: expected authorization: Bearer with a token
        401 token-invalid: the token is not one that this backend issued
        401 token-invalid: the token is not one that this backend issued
        401 token-invalid: the token is not one that this backend issued
    "#]]
    .assert_eq(&lines);
}

#[tokio::test]
async fn queries_and_paths() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let mut lines = String::new();
    for path in [
        "/nowhere",
        "/api",
        "/api/votes",
        "/api/votes/submit",
        "/api/votes/results",
        "/api/votes/results?election_id=x",
        "/api/votes/results?election_id=1&more=1",
        "/api/votes/results?election_id=99",
        "/api/votes/transaction-status",
        "/api/votes/transaction-status?transaction_id=unknown",
        "/api/votes/receipt?transaction_id=unknown",
        "/api/elections/x",
        "/api/elections/99",
        "/api/elections?status=sometimes",
        "/api/plugins/x",
        "/api/plugins/0000000000000000000000000000000000000000000000000000000000000000",
    ] {
        let (status, problem) = backend.get(path, None).await;
        lines.push_str(&format!("{path}: {}\n", line(status, &problem)));
    }
    expect![[r#"
        /nowhere: 404 not-found: there is no such path
        /api: 404 not-found: there is no such path
        /api/votes: 404 not-found: there is no such path
        /api/votes/submit: 405 method-not-allowed: this path does not answer to this method
        /api/votes/results: 400 invalid-query: missing field `election_id`
        /api/votes/results?election_id=x: 400 invalid-query: election_id: invalid digit found in string
        /api/votes/results?election_id=1&more=1: 400 invalid-query: more: unknown field `more`, expected `election_id`
        /api/votes/results?election_id=99: 404 unknown-election: there is no election 99
        /api/votes/transaction-status: 400 invalid-query: missing field `transaction_id`
        /api/votes/transaction-status?transaction_id=unknown: 401 token-missing: this transaction_id is a name within its voter: send the voter's token, or ask by the chain_transaction_id
        /api/votes/receipt?transaction_id=unknown: 401 token-missing: this transaction_id is a name within its voter: send the voter's token, or ask by the chain_transaction_id
        /api/elections/x: 404 not-found: Invalid URL: Cannot parse `x` to a `u64`
        /api/elections/99: 404 unknown-election: there is no election 99
        /api/elections?status=sometimes: 400 invalid-query: status: unknown variant `sometimes`, expected one of `open`, `upcoming`, `closed`
        /api/plugins/x: 404 unknown-plugin: no plugin with this sha256 has been published
        /api/plugins/0000000000000000000000000000000000000000000000000000000000000000: 404 unknown-plugin: no plugin with this sha256 has been published
    "#]].assert_eq(&lines);
}

#[tokio::test]
async fn a_request_id_is_echoed_or_given() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let ask = async |id: &str| {
        let request = backend.http.get(format!("{}/health/live", backend.url));
        let response = request.header("x-request-id", id).send().await.unwrap();
        response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask("mine-1").await, "mine-1");
    let too_long = "x".repeat(200);
    assert_ne!(ask(&too_long).await, too_long);
    assert_ne!(ask("with space").await, "with space");
}

#[tokio::test]
async fn a_secret_that_others_can_read_stops_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let deployment = Deployment::new().await;
    let path = deployment.path().join("admin-token");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = tabella_backend::Backend::bind(deployment.config.clone()).await;
    let Err(error) = refused else {
        panic!("expected a refusal");
    };
    assert!(error.to_string().contains("chmod 600"), "{error}");
}
