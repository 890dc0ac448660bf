//! A validator that is far behind takes whole blocks before it takes part again.

use tabella_protocol::rpc::NodeStatus;

use crate::{network::eventually, processes::Bare};

/// More blocks than consensus is left to fetch, several requests' worth.
const BEHIND: u64 = 400;
const MARK: &str = "data/validator-3/catching-up";

/// Three validators that decide empty blocks as fast as they can; `running` of them run.
async fn start(running: u16) -> Bare {
    let mut network = Bare::new(3, "majority");
    network.start("bootnode", "bootnode");
    for n in 1..=3 {
        let name = format!("validator-{n}");
        network.configure(&name, &name, |config| {
            config.insert("idle_block_ms".into(), 1.into());
        });
        if n <= running {
            network.start_first(&name);
        }
    }
    network
}

async fn reach(network: &Bare, n: u16, height: u64) -> NodeStatus {
    let what = format!("validator {n} reaches height {height}");
    let high = |status: &NodeStatus| status.height >= height;
    network.until(&what, &network.rpc(n), high).await
}

/// With one of the others gone, nothing is decided unless this one signs.
async fn check_that_the_third_signs(network: &mut Bare) {
    let connected = |status: &NodeStatus| status.signing && status.peers == 2;
    let rpc = network.rpc(3);
    network.until("it is connected", &rpc, connected).await;
    let mark = network.path(MARK);
    eventually("the mark is gone", async || (!mark.exists()).then_some(())).await;
    network.processes.kill("validator-1");
    let height = reach(network, 2, 0).await.height;
    reach(network, 3, height + 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_down_for_long_takes_whole_blocks_and_signs_again() {
    let mut network = start(3).await;
    let stopped_at = reach(&network, 3, 5).await.height;
    network.processes.kill("validator-3");
    reach(&network, 1, stopped_at + BEHIND).await;
    network.start("validator", "validator-3");
    reach(&network, 3, stopped_at + BEHIND).await;
    check_that_the_third_signs(&mut network).await;
    let log = network.processes.log("validator-3");
    assert!(log.contains("\"catching up\""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_on_the_way_goes_on_where_it_was() {
    let mut network = start(3).await;
    let stopped_at = reach(&network, 3, 5).await.height;
    network.processes.kill("validator-3");
    reach(&network, 1, stopped_at + 3 * BEHIND).await;
    for step in 1..=3 {
        network.start("validator", "validator-3");
        reach(&network, 3, stopped_at + step * BEHIND / 4).await;
        network.processes.kill("validator-3");
    }
    network.start("validator", "validator-3");
    reach(&network, 3, stopped_at + 3 * BEHIND).await;
    check_that_the_third_signs(&mut network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_knows_nothing_signs_only_beyond_what_its_key_can_have_signed() {
    let mut network = start(2).await;
    reach(&network, 1, BEHIND).await;
    network.start("validator", "validator-3");
    reach(&network, 3, BEHIND).await;
    check_that_the_third_signs(&mut network).await;
    let log = network.processes.log("validator-3");
    let observed = "the key can have signed up to this height";
    assert!(
        log.contains("\"catching up\"") && log.contains(observed),
        "{log}"
    );
}
