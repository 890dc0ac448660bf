//! Whether strangers may register accounts: not in what `init` writes, and in `dev` it is said.

use serde_json::json;
use tabella_cli::http::Client;

use crate::{
    network::{Network, eventually},
    processes::Bare,
};

/// What a backend answers a stranger who registers.
async fn registers(url: &str) -> (u16, serde_json::Value) {
    let body = json!({"username": "alice", "password": "correct horse"});
    let answer = eventually("the backend answers", async || {
        let mut stranger = Client::new(url).ok()?;
        stranger.post("/api/auth/register", &body).await.ok()
    })
    .await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_at_a_backend_as_init_writes_it() {
    let mut network = Bare::new(1, "majority");
    let url = format!("http://127.0.0.1:{}", network.listen_port("backend"));
    network.configure("without", "backend", |config| {
        let written = config.remove("registration");
        assert_eq!(
            written
                .and_then(|said| said.as_str().map(str::to_owned))
                .as_deref(),
            Some("closed")
        );
    });
    // As it is written, and where the line is gone.
    for name in ["backend", "without"] {
        network.start("backend", name);
        let (status, answer) = registers(&url).await;
        assert_eq!(
            (status, &answer["code"]),
            (403, &json!("registration-closed")),
            "{name}"
        );
        network.processes.kill(name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_opens_registration_and_says_so() {
    let network = Network::start(&["--validators", "1"]).await;
    let said = eventually("dev says so", async || {
        let said = network.dev_printed();
        said.contains("registration is open").then_some(said)
    })
    .await;
    assert!(
        said.contains("whoever reaches the backend may register"),
        "{said}"
    );
    assert!(said.contains("open_to = \"accounts\""), "{said}");
    assert_eq!(registers(&network.ready.backend).await.0, 201);
}
