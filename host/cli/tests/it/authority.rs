//! An election that is run with the authority's key away from the backend.

use std::process::Output;

use serde_json::{Value, json};
use tabella_cli::http::Client;
use tabella_files::read_key;
use tabella_protocol::{Payload, Transaction, TransactionBody};

use crate::network::{Network, Role, eventually, ok, ranked_election, tabella};

const NAME: &str = "without-authority";

/// A second backend of the network, which holds no authority's key, and where it listens.
async fn backend_without_key(network: &Network) -> (Role, String) {
    let url = network.configure_another_backend(NAME);
    let file = network.data().join(format!("{NAME}.toml"));
    let text = std::fs::read_to_string(&file).expect("a file");
    let mut config: toml::Table = text.parse().expect("TOML");
    config.remove("authority_key").expect("it had one");
    std::fs::write(&file, config.to_string()).expect("writable");
    let role = network.start_role("backend", NAME, None);
    eventually("the backend serves", async || {
        let mut client = Client::new(&url).ok()?;
        let answer = client.get("/health/ready").await.ok()?;
        answer.is_success().then_some(())
    })
    .await;
    (role, url)
}

fn election(network: &Network, url: &str, key: &str, arguments: &[&str]) -> Output {
    tabella()
        .arg("election")
        .args(arguments)
        .args(["--json", "--backend", url, "--authority"])
        .arg(network.data().join(key))
        .arg("--genesis")
        .arg(&network.ready.genesis)
        .arg("--token-file")
        .arg(network.data().join("keys/admin-token"))
        .output()
        .expect("the binary starts")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn an_election_is_run_with_the_authoritys_key_away_from_the_backend() {
    let network = Network::start(&[]).await;
    let (_backend, url) = backend_without_key(&network).await;
    let mut admin = Client::new(&url)
        .expect("a URL")
        .with_token(&network.ready.admin_token);
    let mut statement = ranked_election();
    statement["contests"][0]["rule"] = json!("instant-runoff");
    let refused = admin.post("/api/admin/elections", &statement).await;
    assert_eq!(refused.expect("an answer").json()["code"], "unknown-plugin");

    let file = network.path("election.json");
    std::fs::write(&file, ranked_election().to_string()).expect("writable");
    let file = file.to_str().expect("UTF-8");
    let registrar = read_key(&network.data().join("keys/registrar.key")).expect("a key");
    let registrar = registrar.public().to_string();
    let create = ["create", file, "--open", "--registrar", &registrar];

    // A key that genesis does not name signs nothing.
    let stranger = election(&network, &url, "keys/registrar.key", &create);
    assert!(!stranger.status.success());
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(said.contains("is no authority of this network"), "{said}");

    let created = json(&election(&network, &url, "keys/authority.key", &create));
    let id = created["election_id"].as_u64().expect("an id");
    let refused = admin
        .post(&format!("/api/admin/elections/{id}/open"), &json!({}))
        .await;
    let refused = refused.expect("an answer");
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (403, json!("no-authority-key"))
    );

    for voter in 0..4 {
        let body = json!({
            "election_id": id,
            "voter_id": format!("voter-{voter}"),
            "ballot": {"ranking": ["b", "a"]},
        });
        ok(admin
            .post("/api/votes/submit", &body)
            .await
            .expect("an answer"));
    }

    // A close that was signed elsewhere is not put before ballots that are still taken.
    let authority = read_key(&network.data().join("keys/authority.key")).expect("a key");
    let sign = |payload: Payload| {
        let body = TransactionBody::new(network.genesis().chain_id, 10_000, payload);
        let bytes = Transaction::sign(body, &authority).to_bytes();
        json!({"transaction": format!("0x{}", hex::encode(bytes))})
    };
    let close = sign(Payload::CloseElection { election_id: id });
    let path = "/api/admin/transactions";
    let early = admin.post(path, &close).await.expect("an answer");
    assert_eq!(
        (early.status, early.json()["code"].clone()),
        (409, json!("close-not-asked"))
    );
    for (body, code) in [
        (
            sign(Payload::ChangeValidators { changes: vec![] }),
            "malformed-transaction",
        ),
        (json!({"transaction": "0x00"}), "malformed-transaction"),
        (json!({"transaction": "00"}), "malformed-transaction"),
    ] {
        let answer = admin.post(path, &body).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.json()["code"].clone()),
            (422, json!(code))
        );
    }
    let mut anonymous = Client::new(&url).expect("a URL");
    assert_eq!(
        anonymous
            .post(path, &close)
            .await
            .expect("an answer")
            .status,
        401
    );

    // Who asked to close it may think again.
    let close = format!("/api/admin/elections/{id}/close");
    let closing = admin.post(&close, &json!({})).await.expect("an answer");
    assert_eq!(
        (closing.status, closing.json()["unsettled"].clone()),
        (202, json!(0))
    );
    let fifth = json!({"election_id": id, "voter_id": "fifth", "ballot": {"ranking": ["b"]}});
    let refused = admin.post("/api/votes/submit", &fifth).await;
    assert_eq!(refused.expect("an answer").status, 409);
    ok(admin.delete(&close).await.expect("an answer"));
    ok(admin
        .post("/api/votes/submit", &fifth)
        .await
        .expect("an answer"));
    let others = network.admin().delete(&close).await.expect("an answer");
    assert_eq!(others.json()["code"], "may-be-closing");

    json(&election(
        &network,
        &url,
        "keys/authority.key",
        &["close", &id.to_string()],
    ));
    let over = admin.delete(&close).await.expect("an answer");
    assert_eq!(over.json()["code"], "wrong-election-status");
    let late = json!({"election_id": id, "voter_id": "late", "ballot": {"ranking": ["a"]}});
    assert_eq!(
        admin
            .post("/api/votes/submit", &late)
            .await
            .expect("an answer")
            .status,
        409
    );
    let results = eventually("the result is certified", async || {
        let path = format!("/api/votes/results?election_id={id}");
        let results = admin.get(&path).await.ok()?.json();
        (results["status"] == "final").then_some(results)
    })
    .await;
    assert_eq!(results["total_votes"], 5, "{results}");
    assert_eq!(results["contests"][0]["winners"], json!(["b"]), "{results}");
    let again = election(
        &network,
        &url,
        "keys/authority.key",
        &["close", &id.to_string()],
    );
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("it must be open"), "{said}");
}
