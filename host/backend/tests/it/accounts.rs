//! Accounts and tokens.

use serde_json::{Value, json};
use tabella_backend::Registration;

use crate::deployment::{ADMIN_TOKEN, Answer, Deployment, Running};

async fn register(backend: &Running, username: &str) -> Answer {
    let body = json!({"username": username, "password": "correct horse"});
    backend.post("/api/auth/register", None, body).await
}

async fn login(backend: &Running, username: &str, password: &str) -> Answer {
    let body = json!({"username": username, "password": password});
    backend.post("/api/auth/login", None, body).await
}

fn token<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap()
}

#[tokio::test]
async fn a_registered_voter_logs_in_and_votes() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (status, answer) = register(&backend, "alice").await;
    assert_eq!((status, &answer["role"]), (201, &json!("voter")));
    let (status, problem) = register(&backend, "alice").await;
    assert_eq!((status, &problem["code"]), (409, &json!("username-taken")));

    let (status, answer) = login(&backend, "alice", "correct horse").await;
    assert_eq!(status, 200);
    let access = token(&answer, "access_token");
    let (_, profile) = backend.get("/api/auth/profile", Some(access)).await;
    assert_eq!(profile["username"], "alice");
    let body = json!({"election_id": 1, "ballot": {"choice": "a"}});
    let (status, _) = backend.post("/api/votes/submit", Some(access), body).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_answer_alike() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    register(&backend, "alice").await;
    let wrong = login(&backend, "alice", "wrong horse").await;
    let unknown = login(&backend, "nobody", "wrong horse").await;
    let impossible = login(&backend, "no body\u{0}", "x").await;
    assert_eq!(wrong.0, 401);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, impossible);
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, answer) = register(&backend, "alice").await;
    let refresh = token(&answer, "refresh_token");
    let body = json!({"refresh_token": refresh});
    let (status, renewed) = backend.post("/api/auth/refresh", None, body.clone()).await;
    assert_eq!(status, 200);
    let (status, problem) = backend.post("/api/auth/refresh", None, body).await;
    assert_eq!((status, &problem["code"]), (401, &json!("token-invalid")));
    let access = token(&renewed, "access_token");
    assert_eq!(backend.get("/api/auth/profile", Some(access)).await.0, 200);
    // Neither kind passes for the other.
    let (status, _) = backend.get("/api/auth/profile", Some(refresh)).await;
    assert_eq!(status, 401);
    let body = json!({"refresh_token": access});
    assert_eq!(backend.post("/api/auth/refresh", None, body).await.0, 401);
}

#[tokio::test]
async fn accounts_outlive_a_restart() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, answer) = register(&backend, "alice").await;
    let access = token(&answer, "access_token").to_owned();
    backend.stop().await;
    let backend = deployment.start().await;
    assert_eq!(backend.get("/api/auth/profile", Some(&access)).await.0, 200);
    assert_eq!(login(&backend, "alice", "correct horse").await.0, 200);
}

#[tokio::test]
async fn registration_can_be_closed() {
    let mut deployment = Deployment::new().await;
    deployment.config.registration = Registration::Closed;
    let backend = deployment.start().await;
    let (status, problem) = register(&backend, "alice").await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!("registration-closed"))
    );
}

#[tokio::test]
async fn voters_do_not_administer() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let voter = backend.voter_token("alice").await;
    for path in [
        "/api/admin/elections/1/open",
        "/api/admin/elections/1/close",
        "/api/admin/elections/1/roll",
        "/api/admin/plugins",
    ] {
        let (status, problem) = backend.post(path, Some(&voter), json!({})).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("forbidden")),
            "{path}"
        );
        assert_eq!(backend.post(path, None, json!({})).await.0, 401, "{path}");
    }
    let body = json!({"voter_ids": ["mallory"]});
    let (status, _) = backend
        .post("/api/admin/voter-tokens", Some(&voter), body)
        .await;
    assert_eq!(status, 403);
    let body = json!({"election_id": 1, "ballot": {"choice": "a"}, "voter_id": "bob"});
    let (status, problem) = backend.post("/api/votes/submit", Some(&voter), body).await;
    assert_eq!(
        (status, &problem["code"]),
        (403, &json!("cast-for-required"))
    );
    let almost = format!("{ADMIN_TOKEN}x");
    let (status, _) = backend.get("/api/auth/profile", Some(&almost)).await;
    assert_eq!(status, 401);
}
