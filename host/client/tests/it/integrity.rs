//! Whether validators hold the chain that was proven.

use std::time::Duration;

use tabella_client::{Agreement, Client};
use tabella_protocol::Hash;

use crate::fake::{Mood, Network, Node};

/// What three validators of a chain of ten blocks say of its last one, or of another hash.
async fn found(moods: [Mood; 3], other: Option<Hash>) -> Agreement {
    let network = Network::new(3);
    for _ in 0..10 {
        network.commit(vec![]);
    }
    let mut nodes = Vec::new();
    for (index, mood) in moods.into_iter().enumerate() {
        nodes.push(Node::start(&network, index, mood).await);
    }
    let client = Client::builder(network.genesis.clone())
        .validators(nodes.iter().map(Node::endpoint))
        .health_period(Duration::from_millis(50))
        .build()
        .unwrap();
    client.refresh_validator_status().await;
    let hash = network.chain().summaries[9].header.hash();
    client.agreement(10, other.unwrap_or(hash)).await
}

use Mood::Honest;

#[tokio::test]
async fn validators_of_one_chain_agree() {
    let agreed = found([Honest, Honest, Honest], None).await;
    let expected = Agreement {
        answered: 3,
        agreeing: 3,
        ..Agreement::default()
    };
    assert_eq!(agreed, expected);
}

#[tokio::test]
async fn one_that_forges_or_lags_does_not_agree() {
    let agreed = found([Honest, Mood::ForgesCertificates, Mood::Behind], None).await;
    assert_eq!((agreed.answered, agreed.agreeing), (3, 1), "{agreed:?}");
    let [lie] = agreed.lies.as_slice() else {
        panic!("{agreed:?}");
    };
    assert!(lie.starts_with("validator-2: "), "{lie}");
    assert!(agreed.problems.is_empty(), "one's word is no proof");
}

#[tokio::test]
async fn another_certified_block_is_a_contradiction() {
    let agreed = found([Honest, Honest, Honest], Some(Hash([9; 32]))).await;
    assert_eq!(
        (agreed.agreeing, agreed.problems.len()),
        (0, 3),
        "{agreed:?}"
    );
}
