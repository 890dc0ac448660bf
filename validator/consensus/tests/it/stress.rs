use tabella_protocol::Quorum;
use crate::network::Network;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn stress() {
    let mut network = Network::started(4, Quorum::Bft, 10).await;
    network.all_reach(5).await;
    for round in 0..150 {
        let i = round % 4;
        network.stop(i).await;
        let height = network.chains[(i + 1) % 4].height() + 5;
        network.reaches((0..4).filter(|other| *other != i), height).await;
        eprintln!("=== round {round} start {i} target {height}");
        network.start(i).await;
        let r = tokio::time::timeout(Duration::from_secs(15), network.chains[i].reaches(height)).await;
        if r.is_err() {
            eprintln!("=== STUCK round {round} validator {} target {height} heights {:?} engine {:?} connected {:?} ended {:?}", i + 1,
                network.chains.iter().map(|c| c.height()).collect::<Vec<_>>(),
                (0..4).map(|k| (network.handle(k).height(), network.handle(k).round())).collect::<Vec<_>>(),
                (0..4).map(|k| network.handle(k).connected_peers().len()).collect::<Vec<_>>(),
                network.is_ended(i));
            tokio::time::sleep(Duration::from_secs(3)).await;
            panic!("stuck {:?}", network.ended(i).await);
        }
    }
}
