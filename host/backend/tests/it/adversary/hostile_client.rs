//! Clients that mean harm. Each is held to a named bound, and an honest voter is served meanwhile.
//!
//! All come from this machine; a trusted proxy names the addresses that they count for.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tabella_backend::{Bounds, Rate, RateLimits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::deployment::{ADMIN_TOKEN, Answer, Deployment, Running};

const STRANGER: &str = "192.0.2.1";
const OWNER: &str = "198.51.100.9";
const PATIENCE: Duration = Duration::from_secs(20);

/// A deployment behind a proxy on this machine that the configuration names.
async fn behind_a_proxy() -> Deployment {
    let mut deployment = Deployment::new().await;
    deployment.config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    deployment
}

async fn get_from(backend: &Running, address: &str, path: &str) -> reqwest::Response {
    let request = backend.http.get(format!("{}{path}", backend.url));
    let request = request.header("x-forwarded-for", address);
    request.send().await.unwrap()
}

async fn post_from(backend: &Running, address: &str, path: &str, body: &Value) -> Answer {
    let request = backend.http.post(format!("{}{path}", backend.url));
    let request = request.header("x-forwarded-for", address);
    let answer = request.json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

/// The number after a metric's name.
async fn metric(backend: &Running, name: &str) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    // While a flood's connections are cut off, an honest client's may be among them: it asks again.
    let text = loop {
        let asked = backend.http.get(format!("{}/metrics", backend.url));
        match asked.header("x-forwarded-for", OWNER).send().await {
            Ok(answer) => break answer.text().await.unwrap(),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    };
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .parse()
        .unwrap()
}

async fn until_metric(backend: &Running, name: &str, holds: impl Fn(u64) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let value = metric(backend, name).await;
        if holds(value) {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {value}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection that has sent `text`, of which nothing is read.
async fn sent(backend: &Running, text: &str) -> TcpStream {
    let address = backend.url.strip_prefix("http://").unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    // So that what is not read does not fit into this machine's buffers.
    socket.set_recv_buffer_size(64 << 10).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    // It may be cut off already.
    let _ = stream.write_all(text.as_bytes()).await;
    stream
}

fn login(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_logins_of_a_stranger_do_not_keep_an_accounts_owner_out() {
    let deployment = behind_a_proxy().await;
    let backend = deployment.start().await;
    let path = "/api/auth/register";
    let answer = post_from(&backend, OWNER, path, &login("alice", "correct horse")).await;
    assert_eq!(answer.0, 201, "{}", answer.1);
    let path = "/api/auth/login";
    let wrong = login("alice", "wrong horse");
    let guesses = join_all((0..100).map(|_| post_from(&backend, STRANGER, path, &wrong))).await;
    let checked = guesses.iter().filter(|(status, _)| *status == 401).count();
    assert!(checked <= 10, "{checked} guesses were checked");
    assert_eq!(post_from(&backend, STRANGER, path, &wrong).await.0, 429);
    // Others go on guessing while the owner logs in.
    let right = login("alice", "correct horse");
    let started = Instant::now();
    let (answer, _) = tokio::join!(
        post_from(&backend, OWNER, path, &right),
        join_all((0..100).map(|n| {
            let wrong = login(&format!("nobody-{n}"), "wrong horse");
            let backend = &backend;
            async move { post_from(backend, STRANGER, path, &wrong).await }
        })),
    );
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(post_from(&backend, OWNER, path, &right).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_everywhere_do_not_keep_an_accounts_owner_out() {
    let deployment = behind_a_proxy().await;
    let backend = deployment.start().await;
    let path = "/api/auth/register";
    post_from(&backend, OWNER, path, &login("alice", "correct horse")).await;
    let path = "/api/auth/login";
    let wrong = login("alice", "wrong horse");
    for n in 0..25 {
        let address = format!("203.0.113.{n}");
        assert_eq!(post_from(&backend, &address, path, &wrong).await.0, 401);
    }
    let right = login("alice", "correct horse");
    assert_eq!(post_from(&backend, OWNER, path, &right).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_does_not_take_all_event_streams() {
    let mut deployment = behind_a_proxy().await;
    deployment.config.event_subscribers_max = 20;
    deployment.config.event_subscribers_per_address_max = 10;
    let backend = deployment.start().await;
    let mut streams = Vec::new();
    let mut refused = 0;
    for _ in 0..30 {
        let stream = get_from(&backend, STRANGER, "/api/events").await;
        match stream.status().as_u16() {
            200 => streams.push(stream),
            status => {
                assert_eq!(status, 503);
                refused += 1;
            }
        }
    }
    assert_eq!((streams.len(), refused), (10, 20));
    assert_eq!(get_from(&backend, OWNER, "/api/events").await.status(), 200);
    drop(streams);
    until_metric(&backend, "tabella_backend_event_subscribers ", |value| {
        value <= 1
    })
    .await;
    assert_eq!(
        get_from(&backend, STRANGER, "/api/events").await.status(),
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_that_nobody_reads_are_few_and_end() {
    let mut deployment = behind_a_proxy().await;
    deployment.config.streams_max = 6;
    deployment.config.streams_per_address_max = 4;
    deployment.config.http.write_timeout_ms = 500;
    // A chain that does not fit into a socket's buffer.
    for n in 0..40 {
        deployment.commit_filling(n, 200_000);
    }
    let backend = deployment.start().await;
    let height = deployment.network.chain().blocks.len() as u64;
    until_metric(&backend, "tabella_backend_proven_height ", |value| {
        value >= height
    })
    .await;
    let path = "/api/elections/2/export";
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {STRANGER}\r\n\r\n");
    let mut unread = Vec::new();
    for _ in 0..12 {
        unread.push(sent(&backend, &request).await);
    }
    let mut refused = 0;
    for stream in &mut unread {
        let mut start = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut start))
            .await
            .unwrap()
            .unwrap();
        refused += usize::from(&start == b"HTTP/1.1 503");
    }
    assert!(refused >= 8, "only {refused} of 12 were refused");
    let streams = metric(&backend, "tabella_backend_streams ").await;
    assert!(streams <= 4, "{streams}");
    let cut_off = "tabella_backend_http_cut_off_total{bound=\"write\"}";
    until_metric(&backend, cut_off, |value| value >= 4).await;
    let export = get_from(&backend, OWNER, path).await;
    assert_eq!(export.status(), 200);
    assert!(export.text().await.unwrap().contains("\"blocks\":"));
    until_metric(&backend, "tabella_backend_streams ", |value| value == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_slow_heads_and_slow_bodies_do_not_shut_the_port() {
    let mut deployment = Deployment::new().await;
    deployment.config.http = Bounds {
        connections_max: 64,
        head_timeout_ms: 500,
        body_timeout_ms: 500,
        ..Bounds::default()
    };
    let backend = deployment.start().await;
    let mut held = Vec::new();
    for n in 0..300 {
        let text = match n % 3 {
            0 => "",
            1 => "POST /api/votes/submit HTTP/1.1\r\nho",
            _ => "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{",
        };
        held.push(sent(&backend, text).await);
    }
    let deadline = Instant::now() + PATIENCE;
    let mut cast = 0;
    while cast < 5 {
        let body = json!({
            "election_id": 1, "ballot": {"choice": "a"}, "voter_id": format!("voter-{cast}"),
        });
        let honest = reqwest::Client::new().post(format!("{}/api/votes/submit", backend.url));
        let honest = honest.bearer_auth(ADMIN_TOKEN).json(&body).send().await;
        cast += usize::from(honest.is_ok_and(|answer| answer.status() == 201));
        assert!(Instant::now() < deadline, "cast {cast}");
    }
    assert!(metric(&backend, "tabella_backend_http_connections ").await <= 64);
    assert!(
        metric(
            &backend,
            "tabella_backend_http_cut_off_total{bound=\"evicted\"}"
        )
        .await
            > 0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_answered_so() {
    let mut deployment = Deployment::new().await;
    deployment.config.http.body_timeout_ms = 200;
    let backend = deployment.start().await;
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    let mut slow = sent(&backend, head).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut answer)).await;
    let _ = read.expect("it is answered and closed");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("body-too-slow"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn costly_requests_count_as_many() {
    let mut deployment = behind_a_proxy().await;
    deployment.config.rate_limits = RateLimits {
        address: Rate {
            per_minute: 1,
            burst: 1_200,
        },
        ..RateLimits::NONE
    };
    let backend = deployment.start().await;
    let path = "/api/votes/verify-blockchain?election_id=1";
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post_from(&backend, STRANGER, path, &json!({})).await.0);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(post_from(&backend, OWNER, path, &json!({})).await.0, 200);
    let elections = get_from(&backend, STRANGER, "/api/elections").await;
    assert_eq!(elections.status(), 200, "a plain request still passes");
}

/// Pages of a board that is shown: each reads its blocks and decodes every ballot.
#[tokio::test(flavor = "multi_thread")]
async fn costly_reads_of_one_address_are_few_and_others_do_not_wait_for_them() {
    let deployment = behind_a_proxy().await;
    let backend = deployment.start().await;
    let voters: Vec<_> = (0..120)
        .map(|n| (format!("v{n}"), format!("t{n}")))
        .collect();
    let cast = join_all(voters.iter().map(|(v, t)| backend.cast(v, t, "a"))).await;
    assert!(cast.iter().all(|(status, _)| [201, 202].contains(status)));
    let close = "/api/admin/elections/1/close";
    assert_eq!(
        backend.post(close, Some(ADMIN_TOKEN), json!({})).await.0,
        200
    );
    backend.counted(1).await;
    let page = "/api/elections/1/board?count=500";
    let flood = join_all((0..600).map(|_| async {
        let answer = get_from(&backend, STRANGER, page).await;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["code"] == "too-many-reads")
    }));
    let owner = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..5 {
            let started = Instant::now();
            assert_eq!(get_from(&backend, OWNER, page).await.status(), 200);
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    let (answers, slowest) = tokio::join!(flood, owner);
    let read = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers
        .iter()
        .filter(|answer| **answer == (429, true))
        .count();
    assert_eq!(read + refused, answers.len());
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_verified_once_for_all_who_ask_at_the_same_time() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let path = "/api/votes/verify-blockchain?election_id=1";
    let all = join_all((0..60).map(|_| backend.post(path, None, json!({})))).await;
    for (status, answer) in &all {
        assert_eq!(*status, 200, "{answer}");
        assert_eq!(answer, &all[0].1);
    }
    // One run for all; another where those who came last did not come within the pause.
    let runs = metric(&backend, "tabella_backend_verifications_total ").await;
    assert!((1..=2).contains(&runs), "{runs} runs for 60 askers");
    let missing = "/api/votes/verify-blockchain?election_id=99";
    assert_eq!(backend.post(missing, None, json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_the_validators_are_shared() {
    let mut deployment = Deployment::new().await;
    // No checks but those that are asked for.
    deployment.config.health_period_ms = 600_000;
    let backend = deployment.start().await;
    let path = "/api/admin/validators/refresh-status";
    let asked = deployment.nodes[0].status_calls();
    let all = join_all((0..60).map(|_| backend.post(path, None, json!({})))).await;
    assert!(all.iter().all(|(status, _)| *status == 200));
    // One look for the first who asked, and one for the others; a few more where the machine is slow.
    let looks = deployment.nodes[0].status_calls() - asked;
    assert!((1..10).contains(&looks), "{looks} looks for 60 requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voters_ballots_are_bounded_and_a_repetition_is_no_new_one() {
    let mut deployment = Deployment::new().await;
    deployment.config.rate_limits.revotes = Rate {
        per_minute: 1,
        burst: 3,
    };
    deployment.open_election(3);
    let backend = deployment.start().await;
    let cast = async |voter: &str, id: String| {
        let body = json!({
            "election_id": 3, "ballot": {"choice": "a"}, "voter_id": voter, "transaction_id": id,
        });
        backend
            .post("/api/votes/submit", Some(ADMIN_TOKEN), body)
            .await
    };
    for n in 0..3 {
        let (status, answer) = cast("alice", format!("a{n}")).await;
        assert_eq!(status, 201, "{answer}");
    }
    let (status, problem) = cast("alice", "a3".into()).await;
    assert_eq!(
        (status, &problem["code"]),
        (429, &json!("too-many-ballots"))
    );
    let (status, answer) = cast("alice", "a2".into()).await;
    assert_eq!(status, 200, "a repetition is answered as before: {answer}");
    assert_eq!(cast("bob", "b0".into()).await.0, 201);
}
