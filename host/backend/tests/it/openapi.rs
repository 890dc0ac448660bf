//! The document, its committed copy, and the page that shows it.

use std::collections::BTreeSet;

use expect_test::expect_file;
use serde_json::{Value, json};
use tabella_contest::{ContestConfig, ContestOption};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::deployment::Deployment;

fn document() -> Value {
    serde_json::from_str(&tabella_backend::openapi_json()).unwrap()
}

/// `UPDATE_EXPECT=1 cargo xtask test committed_copy` writes the copy again.
#[test]
fn the_committed_copy_is_what_is_served() {
    expect_file!["../../../../docs/openapi.json"].assert_eq(&tabella_backend::openapi_json());
}

#[test]
fn every_operation_is_described() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            let text = |member: &str| operation[member].as_str().unwrap_or_default();
            assert!(!text("summary").is_empty(), "{name} has no summary");
            assert!(ids.insert(text("operationId").to_owned()), "{name}: id");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("500"), "{name} has no 500");
            if path.starts_with("/api/") {
                assert!(responses.contains_key("429"), "{name} has no 429");
            }
            let is_secure = operation.get("security").is_some();
            if is_secure {
                assert!(responses.contains_key("401"), "{name} has no 401");
            }
            if path.starts_with("/api/admin/") && path != "/api/admin/validators/health" {
                assert!(is_secure || path.ends_with("refresh-status"), "{name}");
            }
            for (status, response) in responses {
                let reference = response["$ref"].as_str();
                let status: u16 = status.parse().unwrap();
                let own = response["content"].get("application/problem+json");
                assert!(
                    status < 400 || reference.is_some() || own.is_some() || path == "/health/ready",
                    "{name} {status} is no problem document"
                );
            }
        }
    }
}

/// Every `$ref` at or below `value`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20, "{found:?}");
    let of_nothing = |reference: &&str| {
        let pointer = reference.strip_prefix('#');
        pointer.is_none_or(|pointer| document.pointer(pointer).is_none())
    };
    let of_nothing: Vec<_> = found.into_iter().filter(of_nothing).collect();
    assert!(
        of_nothing.is_empty(),
        "these refer to nothing: {of_nothing:?}"
    );
}

#[test]
fn every_path_of_the_contract_is_there() {
    let document = document();
    for (method, path) in [
        ("post", "/api/votes/submit"),
        ("get", "/api/votes/transaction-status"),
        ("get", "/api/votes/results"),
        ("post", "/api/votes/verify-blockchain"),
        ("get", "/api/admin/alerts"),
        ("get", "/api/admin/validators/health"),
        ("post", "/api/admin/validators/refresh-status"),
        ("post", "/api/auth/register"),
        ("post", "/api/auth/login"),
        ("post", "/api/auth/logout"),
        ("get", "/api/auth/profile"),
        ("get", "/api/elections"),
        ("get", "/api/elections/{id}"),
        ("post", "/api/admin/elections"),
        ("post", "/api/admin/elections/{id}/open"),
        ("post", "/api/admin/elections/{id}/close"),
        ("post", "/api/admin/elections/{id}/roll"),
        ("post", "/api/admin/plugins"),
        ("get", "/api/plugins"),
        ("get", "/api/plugins/{sha256}"),
        ("get", "/api/plugins/{sha256}/wasm"),
        ("get", "/api/votes/receipt"),
        ("get", "/api/votes/status"),
        ("get", "/api/votes/history"),
        ("get", "/api/elections/{id}/board"),
        ("get", "/api/blocks"),
        ("get", "/api/blocks/{id}"),
        ("get", "/api/events"),
        ("get", "/health/live"),
        ("get", "/health/ready"),
        ("get", "/metrics"),
    ] {
        assert!(
            document["paths"][path].get(method).is_some(),
            "{method} {path} is not described"
        );
    }
}

#[tokio::test]
async fn the_page_allows_itself_and_nothing_else() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let response = backend.http.get(format!("{}/docs", backend.url)).send();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"].to_str();
    let policy = policy.unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert!(policy.contains("script-src 'sha256-"), "{policy}");
    let page = response.text().await.unwrap();
    for elsewhere in ["http://", "https://", "src="] {
        assert!(!page.contains(elsewhere), "the page names {elsewhere}");
    }
    let (status, served) = backend.get("/api/openapi.json", None).await;
    assert_eq!((status, served), (200, document()));
}

/// The names of an object's members.
fn members(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// What a built-in rule makes of rankings of a, b and c.
fn outcome(rule: &str, params: Value, rankings: &[&[&str]]) -> Value {
    let mut rules = tabella_plugins::all().iter();
    let rule = rules.find(|known| known.name == rule).unwrap();
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let option = |id: &str| ContestOption {
        id: id.to_owned(),
        title: String::new(),
    };
    let contest = runtime.load(rule.wasm).unwrap();
    let contest = contest.contest(&ContestConfig {
        options: ["a", "b", "c"].map(option).into(),
        params,
    });
    let contest = contest.unwrap();
    let ballots = rankings.iter().map(|ranking| {
        let ballot = contest.encode_ballot(&json!({ "ranking": ranking }));
        (1, ballot.unwrap())
    });
    let tally = contest.tally(ballots, [0; 32]).unwrap();
    contest.outcome_json(&tally.outcome).unwrap()
}

#[test]
fn outcomes_have_the_members_that_the_document_says() {
    let document = document();
    let tied = outcome(
        "instant-runoff",
        json!({}),
        &[&["a", "b"], &["b", "a"], &["c", "a"]],
    );
    let surplus = outcome(
        "stv",
        json!({"seats": 2}),
        &[
            &["a", "b"],
            &["a", "b"],
            &["a", "b"],
            &["a", "b"],
            &["a", "b"],
            &["c"],
        ],
    );
    for (outcome, found, schema) in [
        (&tied, "/rounds/0", "Round"),
        (&tied, "/ties/0", "Tie"),
        (&surplus, "/rounds/0/transfers/0", "Transfer"),
    ] {
        let found = outcome.pointer(found);
        let found = found.unwrap_or_else(|| panic!("{schema}: {outcome}"));
        let described = &document["components"]["schemas"][schema]["properties"];
        assert_eq!(members(found), members(described), "{schema}");
    }
}
