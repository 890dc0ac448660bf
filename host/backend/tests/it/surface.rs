//! What every answer carries: limits, other origins, compression, tags, headers.

use std::{net::SocketAddr, time::Duration};

use reqwest::Method;
use serde_json::json;
use tabella_backend::{Rate, RateLimits};

use crate::deployment::{ADMIN_TOKEN, Deployment, Running};

fn rate(per_minute: u32, burst: u32) -> Rate {
    Rate { per_minute, burst }
}

async fn raw(
    backend: &Running,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> reqwest::Response {
    let mut request = backend
        .http
        .request(method, format!("{}{path}", backend.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn an_address_behind_a_trusted_proxy_is_limited_and_others_are_not() {
    let mut deployment = Deployment::new().await;
    deployment.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    deployment.config.rate_limits.address = rate(1, 3);
    let backend = deployment.start().await;
    let ask = async |client: &str, path: &str| {
        let headers = [("x-forwarded-for", client)];
        raw(&backend, Method::GET, path, &headers).await
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1", "/api/elections").await.status(), 200);
    }
    let refused = ask("192.0.2.1", "/api/elections").await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(
        header(&refused, "content-type"),
        Some("application/problem+json")
    );
    assert!(header(&refused, "x-request-id").is_some());
    let problem: serde_json::Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(problem["code"], "too-many-requests");
    // What a client says of itself before the proxy adds what it saw changes nothing.
    let lied = ask("198.51.100.7, 192.0.2.1", "/api/elections").await;
    assert_eq!(lied.status(), 429);
    assert_eq!(ask("192.0.2.2", "/api/elections").await.status(), 200);
    assert_eq!(ask("192.0.2.1", "/health/live").await.status(), 200);
    let metrics = ask("192.0.2.1", "/metrics").await.text().await.unwrap();
    assert!(
        metrics.contains("tabella_backend_rate_limited_total"),
        "{metrics}"
    );
}

#[tokio::test]
async fn without_a_trusted_proxy_this_machine_is_not_limited() {
    let mut deployment = Deployment::new().await;
    deployment.config.rate_limits.address = rate(1, 1);
    let backend = deployment.start().await;
    for _ in 0..5 {
        let headers = [("x-forwarded-for", "192.0.2.1")];
        let response = raw(&backend, Method::GET, "/api/elections", &headers).await;
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_voter_is_limited_and_an_administrator_is_not() {
    let mut deployment = Deployment::new().await;
    deployment.config.rate_limits = RateLimits {
        account: rate(1, 2),
        ..RateLimits::NONE
    };
    let backend = deployment.start().await;
    let (alice, bob) = (
        backend.voter_token("alice").await,
        backend.voter_token("bob").await,
    );
    let mut statuses = Vec::new();
    for token in [&alice, &alice, &alice, &bob] {
        statuses.push(backend.get("/api/auth/profile", Some(token)).await.0);
    }
    assert_eq!(statuses, [200, 200, 429, 200]);
    for _ in 0..5 {
        assert_eq!(
            backend.get("/api/auth/profile", Some(ADMIN_TOKEN)).await.0,
            200
        );
    }
}

#[tokio::test]
async fn wrong_logins_into_one_account_are_limited_whether_it_exists_or_not() {
    let mut deployment = Deployment::new().await;
    deployment.config.rate_limits = RateLimits {
        account_logins: rate(1, 2),
        ..RateLimits::NONE
    };
    let backend = deployment.start().await;
    // A proxy on this machine that nobody named is believed as far as logins go.
    let login = async |username: &str| {
        let body = json!({"username": username, "password": "wrong horse"});
        let request = backend.http.post(format!("{}/api/auth/login", backend.url));
        let request = request.header("x-forwarded-for", "192.0.2.1").json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    let body = json!({"username": "alice", "password": "correct horse"});
    assert_eq!(backend.post("/api/auth/register", None, body).await.0, 201);
    for username in ["alice", "nobody"] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(login(username).await);
        }
        assert_eq!(statuses, [401, 401, 429], "{username}");
    }
}

#[tokio::test]
async fn pages_of_named_origins_may_call() {
    let mut deployment = Deployment::new().await;
    deployment.config.cors_origins = vec!["https://vote.example".into()];
    let backend = deployment.start().await;
    let allowed = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,content-type",
            ),
        ];
        let preflight = raw(&backend, Method::OPTIONS, "/api/votes/submit", &headers).await;
        let methods = header(&preflight, "access-control-allow-methods").map(str::to_owned);
        let origin = header(&preflight, "access-control-allow-origin").map(str::to_owned);
        (preflight.status().as_u16(), origin, methods)
    };
    let (status, origin, methods) = allowed("https://vote.example").await;
    assert_eq!(
        (status, origin.as_deref()),
        (200, Some("https://vote.example"))
    );
    // Every method that a path of the document answers to.
    let document: serde_json::Value =
        serde_json::from_str(&tabella_backend::openapi_json()).unwrap();
    let items = document["paths"].as_object().unwrap().values();
    let known = items.flat_map(|item| item.as_object().unwrap().keys());
    let known: std::collections::BTreeSet<String> = known.map(|m| m.to_uppercase()).collect();
    let methods = methods.unwrap();
    let methods: std::collections::BTreeSet<String> =
        methods.split(',').map(str::to_owned).collect();
    assert_eq!(methods, known);
    for other in [
        "https://evil.example",
        "https://vote.example.evil.example",
        "null",
    ] {
        assert_eq!(allowed(other).await.1, None, "{other}");
    }
    let headers = [("origin", "https://vote.example")];
    let response = raw(&backend, Method::GET, "/api/elections", &headers).await;
    assert_eq!(
        header(&response, "access-control-allow-origin"),
        Some("https://vote.example")
    );
    assert_eq!(header(&response, "access-control-allow-credentials"), None);
    let exposed = header(&response, "access-control-expose-headers").unwrap();
    assert_eq!(
        exposed,
        "etag,retry-after,x-request-id,tabella-source,tabella-as-of-height"
    );
}

#[tokio::test]
async fn pages_of_named_origins_may_read_why_they_are_refused() {
    let mut deployment = Deployment::new().await;
    deployment.config.cors_origins = vec!["https://vote.example".into()];
    deployment.config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    deployment.config.rate_limits.address = rate(1, 1);
    let backend = deployment.start().await;
    let headers = [
        ("origin", "https://vote.example"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    for expected in [200, 429] {
        let response = raw(&backend, Method::GET, "/api/elections", &headers).await;
        assert_eq!(response.status(), expected);
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some("https://vote.example")
        );
        let exposed = header(&response, "access-control-expose-headers").unwrap();
        assert!(exposed.contains("retry-after"), "{exposed}");
        assert!(header(&response, "x-request-id").is_some());
    }
}

#[tokio::test]
async fn an_origin_that_is_none_stops_the_start() {
    for origin in [
        "*",
        "vote.example",
        "https://vote.example/",
        "ftp://vote.example",
        "null",
    ] {
        let mut deployment = Deployment::new().await;
        deployment.config.cors_origins = vec![origin.into()];
        let refused = tabella_backend::Backend::bind(deployment.config.clone()).await;
        let Err(error) = refused else {
            panic!("{origin} was taken");
        };
        assert!(error.to_string().contains(origin), "{error}");
    }
}

#[tokio::test]
async fn security_headers_stand_on_every_answer() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for path in [
        "/api/elections",
        "/api/nothing",
        "/health/live",
        "/metrics",
        "/docs",
    ] {
        let response = raw(&backend, Method::GET, path, &[]).await;
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(header(&response, name), Some(expected), "{path} {name}");
        }
        let policy = header(&response, "content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{path} {policy}");
        assert!(header(&response, "x-request-id").is_some(), "{path}");
    }
}

#[tokio::test]
async fn large_answers_are_compressed_where_the_client_reads_that() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let encoding = async |path: &str, accepted: &str| {
        let headers = [("accept-encoding", accepted)];
        let response = raw(&backend, Method::GET, path, &headers).await;
        let encoding = header(&response, "content-encoding").map(str::to_owned);
        (encoding, response.bytes().await.unwrap().len())
    };
    let document = "/api/openapi.json";
    let (none, whole) = encoding(document, "identity").await;
    assert_eq!(none, None);
    for (accepted, expected) in [("gzip", "gzip"), ("br", "br"), ("gzip, br", "br")] {
        let (encoding, bytes) = encoding(document, accepted).await;
        assert_eq!(encoding.as_deref(), Some(expected));
        assert!(bytes * 3 < whole, "{expected}: {bytes} of {whole} bytes");
    }
    assert_eq!(encoding("/health/live", "gzip, br").await.0, None);
}

#[tokio::test]
async fn what_does_not_change_is_sent_once() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let plugin = deployment.plugin();
    for (path, immutable) in [
        ("/api/blocks/1".to_owned(), true),
        (format!("/api/plugins/{plugin}"), true),
        (format!("/api/plugins/{plugin}/wasm"), true),
        ("/api/openapi.json".to_owned(), false),
    ] {
        let first = raw(&backend, Method::GET, &path, &[]).await;
        assert_eq!(first.status(), 200, "{path}");
        let tag = header(&first, "etag")
            .unwrap_or_else(|| panic!("{path}: no tag"))
            .to_owned();
        let control = header(&first, "cache-control").unwrap();
        assert_eq!(control.contains("immutable"), immutable, "{path} {control}");
        let again = raw(&backend, Method::GET, &path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(header(&again, "etag"), Some(tag.as_str()), "{path}");
        assert!(again.bytes().await.unwrap().is_empty(), "{path}");
        let other = [("if-none-match", "W/\"another\"")];
        let whole = raw(&backend, Method::GET, &path, &other).await;
        assert_eq!(whole.status(), 200, "{path}");
    }
    let response = raw(&backend, Method::GET, "/api/elections", &[]).await;
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
}

#[tokio::test]
async fn certified_results_are_sent_once() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let path = "/api/votes/results?election_id=1";
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    deployment.close(1);
    backend.counted(1).await;
    let uncertified = raw(&backend, Method::GET, path, &[]).await;
    assert_eq!(uncertified.status(), 200);
    assert_eq!(header(&uncertified, "etag"), None);

    deployment.network.attest(1, &[0, 1]);
    backend.certified(1).await;
    let first = raw(&backend, Method::GET, path, &[]).await;
    assert_eq!(header(&first, "cache-control"), Some("no-cache"));
    let tag = header(&first, "etag").unwrap().to_owned();
    let answer: serde_json::Value = first.json().await.unwrap();
    assert_eq!(answer["verified"], true);
    assert_eq!(answer["attested_by"], 2);
    assert_eq!(answer["contests"][0]["options"][0]["votes"], 1);
    let again = raw(&backend, Method::GET, path, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status(), 304);
    assert!(again.bytes().await.unwrap().is_empty());
    // One more attestation is another answer.
    deployment.network.attest(1, &[2]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while raw(&backend, Method::GET, path, &[("if-none-match", &tag)])
        .await
        .status()
        != 200
    {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Limits count the peer's address, which the server must know.
#[tokio::test]
async fn the_peer_is_limited_where_it_is_not_this_machine() {
    let Some(own) = own_address() else {
        // A machine without a network has only its loopback addresses.
        return;
    };
    let mut deployment = Deployment::new().await;
    deployment.config.listen = SocketAddr::new(own, 0);
    deployment.config.rate_limits.address = rate(1, 2);
    let backend = deployment.start().await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let headers = [("x-forwarded-for", "192.0.2.9")];
        let response = raw(&backend, Method::GET, "/api/elections", &headers).await;
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

/// An address of this machine that is not a loopback address; no packet is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
