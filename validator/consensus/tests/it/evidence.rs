//! A validator that forgets what it signed, and is proven to have contradicted itself.

use std::fs;

use tabella_consensus::{Config, Node, Timeouts, WalPolicy};
use tabella_protocol::{Quorum, ValidatorHistory};

use crate::{
    chain::Mood,
    network::{Network, run, until, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_lost_its_log_is_proven_to_contradict_itself() {
    let mut network = Network::started(3, Quorum::Bft, 10).await;
    network.all_reach(3).await;
    // While validator 2 answers nothing, no height can be decided; the others vote for the block of
    // its first round, unless that round is validator 2's own.
    let stuck = loop {
        network.chains[2].mood.send_replace(Mood::Stuck);
        let chains = network.chains.clone();
        until("a height goes through rounds", || {
            network.handle(0).round() >= 2
        })
        .await;
        let height = chains[0].height() + 1;
        if network.chains[0].proposer(height) != network.public(2) {
            break height;
        }
        network.chains[2].mood.send_replace(Mood::Busy);
        network.all_reach(height).await;
    };

    network.stop(1).await;
    let config = Config {
        wal: WalPolicy::Create,
        // It votes against the first round before it hears that the others are further.
        timeouts: Timeouts {
            propose_ms: 1,
            ..Timeouts::default()
        },
        ..network.config(1)
    };
    fs::remove_file(config.data_dir.join("consensus.wal")).unwrap();
    network.chains[1].forget_undecided();
    let forgetful = run(Node::start(config, network.chains[1].clone())
        .await
        .unwrap());
    until("it is back", || {
        network.handle(0).connected_peers().len() == 2
    })
    .await;
    assert_eq!(network.chains[0].height() + 1, stuck);
    until("it hears of later rounds", || forgetful.handle.round() > 0).await;
    network.chains[2].mood.send_replace(Mood::Busy);
    network.all_reach(stuck + 3).await;

    let proofs: Vec<_> = [0, 2]
        .iter()
        .flat_map(|i| network.chains[*i].evidence())
        .collect();
    assert!(!proofs.is_empty(), "the others have a proof");
    for proof in proofs {
        let summary = proof
            .verify(&ValidatorHistory::new(&network.genesis))
            .unwrap();
        assert_eq!(summary.height, stuck);
        let liars: Vec<_> = summary.liars.iter().map(|liar| liar.public_key).collect();
        assert_eq!(liars, [network.public(1)]);
    }
    within("it stops", forgetful.stop()).await.unwrap();
    network.stop_all().await;
}
