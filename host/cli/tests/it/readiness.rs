//! Whether a validator says that it is ready, where the others are connected and decide nothing.

use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_cli::http::Client;

use crate::network::{Network, eventually, signal};

/// How old the last commit may be at most where a validator says that it is ready.
const READY_COMMIT_AGE_MS_MAX: u64 = 3_000;

/// Two of three validators are stopped: their connections stay, and nothing is decided any more. By the
/// validator's own clock, so that it does not matter how often it can be asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_that_is_connected_and_decides_nothing_is_noticed_within_three_seconds() {
    let network = Network::start(&["--validators", "3"]).await;
    let left = network.rpc_urls()[0].clone();
    let ready = async || {
        let answer = Client::new(&left).ok()?.get("/health/ready").await.ok()?;
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        Some((answer.status, body))
    };
    eventually("the validator is ready", async || {
        ready().await.filter(|(status, _)| *status == 200)
    })
    .await;
    for stopped in &network.ready.validators[1..] {
        signal(stopped.pid, Signal::SIGSTOP);
    }
    let said = eventually("the validator is not ready", async || {
        let (status, body) = ready().await?;
        let age_ms = body["committed_age_ms"].as_u64()?;
        assert!(
            status == 503 || age_ms < READY_COMMIT_AGE_MS_MAX,
            "ready though nothing is decided: {body}"
        );
        (status == 503).then_some(body)
    });
    let said = said.await;
    // It is not the connections that told.
    assert_eq!(said["quorum_connected"], true, "{said}");
    assert_eq!(said["peers"], 2, "{said}");
    for stopped in &network.ready.validators[1..] {
        signal(stopped.pid, Signal::SIGCONT);
    }
    eventually("the validator is ready again", async || {
        ready().await.filter(|(status, _)| *status == 200)
    })
    .await;
}
