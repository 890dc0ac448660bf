//! One validator that withholds its blocks, or proposes blocks that break a rule: the others go on.

use tabella_protocol::Quorum;

use crate::{
    chain::Mood,
    network::{Network, until},
};

/// The last validator turns bad for some turns, and then behaves again.
async fn the_others_go_on(validators: u8, quorum: Quorum, mood: Mood) {
    let network = Network::started(validators, quorum, 10).await;
    network.all_reach(3).await;
    let bad = usize::from(validators) - 1;
    let others = 0..bad;
    network.chains[bad].mood.send_replace(mood);
    // What it proposed before may still be under way.
    let from = network.chains[0].height() + u64::from(validators);
    let to = from + 3 * u64::from(validators);
    network.reaches(others, to).await;
    for height in from..=to {
        assert_ne!(
            network.chains[0].builder(height),
            network.public(bad),
            "height {height} under {mood:?}"
        );
    }
    network.chains[bad].mood.send_replace(Mood::Busy);
    until("it proposes again", || {
        let height = network.chains[0].height();
        (to..=height).any(|height| network.chains[0].builder(height) == network.public(bad))
    })
    .await;
    let height = network.chains[0].height();
    network.all_reach(height).await;
    network.assert_agreement(height);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_go_on_past_a_withholding_proposer() {
    the_others_go_on(3, Quorum::Majority, Mood::Withholding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_go_on_past_a_withholding_proposer() {
    the_others_go_on(4, Quorum::Bft, Mood::Withholding).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_go_on_past_invalid_blocks() {
    the_others_go_on(3, Quorum::Majority, Mood::Breaking).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_go_on_past_invalid_blocks() {
    the_others_go_on(4, Quorum::Bft, Mood::Breaking).await;
}
