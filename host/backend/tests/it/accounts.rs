//! Accounts and tokens.

use serde_json::{Value, json};
use tabella_backend::{Registration, Role};

use crate::deployment::{ADMIN_TOKEN, Answer, Deployment, Running, open_to_accounts};

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
    deployment.create_election(open_to_accounts()).await;
    let backend = deployment.start().await;
    let open = "/api/admin/elections/5/open";
    assert_eq!(
        backend.post(open, Some(ADMIN_TOKEN), json!({})).await.0,
        200
    );
    let (status, answer) = register(&backend, "alice").await;
    assert_eq!((status, &answer["role"]), (201, &json!("voter")));
    let (status, problem) = register(&backend, "alice").await;
    assert_eq!((status, &problem["code"]), (409, &json!("username-taken")));

    let (status, answer) = login(&backend, "alice", "correct horse").await;
    assert_eq!(status, 200);
    let access = token(&answer, "access_token");
    let (_, profile) = backend.get("/api/auth/profile", Some(access)).await;
    assert_eq!(profile["username"], "alice");
    assert!(profile["created_at"].is_string(), "{profile}");
    // Tokens of nobody's account have nothing of one that bears the same name.
    assert_eq!(register(&backend, "admin").await.0, 201);
    let minted = backend.voter_token("alice").await;
    for (token, name) in [(ADMIN_TOKEN, "admin"), (minted.as_str(), "alice")] {
        let (_, profile) = backend.get("/api/auth/profile", Some(token)).await;
        assert_eq!(profile["username"], name);
        assert_eq!(profile["created_at"], json!(null));
    }
    let body = json!({"election_id": 5, "ballot": {"choice": "a"}});
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

async fn refresh(backend: &Running, refresh_token: &str) -> Answer {
    let body = json!({"refresh_token": refresh_token});
    backend.post("/api/auth/refresh", None, body).await
}

async fn profile(backend: &Running, access_token: &str) -> Answer {
    backend.get("/api/auth/profile", Some(access_token)).await
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_the_session() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, answer) = register(&backend, "alice").await;
    let first = token(&answer, "refresh_token");
    let (status, renewed) = refresh(&backend, first).await;
    assert_eq!(status, 200);
    let access = token(&renewed, "access_token");
    assert_eq!(profile(&backend, access).await.0, 200);
    // Neither kind passes for the other.
    let second = token(&renewed, "refresh_token");
    assert_eq!(profile(&backend, second).await.0, 401);
    assert_eq!(refresh(&backend, access).await.0, 401);

    let (_, elsewhere) = login(&backend, "alice", "correct horse").await;
    let (status, problem) = refresh(&backend, first).await;
    assert_eq!((status, &problem["code"]), (401, &json!("token-reused")));
    for spent in [first, second] {
        let (status, problem) = refresh(&backend, spent).await;
        assert_eq!((status, &problem["code"]), (401, &json!("token-revoked")));
    }
    let (status, problem) = profile(&backend, access).await;
    assert_eq!((status, &problem["code"]), (401, &json!("token-revoked")));
    let other = token(&elsewhere, "access_token");
    assert_eq!(profile(&backend, other).await.0, 200, "another session");
}

#[tokio::test]
async fn many_refreshes_at_once_bring_at_most_one_pair() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, answer) = register(&backend, "alice").await;
    let first = token(&answer, "refresh_token");
    let answers = futures::future::join_all((0..20).map(|_| refresh(&backend, first))).await;
    let renewed = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(renewed, 1);
}

#[tokio::test]
async fn logging_out_ends_every_token_of_the_session() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (_, answer) = register(&backend, "alice").await;
    let (access, old) = (
        token(&answer, "access_token"),
        token(&answer, "refresh_token"),
    );
    let logout = async |refresh_token: &str| {
        let request = backend
            .http
            .post(format!("{}/api/auth/logout", backend.url));
        let body = json!({"refresh_token": refresh_token}).to_string();
        request.body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(logout(access).await, 401, "it takes the refresh token");
    assert_eq!(logout(old).await, 204);
    assert_eq!(logout(old).await, 204, "again changes nothing");
    assert_eq!(profile(&backend, access).await.0, 401);
    assert_eq!(refresh(&backend, old).await.0, 401);
    backend.stop().await;
    let backend = deployment.start().await;
    assert_eq!(
        profile(&backend, access).await.0,
        401,
        "nor after a restart"
    );
    assert_eq!(refresh(&backend, old).await.0, 401);
}

#[tokio::test]
async fn administrators_create_accounts_and_change_roles() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let create = async |token: &str, username: &str, role: &str| {
        let body = json!({"username": username, "password": "correct horse", "role": role});
        let answer = backend.post("/api/admin/accounts", Some(token), body);
        answer.await
    };
    let (status, account) = create(ADMIN_TOKEN, "carol", "admin").await;
    assert_eq!((status, &account["role"]), (201, &json!("admin")));
    let (status, problem) = create(ADMIN_TOKEN, "carol", "auditor").await;
    assert_eq!((status, &problem["code"]), (409, &json!("username-taken")));
    assert_eq!(create(ADMIN_TOKEN, "dave", "emperor").await.0, 400);

    let (_, answer) = login(&backend, "carol", "correct horse").await;
    let carol = token(&answer, "access_token");
    assert_eq!(create(carol, "audrey", "auditor").await.0, 201);
    let (_, answer) = login(&backend, "audrey", "correct horse").await;
    let audrey = token(&answer, "access_token");
    let audits = "/api/admin/reconciliation";
    assert_eq!(backend.get(audits, Some(audrey)).await.0, 200);
    assert_eq!(create(audrey, "eve", "admin").await.0, 403);

    // A role holds from now on, for tokens from before too.
    let set_role = async |token: &str, username: &str, role: &str| {
        let path = format!("/api/admin/accounts/{username}/role");
        backend
            .post(&path, Some(token), json!({"role": role}))
            .await
    };
    assert_eq!(set_role(audrey, "audrey", "admin").await.0, 403);
    let (status, account) = set_role(ADMIN_TOKEN, "carol", "voter").await;
    assert_eq!((status, &account["role"]), (200, &json!("voter")));
    assert_eq!(create(carol, "eve", "admin").await.0, 403);
    let (status, problem) = set_role(ADMIN_TOKEN, "nobody", "admin").await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown-account")));
}

#[tokio::test]
async fn the_first_administrator_is_created_before_the_backend_runs() {
    let deployment = Deployment::new().await;
    let create = async |username: &str, password: &str| {
        let (username, password) = (username.to_owned(), password.to_owned());
        tabella_backend::create_account(deployment.config.clone(), username, password, Role::Admin)
            .await
    };
    create("alice", "correct horse").await.unwrap();
    let error = create("alice", "correct horse").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the username \"alice\" is taken; choose another"
    );
    assert!(create("bob", "short").await.is_err());
    let backend = deployment.start().await;
    let error = create("bob", "correct horse").await.unwrap_err();
    assert!(error.is_database_in_use(), "{error}");
    let (status, answer) = login(&backend, "alice", "correct horse").await;
    assert_eq!((status, &answer["role"]), (200, &json!("admin")));
}

/// The median of the times that a wrong login takes.
async fn median(backend: &Running, username: &str) -> std::time::Duration {
    let mut times = Vec::new();
    for _ in 0..9 {
        let started = std::time::Instant::now();
        assert_eq!(login(backend, username, "wrong horse").await.0, 401);
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn how_long_a_login_takes_tells_no_account() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    register(&backend, "alice").await;
    let (known, unknown) = (
        median(&backend, "alice").await,
        median(&backend, "nobody").await,
    );
    // Without a hash an answer takes a hundredth of it; a busy machine makes at most a few times.
    let (less, more) = (known.min(unknown), known.max(unknown));
    assert!(more < less * 5, "known {known:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn names_that_would_be_code_elsewhere_are_names_or_refused() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for name in [
        "' OR '1'='1",
        "alice'; DROP TABLE accounts; --",
        "../../etc/passwd",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        "alice\u{0}",
        "alice\r\nx-role: admin",
        "a\u{202e}ecila",
    ] {
        let (status, problem) = register(&backend, name).await;
        assert_eq!(
            (status, &problem["pointer"]),
            (400, &json!("/username")),
            "{name}"
        );
        assert_eq!(
            login(&backend, name, "correct horse").await.0,
            401,
            "{name}"
        );
        // A registrar's voter ids are any text that can be seen; they are hashed, and nothing else becomes of
        // them.
        if name.contains(['\0', '\r', '\u{202e}']) {
            continue;
        }
        let token = backend.voter_token(name).await;
        let (_, profile) = profile(&backend, &token).await;
        assert_eq!(
            (&profile["username"], &profile["realm"]),
            (&json!(name), &json!("registrar"))
        );
        let path = "/api/votes/status?election_id=1";
        let (status, voted) = backend.get(path, Some(&token)).await;
        assert_eq!(
            (status, &voted["has_voted"]),
            (200, &json!(false)),
            "{name}"
        );
    }
    for id in ["'%20OR%201=1", "%00", "..%2f..%2fbackend.redb", "%ff"] {
        let path = format!("/api/votes/transaction-status?transaction_id={id}");
        let (status, _) = backend.get(&path, Some(ADMIN_TOKEN)).await;
        assert!(matches!(status, 400 | 404), "{id}");
    }
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
