//! Restarts, catching up, and logs that must not be missing.

use std::fs;

use tabella_consensus::{Node, PeerAddress, StartError, WalError, WalPolicy};
use tabella_protocol::Quorum;

use crate::{
    chain::Mood,
    network::{Network, until, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_validator_catches_up_and_takes_part() {
    let mut network = Network::started(3, Quorum::Majority, 1000).await;
    network.all_reach(5).await;
    network.stop(2).await;
    let missed = network.chains[0].height() + 25;
    network.reaches([0, 1], missed).await;

    // It listens on another port, and nobody is told: it finds the others, and they let it in.
    network.start(2).await;
    network.reaches([2], missed).await;

    // Now the network needs it.
    network.stop(0).await;
    let height = network.chains[1].height().max(network.chains[2].height()) + 5;
    network.reaches([1, 2], height).await;
    network.start(0).await;
    network.reaches([0], height).await;
    network.assert_agreement(height);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_finds_a_decided_block_invalid_ends_and_says_so() {
    let mut network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    network.chains[2].mood.send_replace(Mood::Mistaken);
    let error = network.ended(2).await.unwrap_err().to_string();
    assert!(error.contains("is invalid here"), "{error}");
    let height = network.chains[0].height() + 5;
    network.reaches([0, 1], height).await;

    // Mended, it follows again.
    network.chains[2].mood.send_replace(Mood::Busy);
    network.start(2).await;
    network.all_reach(height).await;
    network.assert_agreement(height);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_network_does_not_slow_down_who_catches_up() {
    let mut network = Network::new(3, Quorum::Majority, 10);
    network.status_interval_ms = 5000;
    for i in 0..3 {
        network.start(i).await;
    }
    network.all_reach(3).await;
    network.stop(2).await;
    let missed = network.chains[0].height() + 40;
    network.reaches([0, 1], missed).await;
    // Were it paced by its application while it catches up, only status messages would wake it, once
    // for every height.
    network.set_mood(Mood::Idle);
    network.idle(0).await;
    network.start(2).await;
    network.reaches([2], missed).await;
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_network_restarts_where_it_was() {
    let mut network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(10).await;
    for i in 0..3 {
        network.stop(i).await;
    }
    let before: Vec<_> = network.chains.iter().map(|chain| chain.height()).collect();
    let tip = *before.iter().max().unwrap();
    for i in 0..3 {
        network.start(i).await;
    }
    network.all_reach(tip + 10).await;
    network.assert_agreement(tip + 10);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_moved_are_found_where_they_are_told_to_be() {
    let mut network = Network::new(2, Quorum::Majority, 10);
    network.start(0).await;
    // Validator 1 knows nobody: only validator 0 can connect them, first at a dead address.
    let config = tabella_consensus::Config {
        peers: Vec::new(),
        ..network.config(1)
    };
    let node = Node::start(config, network.chains[1].clone())
        .await
        .unwrap();
    let handle = node.handle();
    let running = crate::network::run(node);
    let dead = PeerAddress::parse(network.public(1), "127.0.0.1:1").unwrap();
    network.handle(0).set_peer(dead).await.unwrap();
    assert_eq!(network.handle(0).connected_peers(), []);

    let address = PeerAddress::new(network.public(1), handle.listen());
    network.handle(0).set_peer(address).await.unwrap();
    network.all_reach(5).await;
    assert_eq!(network.handle(0).connected_peers(), [network.public(1)]);
    within("it stops", running.stop()).await.unwrap();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_without_its_log_refuses_to_sign() {
    let mut network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(5).await;
    network.stop(1).await;
    let config = network.config(1);
    assert_eq!(config.wal, WalPolicy::Require);
    fs::remove_file(config.data_dir.join("consensus.wal")).unwrap();
    let refused = Node::start(config.clone(), network.chains[1].clone()).await;
    let error = refused.err().expect("the log is missing");
    assert!(
        matches!(error, StartError::Wal(WalError::Missing { .. })),
        "{error}"
    );

    // Unless the operator says that it is safe.
    let allowed = tabella_consensus::Config {
        wal: WalPolicy::Create,
        ..config
    };
    let node = Node::start(allowed, network.chains[1].clone())
        .await
        .unwrap();
    let running = crate::network::run(node);
    let height = network.chains[0].height() + 5;
    network.all_reach(height).await;
    within("it stops", running.stop()).await.unwrap();
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_cannot_share_a_port_or_a_log() {
    let network = Network::started(1, Quorum::Majority, 10).await;
    let mut config = network.config(0);
    config.wal = WalPolicy::Create;
    config.listen = network.handle(0).listen();
    let refused = Node::start(config.clone(), network.chains[0].clone()).await;
    assert!(matches!(refused.err(), Some(StartError::Listen { .. })));

    config.listen = "127.0.0.1:0".parse().unwrap();
    let refused = Node::start(config, network.chains[0].clone()).await;
    assert!(matches!(refused.err(), Some(StartError::Engine(_))));

    let height = network.chains[0].height();
    until("the first goes on", || {
        network.chains[0].height() > height + 3
    })
    .await;
    network.stop_all().await;
}
