//! Agreement, quorums, pacing and messages.

use bytes::Bytes;
use tabella_consensus::{MESSAGE_BYTES_MAX, MessageTooLong, RunError};
use tabella_protocol::Quorum;

use crate::{
    chain::Mood,
    network::{Network, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn three_validators_agree() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(30).await;
    network.assert_agreement(30);
    let builders: std::collections::BTreeSet<_> = (1..=30)
        .map(|height| network.chains[0].body(height).slice(40..72))
        .collect();
    assert_eq!(builders.len(), 3, "every validator proposes");
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_goes_on_without_the_third() {
    let mut network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    network.stop(1).await;
    let height = network.chains[0].height() + 6;
    network.reaches([0, 2], height).await;
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thirds_of_three_are_all_three() {
    let network = Network::started(3, Quorum::Bft, 10).await;
    network.all_reach(20).await;
    // Under a majority, most certificates would hold two signatures.
    network.assert_agreement(20);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_go_on_without_any_one() {
    let mut network = Network::started(4, Quorum::Bft, 10).await;
    network.all_reach(5).await;
    for i in 0..4 {
        network.stop(i).await;
        let height = network.chains[(i + 1) % 4].height() + 5;
        network
            .reaches((0..4).filter(|other| *other != i), height)
            .await;
        network.start(i).await;
        network.reaches([i], height).await;
    }
    let height = network
        .chains
        .iter()
        .map(|chain| chain.height())
        .min()
        .unwrap();
    network.assert_agreement(height);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_validator_alone_decides() {
    let network = Network::started(1, Quorum::Majority, 10).await;
    network.all_reach(10).await;
    network.assert_agreement(10);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_of_many_parts_travel() {
    let network = Network::started(3, Quorum::Majority, 1_500_000).await;
    network.all_reach(6).await;
    network.assert_agreement(6);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_at_one_validator_wakes_an_idle_network() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    network.set_mood(Mood::Idle);
    let tip = network.idle(0).await;

    network.chains[1].mood.send_replace(Mood::Busy);
    network.all_reach(tip + 2).await;
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_reach_every_peer_with_their_sender() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    until("all are connected", || {
        (0..3).all(|i| network.handle(i).connected_peers().len() == 2)
    })
    .await;
    let message = Bytes::from(vec![7; MESSAGE_BYTES_MAX]);
    network.handle(0).broadcast(message.clone()).unwrap();
    let expected = (network.public(0), message);
    until("both received it", || {
        [1, 2]
            .iter()
            .all(|i| network.chains[*i].messages().contains(&expected))
    })
    .await;
    assert!(
        network.chains[0].messages().is_empty(),
        "a node does not write to itself"
    );

    let too_long = Bytes::from(vec![7; MESSAGE_BYTES_MAX + 1]);
    assert_eq!(
        network.handle(0).broadcast(too_long),
        Err(MessageTooLong(MESSAGE_BYTES_MAX + 1))
    );
    let metrics = network.handle(0).metrics();
    assert!(metrics.contains("moniker=\"validator-1\""), "{metrics}");
    assert!(!metrics.contains("# EOF"), "others may follow: {metrics}");
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_application_ends_its_node_and_no_other() {
    let mut network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    network.chains[2].mood.send_replace(Mood::Broken);
    let error = network.ended(2).await.expect_err("the application failed");
    assert!(matches!(error, RunError::Application(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "the application failed: the disk is full"
    );
    let height = network.chains[0].height() + 4;
    network.reaches([0, 1], height).await;
    network.stop_all().await;
}
