//! Newcomers that would be no help to a network: `tabella validator add` refuses each before the set changes.

use std::path::Path;

use serde_json::json;
use tabella_cli::{chain, http::Client, json_rpc};
use tabella_protocol::{
    VALIDATOR_CHANGE_DELAY,
    rpc::{NodeStatus, Standing, ValidatorsView},
};

use crate::{
    damage::damage_chain,
    membership::{Newcomer, acknowledges, standing},
    network::{Network, PATIENCE, PortRange, eventually, ranked_election, run},
    processes::{Processes, json as tabella_json, said},
};

/// Requires that the network has three validators and none decided for later, when every change that was sent
/// before would hold.
async fn require_three(rpc: &str) {
    let height = chain::node_status(rpc).await.unwrap().height;
    chain::wait_for_height(rpc, height + VALIDATOR_CHANGE_DELAY + 1, PATIENCE)
        .await
        .unwrap();
    let mut client = Client::new(rpc).unwrap();
    let view: ValidatorsView = json_rpc::call(&mut client, "tabella_getValidators", json!([]))
        .await
        .unwrap();
    let names: Vec<_> = view.validators.iter().map(|v| v.node_id.as_str()).collect();
    assert_eq!(names, ["validator-1", "validator-2", "validator-3"]);
    assert!(view.scheduled.is_empty(), "{view:?}");
}

/// How many peers the validator at `rpc` says that it has, as in `2 of 2`.
fn peers(rpc: &str) -> String {
    let output = run(&["validator", "status", "--rpc", rpc]);
    assert!(output.status.success(), "{}", said(&output));
    let text = said(&output);
    let line = text.lines().find_map(|line| line.strip_prefix("peers "));
    line.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
}

async fn until(what: &str, rpc: &str, wanted: impl Fn(&NodeStatus) -> bool) {
    eventually(what, async || {
        let status = chain::node_status(rpc).await.ok()?;
        wanted(&status).then_some(())
    })
    .await;
}

/// Points a configuration to a bootnode that is not there.
fn cut_off(config: &Path) -> String {
    let before = std::fs::read_to_string(config).unwrap();
    let mut changed: toml::Table = before.parse().unwrap();
    let nobody = toml::Value::from(vec!["http://127.0.0.1:9"]);
    changed.insert("bootnodes".into(), nobody);
    std::fs::write(config, changed.to_string()).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_another_network_damaged_or_left_behind_is_not_added() {
    let network = Network::start(&["--validators", "3"]).await;
    network.open_election(&ranked_election());
    let rpc = network.rpc_urls()[0].clone();
    let mut processes = Processes::default();

    // A validator of another network, whose files stand elsewhere.
    let elsewhere = network.path("elsewhere");
    let ports = PortRange::claim();
    let base = ports.base.to_string();
    let out = elsewhere.to_str().unwrap();
    tabella_json(&["init", "--port-base", &base, "--out", out, "--json"]);
    let stranger = Newcomer::in_directory(&elsewhere);
    processes.start("validator", &stranger.config);
    standing(&stranger.rpc, Standing::Outside).await;
    let refusal = stranger.not_added(&network, stranger.key);
    assert!(
        refusal.contains("has another genesis: expected 0x")
            && refusal.contains("validator-4 was not added"),
        "{refusal}"
    );
    processes.kill("validator-4");

    // One that reaches nobody stays at the beginning of the chain.
    let newcomer = Newcomer::in_directory(&network.data());
    let config = cut_off(&newcomer.config);
    processes.start("validator", &newcomer.config);
    standing(&newcomer.rpc, Standing::Outside).await;
    let refusal = newcomer.not_added(&network, newcomer.key);
    assert!(
        refusal.contains("validator-4 does not follow the network, and was not added")
            && refusal.contains("it stays at block 0"),
        "{refusal}"
    );
    processes.kill("validator-4");

    // One whose disk changed what it had fetched.
    std::fs::write(&newcomer.config, config).unwrap();
    processes.start("validator", &newcomer.config);
    let tip = chain::node_status(&rpc).await.unwrap().height;
    let follows = |status: &NodeStatus| status.height >= tip;
    until("it follows", &newcomer.rpc, follows).await;
    processes.kill("validator-4");
    let data = network.data().join("data/validator-4");
    damage_chain(&data);
    processes.start("validator", &newcomer.config);
    let finds = |status: &NodeStatus| !status.damage.is_empty();
    until("it finds the damage", &newcomer.rpc, finds).await;
    let refusal = newcomer.not_added(&network, newcomer.key);
    assert!(
        refusal.contains("validator-4 runs and is not fit to vote, and was not added"),
        "{refusal}"
    );
    processes.kill("validator-4");
    require_three(&rpc).await;

    // The same with a new disk is added. Who counts as a peer is who is in the set.
    std::fs::remove_dir_all(&data).unwrap();
    crate::processes::first_start(&newcomer.config);
    processes.start("validator", &newcomer.config);
    let meets = |status: &NodeStatus| status.peers == 3 && status.height > tip;
    until("it meets the others", &newcomer.rpc, meets).await;
    let of = ["2 of 2", "3 of 3"].map(str::to_owned);
    assert_eq!([peers(&rpc), peers(&newcomer.rpc)], of);
    let from = newcomer.add(&network);
    acknowledges(&rpc, newcomer.key, from).await;
    let of = ["3 of 3", "3 of 3"].map(str::to_owned);
    assert_eq!([peers(&rpc), peers(&newcomer.rpc)], of);
}
