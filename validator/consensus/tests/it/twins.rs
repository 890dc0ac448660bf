//! One validator key on two machines: the easiest way to sign contradicting messages.

use std::sync::Arc;

use tabella_consensus::{Config, Node};
use tabella_protocol::{Quorum, SigningKey};

use crate::{
    chain::Chain,
    network::{Network, run, until, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_on_two_machines_is_proven_and_does_not_fork_four_validators() {
    let network = Network::started(4, Quorum::Bft, 10).await;
    network.all_reach(3).await;
    // The twin of validator 3 builds other blocks.
    let directory = tempfile::tempdir().unwrap();
    let public = network.keys.iter().map(SigningKey::public).collect();
    let chain = Arc::new(Chain::new(network.public(3), public, 20));
    let mut config = network.config(0);
    config.peers.truncate(3);
    let config = Config {
        signing_key: network.keys[3].clone(),
        data_dir: directory.path().to_owned(),
        wal: tabella_consensus::WalPolicy::Create,
        ..config
    };
    let twin = run(Node::start(config, chain).await.unwrap());

    let proven = || (0..3).find_map(|i| network.chains[i].equivocations().pop());
    until("an honest validator has a proof", || proven().is_some()).await;
    let proof = proven().unwrap();
    assert_eq!(proof.validator(), network.public(3));
    assert!(proof.verify(&network.genesis_hash));

    within("the twin stops", twin.stop()).await.unwrap();
    let height = network.chains[0].height() + 5;
    network.all_reach(height).await;
    network.assert_agreement(height);
    network.stop_all().await;
}
