//! A disk that loses everything, an operator who is careless with keys.

use std::{
    fs::{Permissions, remove_dir_all, set_permissions},
    os::unix::fs::PermissionsExt,
};

use tabella_protocol::rpc::NodeStatus;

use crate::{
    network::{eventually, run},
    processes::{Bare, first_start, said},
};

/// What a backend says of a configuration whose database URL holds a password, with this mode.
fn said_of_a_password(mode: u32) -> String {
    let network = Bare::new(1, "majority");
    network.configure("backend", "backend", |config| {
        let url = "postgres://tabella:hush-hush@127.0.0.1:1/tabella";
        config.insert("database".into(), url.into());
        // It does not start whatever the mode is.
        config.insert("genesis".into(), "missing.json".into());
    });
    let config = network.path("backend.toml");
    set_permissions(&config, Permissions::from_mode(mode)).unwrap();
    let config = config.to_str().unwrap();
    let refused = run(&["backend", "--config", config]);
    assert!(!refused.status.success());
    said(&refused)
}

#[test]
fn a_database_password_that_others_can_read_is_refused() {
    for mode in [0o644, 0o640, 0o604] {
        let said = said_of_a_password(mode);
        assert!(said.contains("open to others"), "{mode:o}: {said}");
        assert!(said.contains("chmod 600"), "{mode:o}: {said}");
        assert!(!said.contains("hush-hush"), "{mode:o}: {said}");
    }
    let said = said_of_a_password(0o600);
    assert!(!said.contains("open to others"), "{said}");
}

fn reached(height: u64) -> impl Fn(&NodeStatus) -> bool {
    move |status| status.height >= height
}

/// Waits until a validator says this in its log.
async fn says(network: &Bare, name: &str, what: &str) {
    eventually(what, async || {
        network.processes.log(name).contains(what).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_whose_disk_was_wiped_signs_nothing_that_it_may_have_signed() {
    let mut network = Bare::new(3, "majority");
    network.start("bootnode", "bootnode");
    for name in ["validator-1", "validator-2", "validator-3"] {
        network.start_first(name);
    }
    let [first, second, third] = [1, 2, 3].map(|n| network.rpc(n));
    network.until("blocks come", &third, reached(10)).await;
    network.processes.kill("validator-3");
    remove_dir_all(network.path("data/validator-3")).unwrap();
    network.processes.kill("validator-1");
    let stopped_at = network.until("it answers", &second, |_| true).await.height;

    // Fewer than 64 blocks behind, and without a quorum of others that could say what it signed.
    network.start("validator", "validator-3");
    says(&network, "validator-3", "still not signing").await;
    let now = network.until("it answers", &second, |_| true).await.height;
    // What was on its way at the kill may still have been decided.
    assert!(now <= stopped_at + 1, "{stopped_at}, then {now}");
    let signing = network.until("it answers", &third, |_| true).await.signing;
    assert!(!signing, "a validator that lost all it knew signs");

    network.start("validator", "validator-1");
    network.until("they go on", &first, reached(now + 5)).await;
    network
        .until("it signs again", &third, |status| status.signing)
        .await;
    // Now nothing is decided without it.
    network.processes.kill("validator-1");
    let height = network.until("it answers", &second, |_| true).await.height;
    network
        .until("both go on", &second, reached(height + 5))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_of_a_new_network_sign_once_they_may() {
    let mut network = Bare::new(3, "majority");
    network.start("bootnode", "bootnode");
    let names = ["validator-1", "validator-2", "validator-3"];
    for name in names {
        network.start("validator", name);
    }
    for name in names {
        says(&network, name, "--first-start").await;
        says(&network, name, "still not signing").await;
    }
    for n in 1..=3 {
        let rpc = network.rpc(n);
        let height = network.until("it answers", &rpc, |_| true).await.height;
        assert_eq!(height, 0, "validator {n} signed");
    }
    let config = network.path("validator-1.toml");
    let again = run(&[
        "validator",
        "--config",
        config.to_str().unwrap(),
        "--first-start",
    ]);
    let refusal = said(&again);
    assert!(
        !again.status.success() && refusal.contains("not empty"),
        "{refusal}"
    );

    // Two say that this is the first start; the third sees what it cannot have signed.
    for name in &names[..2] {
        network.processes.kill(name);
        remove_dir_all(network.path(&format!("data/{name}"))).unwrap();
        first_start(&network.path(&format!("{name}.toml")));
        network.start("validator", name);
    }
    network
        .until("the third signs", &network.rpc(3), |status| status.signing)
        .await;
    let mark = network.path("data/validator-1/first-start.json");
    eventually("the mark is gone", async || (!mark.exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_does_not_start_with_a_key_that_others_can_read() {
    let mut network = Bare::new(3, "majority");
    first_start(&network.path("validator-1.toml"));
    set_permissions(
        network.path("keys/validator-1.key"),
        Permissions::from_mode(0o644),
    )
    .unwrap();
    network.start("validator", "validator-1");
    let (status, log) = network.processes.ended("validator-1").await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("chmod 600"), "{log}");
}
