//! How fast three validators decide; the figure is printed, not judged.

use std::time::Instant;

use tabella_protocol::Quorum;

use crate::network::Network;

#[tokio::test(flavor = "multi_thread")]
async fn three_validators_decide_empty_blocks() {
    let network = Network::started(3, Quorum::Majority, 0).await;
    network.all_reach(20).await;
    let (first, start) = (network.chains[0].height(), Instant::now());
    network.all_reach(first + 300).await;
    let blocks = network.chains[0].height() - first;
    let seconds = start.elapsed().as_secs_f64();
    let later_rounds = (first..first + 300)
        .filter(|height| network.chains[0].certificate(*height).round > 0)
        .count();
    println!(
        "{blocks} blocks in {seconds:.2} s: {:.0} blocks/s; {later_rounds} in a later round",
        blocks as f64 / seconds
    );
    network.assert_agreement(first + 300);
    network.stop_all().await;
}
