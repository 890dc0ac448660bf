//! A validator whose files cannot grow ends and says so; the others go on, and it follows once it can.

use tabella_protocol::rpc::NodeStatus;

use crate::processes::Bare;

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_cannot_write_ends_with_a_failure_and_comes_back() {
    let mut network = Bare::new(3, "majority");
    network.start("bootnode", "bootnode");
    for name in ["validator-1", "validator-2", "validator-3"] {
        network.start_first(name);
    }
    let reached = |height| move |status: &NodeStatus| status.height >= height;
    let last = network.rpc(3);
    network.until("blocks come", &last, reached(3)).await;
    network.processes.kill("validator-3");

    // Half of what the chain takes already, which is more than any other file has.
    let chain = std::fs::metadata(network.path("data/validator-3/chain.redb")).unwrap();
    network.start_limited("validator", "validator-3", chain.len() / 2);
    let (status, log) = network.processes.ended("validator-3").await;
    assert_eq!(status.code(), Some(1), "{log}");
    let last_line = log.lines().last().unwrap_or_default();
    assert!(last_line.contains("File too large"), "{log}");

    let first = network.rpc(1);
    let height = network.until("it answers", &first, |_| true).await.height;
    network
        .until("they go on", &first, reached(height + 2))
        .await;
    network.start("validator", "validator-3");
    network
        .until("it follows", &last, reached(height + 2))
        .await;
}
