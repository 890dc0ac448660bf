//! `tabella dev`: starts, tells where everything is, stops, goes on from the same data.

use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_cli::chain;

use crate::network::{Network, PATIENCE, eventually, signal, tabella};

#[tokio::test(flavor = "multi_thread")]
async fn a_network_stops_on_ctrl_c_and_goes_on_from_the_same_data() {
    let mut network = Network::start(&["--validators", "3"]).await;
    let text = std::fs::read_to_string(network.data().join("ready.json")).unwrap();
    let ready: Value = serde_json::from_str(&text).unwrap();
    let fields = |value: &Value| -> Vec<String> {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect()
    };
    assert_eq!(
        fields(&ready),
        [
            "admin_token",
            "backend",
            "backend_pid",
            "bootnode",
            "genesis",
            "validators"
        ]
    );
    assert_eq!(fields(&ready["bootnode"]), ["pid", "url"]);
    assert_eq!(
        fields(&ready["validators"][2]),
        ["node_id", "p2p_url", "pid", "rpc_url"]
    );

    let second = tabella()
        .args(["dev", "--data"])
        .arg(network.data())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(message.contains("another `tabella dev` runs"), "{message}");

    let first_url = network.rpc_urls()[0].clone();
    chain::wait_for_height(&first_url, 2, PATIENCE)
        .await
        .unwrap();
    let before = chain::compare(&network.rpc_urls(), 1).await.unwrap();

    signal(network.dev_pid(), Signal::SIGINT);
    assert!(network.dev_ended().await.success());
    network.all_gone().await;
    assert!(!network.data().join("ready.json").exists());

    network.start_again().await;
    let height = before.len() as u64 + 1;
    for url in network.rpc_urls() {
        chain::wait_for_height(&url, height, PATIENCE)
            .await
            .unwrap();
    }
    let after = chain::compare(&network.rpc_urls(), height).await.unwrap();
    assert_eq!(&after[..before.len()], &before[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_told_and_nothing_is_left_behind_when_dev_is_killed() {
    let mut network = Network::start(&["--validators", "1"]).await;

    // The death of a part is told, with the end of its log.
    let victim = network.ready.bootnode.pid;
    signal(victim, Signal::SIGKILL);
    let told = format!("bootnode (pid {victim}) ended: signal: 9 (SIGKILL)");
    eventually("dev tells that the bootnode is gone", async || {
        let said = network.dev_said();
        (said.contains(&told) && said.contains("last lines of")).then_some(())
    })
    .await;

    signal(network.dev_pid(), Signal::SIGKILL);
    network.dev_ended().await;
    network.all_gone().await;
}
