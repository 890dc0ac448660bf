//! The whole OpenAPI document under schemathesis, an independent fuzzer, before a real network: no
//! failure of the server, no status that is not documented, no answer that is not shaped as its schema.
//!
//! It needs Python 3 with `venv`, and installs schemathesis into the target directory.

use std::process::Command;

use serde_json::json;

use crate::{network::Network, python};

/// Pinned, so that a new release finds its new complaints on a day of our choosing.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// What a run begins from; another seed tries other requests.
const SEED: &str = "20261126";
/// Requests drawn for each operation, beside those that cover its schema's corners.
const EXAMPLES: &str = "20";
/// What is checked of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,ignored_auth";

#[tokio::test]
async fn no_request_gets_an_answer_that_is_not_documented() {
    let Some(programs) = python::programs("schemathesis", SCHEMATHESIS) else {
        return;
    };
    let fuzzer = programs.join("schemathesis");
    let network = Network::start(&[]).await;
    let plugin = prepare(&network).await;
    let voter = network.voter_token("fuzzer").await;
    // As a voter first: the administrator's run closes elections.
    for (name, token, also) in [
        (
            "voter",
            &voter,
            vec!["--include-path-regex", "^/api/(votes|auth)/"],
        ),
        ("administrator", &network.ready.admin_token, vec![]),
    ] {
        let directory = network.path(name);
        std::fs::create_dir(&directory).expect("writable");
        let config = format!(
            "[auth.openapi.bearer]\nbearer = \"{token}\"\n\n[[operations]]\n\
             include-path-regex = \"^/api/plugins/\"\nparameters = {{ sha256 = \"{plugin}\" }}\n"
        );
        std::fs::write(directory.join("schemathesis.toml"), config).expect("writable");
        let output = Command::new(&fuzzer)
            .current_dir(&directory)
            .args([
                "run",
                &format!("{}/api/openapi.json", network.ready.backend),
            ])
            .args([
                "--checks",
                CHECKS,
                "--seed",
                SEED,
                "--max-examples",
                EXAMPLES,
            ])
            .args(["--phases", "examples,coverage,fuzzing"])
            .args([
                "--generation-database",
                "none",
                "--suppress-health-check",
                "all",
            ])
            .args([
                "--request-timeout",
                "30",
                "--no-color",
                "--warnings",
                "off",
                "--no-shrink",
            ])
            .args(also)
            .output()
            .expect("schemathesis starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "as {name}:\n{said}");
        println!("as {name}:\n{said}");
    }
}

/// An open election with a ballot under the id that the document's examples name; the rule's hash.
async fn prepare(network: &Network) -> String {
    let election_id = network.open_election(&json!({
        "title": "Fuzzed",
        "contests": [{
            "id": "mayor",
            "rule": "plurality",
            "options": [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}],
        }],
    }));
    assert_eq!(election_id, 1);
    let body = json!({
        "election_id": 1, "ballot": {"choice": "a"}, "voter_id": "first", "transaction_id": "t1",
    });
    let mut admin = network.admin();
    let answer = admin
        .post("/api/votes/submit", &body)
        .await
        .expect("an answer");
    assert!(answer.is_success(), "{}", answer.excerpt());
    let rules = admin.get("/api/plugins").await.expect("an answer").json();
    rules[0]["sha256"].as_str().expect("a hash").to_owned()
}
