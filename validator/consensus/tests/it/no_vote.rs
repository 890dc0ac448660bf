//! Blocks that are sound and deserve no vote: a validator votes for none, and follows those that a quorum
//! of the others decided.

use tabella_protocol::Quorum;

use crate::{chain::Mood, network::Network};

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_deserves_no_vote_is_not_decided_and_the_next_one_is() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    network.chains[1].mood.send_replace(Mood::Pushing);
    let from = network.chains[1].height() + 2;
    network.all_reach(from + 9).await;
    let turns = (from..from + 9)
        .filter(|height| network.chains[0].proposer(*height) == network.keys[1].public());
    assert_eq!(turns.count(), 3);
    for height in from..from + 9 {
        assert!(!network.chains[0].is_pushed(height), "height {height}");
    }
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_the_others_voted_for_is_followed() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    for pushing in [0, 1] {
        network.chains[pushing].mood.send_replace(Mood::Pushing);
    }
    let from = network.chains[0].height() + 2;
    network.all_reach(from + 9).await;
    let pushed = (from..from + 9).filter(|height| network.chains[2].is_pushed(*height));
    assert!(pushed.count() > 0, "they voted for none");
    network.assert_agreement(from + 9);
    network.stop_all().await;
}
