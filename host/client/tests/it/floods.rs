//! Validators that send too much, too slowly, or again and again.

use std::time::{Duration, Instant};

use tabella_client::HealthStatus;

use crate::{
    PATIENCE, Setup, eventually,
    fake::{
        Mood::{self, FloodsAcks, FloodsEvidence, HoldsBodies, Honest},
        Node,
    },
    setup, status,
};

#[tokio::test]
async fn acks_are_bounded_by_the_blocks_that_were_asked_for_and_their_validators() {
    let Setup {
        network, client, ..
    } = setup([FloodsAcks, FloodsAcks, FloodsAcks]).await;
    for _ in 0..10 {
        network.commit(vec![]);
    }
    let acks = client.acks(2, 4).await.unwrap();
    assert_eq!(acks.len(), 4);
    for (height, acks) in (2..).zip(&acks) {
        assert_eq!(acks.len(), 3, "one for each validator");
        assert!(acks.iter().all(|ack| ack.height == height));
    }
}

/// The body of a block that one validator holds back, or sends a byte at a time, comes from another.
#[tokio::test]
async fn bodies_that_one_validator_holds_back_are_asked_of_another() {
    let slow = Mood::Slow(Duration::from_millis(100));
    let Setup {
        network,
        client,
        nodes,
    } = setup([HoldsBodies, slow.clone(), slow]).await;
    for _ in 0..3 {
        network.commit(vec![]);
    }
    eventually("every validator was checked", PATIENCE, || {
        nodes.iter().all(|node| node.status_calls() > 2)
    })
    .await;
    let started = Instant::now();
    let blocks = client.blocks(0, network.genesis.hash(), 3).await.unwrap();
    assert_eq!(blocks.len(), 3);
    // One request may take thirty seconds.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn evidence_that_proves_nothing_is_not_asked_for_again() {
    let Setup {
        network,
        client,
        nodes,
    } = setup([FloodsEvidence, Honest, Honest]).await;
    network.commit(vec![]);
    let liar = &nodes[0];
    eventually("it was caught", PATIENCE, || {
        status(&client, 0) == HealthStatus::Degraded && liar.evidence_calls() > 0
    })
    .await;
    let checked = liar.status_calls();
    eventually("it was checked again", PATIENCE, || {
        liar.status_calls() > checked + 10
    })
    .await;
    assert_eq!(liar.evidence_calls(), 1);
}

/// What it says its validators are is asked of it alone, and nobody waits for that.
#[tokio::test]
async fn one_that_tells_of_unknown_validators_holds_up_no_block() {
    let slow = Mood::Slow(Duration::from_millis(30));
    let Setup {
        network,
        client,
        nodes,
    } = setup([Mood::UnknownValidators, slow.clone(), slow]).await;
    network.commit(vec![]);
    eventually("every validator was checked", PATIENCE, || {
        nodes.iter().all(|node| node.status_calls() > 2)
    })
    .await;
    let started = Instant::now();
    let block = client.block(1).await.unwrap().unwrap();
    assert_eq!(block.hash, network.chain().summaries[0].header.hash());
    // It may take two seconds to tell who they are.
    let took = started.elapsed();
    assert!(took < Duration::from_millis(1_900), "{took:?}");
    assert_eq!(nodes[0].block_requests(), 1, "the liar was not asked first");
}

/// On a slow line each further batch would slow the others.
#[tokio::test]
async fn blocks_that_take_long_are_not_asked_of_everybody() {
    let slow = Mood::SlowBodies(Duration::from_secs(3));
    let Setup {
        network,
        client,
        nodes,
    } = setup([slow.clone(), slow.clone(), slow]).await;
    for _ in 0..3 {
        network.commit(vec![]);
    }
    let requests = || nodes.iter().map(Node::block_requests).sum::<usize>();
    let genesis = network.genesis.hash();
    let blocks = client.blocks(0, genesis, 3).await.unwrap();
    assert_eq!(blocks.len(), 3);
    assert_eq!(requests(), 2);
    // How long they take is known now.
    client.blocks(0, genesis, 3).await.unwrap();
    assert_eq!(requests(), 3);
}
