//! Lying validators among real ones, over the real network.
//!
//! The liar is a pair of twins: two processes with one key, each honest by itself (Bano et al.,
//! "Twins: BFT Systems Made Robust", 2021). Where they propose, the validators that one of them
//! reaches see another block than those that the other reaches.

use serde_json::Value;
use tabella_cli::chain;
use tabella_protocol::{Genesis, rpc::Standing};

use crate::{
    network::{eventually, run},
    processes::{Bare, json, said},
};

/// Configures a process with the key of `of` that dials `peers` and listens at ports of its own.
fn configure(network: &Bare, name: &str, of: &str, twin: u16, peers: &[u16]) {
    network.configure(name, of, |config| {
        config.remove("bootnodes");
        let peers: Vec<_> = peers.iter().map(|n| network.peer(*n)).collect();
        config.insert("peers".into(), peers.into());
        if twin > 0 {
            let (rpc, p2p) = (
                network.ports.base + 20 + twin,
                network.ports.base + 120 + twin,
            );
            config.insert("data".into(), format!("data/{name}").into());
            config.insert("rpc_listen".into(), format!("127.0.0.1:{rpc}").into());
            config.insert("p2p_listen".into(), format!("127.0.0.1:{p2p}").into());
        }
    });
}

/// The evidence that the validator at `rpc` holds.
fn evidence(rpc: &str) -> Vec<Value> {
    let output = run(&["validator", "evidence", "--rpc", rpc, "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Checks every evidence of the validator at `rpc` offline, and that no change of it holds. Answers
/// the answers.
fn verify_offline(network: &Bare, rpc: &str) -> Vec<Value> {
    let out = network.path("evidence");
    let out_text = out.to_str().unwrap();
    let listed = run(&["validator", "evidence", "--rpc", rpc, "--out", out_text]);
    assert_eq!(listed.status.code(), Some(1), "there is some: {listed:?}");
    let genesis = network.genesis();
    let mut other = Genesis::from_json(&std::fs::read_to_string(&genesis).unwrap()).unwrap();
    other.chain_id += 1;
    let other_genesis = network.path("other-genesis.json");
    std::fs::write(&other_genesis, other.to_json()).unwrap();
    let mut answers = Vec::new();
    for entry in std::fs::read_dir(&out).unwrap() {
        let file = entry.unwrap().path();
        let file_text = file.to_str().unwrap();
        let verify = |file: &str, genesis: &str| {
            run(&["verify", "evidence", file, "--genesis", genesis, "--json"])
        };
        let verdict = verify(file_text, &genesis);
        assert_eq!(verdict.status.code(), Some(0), "{}", said(&verdict));
        answers.push(serde_json::from_slice(&verdict.stdout).unwrap());
        let foreign = verify(file_text, other_genesis.to_str().unwrap());
        assert_eq!(foreign.status.code(), Some(1), "{}", said(&foreign));
        assert!(
            said(&foreign).contains("is of network"),
            "{}",
            said(&foreign)
        );
        let bytes = std::fs::read(&file).unwrap();
        let changed_file = network.path("changed.json");
        for position in (0..bytes.len()).step_by(bytes.len() / 10) {
            let mut changed = bytes.clone();
            changed[position] ^= 1;
            std::fs::write(&changed_file, changed).unwrap();
            let verdict = verify(changed_file.to_str().unwrap(), &genesis);
            assert_eq!(
                verdict.status.code(),
                Some(1),
                "byte {position}: {}",
                said(&verdict)
            );
        }
    }
    answers
}

fn names_liar(answers: &[Value], node_id: &str) -> bool {
    answers
        .iter()
        .flat_map(|answer| answer["evidence"]["liars"].as_array().unwrap())
        .any(|liar| liar["node_id"] == node_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_catch_an_equivocating_proposer_and_stop() {
    let mut network = Bare::new(3, "majority");
    configure(&network, "validator-2", "validator-2", 0, &[3]);
    configure(&network, "validator-3", "validator-3", 0, &[2]);
    configure(&network, "twin-1", "validator-1", 1, &[2]);
    configure(&network, "twin-2", "validator-1", 2, &[3]);
    for name in ["validator-2", "validator-3", "twin-1", "twin-2"] {
        network.start("validator", name);
    }
    let honest = [network.rpc(2), network.rpc(3)];
    for rpc in &honest {
        network
            .until("the contradicted node stops signing", rpc, |status| {
                status.standing == Standing::Halted && !status.signing
            })
            .await;
    }
    // One of them holds both certificates, which name who signed both.
    eventually("the liar is named", async || {
        let found = honest.iter().flat_map(|rpc| evidence(rpc));
        let liar = network.key("validator-1");
        found
            .flat_map(|found| found["liars"].as_array().cloned().unwrap_or_default())
            .any(|named| named == liar.as_str())
            .then_some(())
    })
    .await;
    let mut answers = Vec::new();
    for rpc in &honest {
        answers.extend(verify_offline(&network, rpc));
    }
    assert!(names_liar(&answers, "validator-1"), "{answers:?}");
    assert!(!names_liar(&answers, "validator-2"), "{answers:?}");
    assert!(!names_liar(&answers, "validator-3"), "{answers:?}");

    // Stopped for good: it answers reads after a restart too, and signs nothing.
    let before = chain::node_status(&honest[0]).await.unwrap();
    network.processes.kill("validator-2");
    network.start("validator", "validator-2");
    let after = network.until("it is back", &honest[0], |_| true).await;
    assert_eq!(
        (after.standing, after.height),
        (Standing::Halted, before.height)
    );
    assert!(!evidence(&honest[0]).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn four_go_on_past_an_equivocating_proposer_and_report_it() {
    let mut network = Bare::new(4, "bft");
    configure(&network, "validator-1", "validator-1", 0, &[3, 4]);
    configure(&network, "validator-3", "validator-3", 0, &[1, 4]);
    configure(&network, "validator-4", "validator-4", 0, &[1, 3]);
    // Validator 2 has the first turn. Validator 4 hears both of it, and nothing is decided before
    // the other two are there.
    configure(&network, "twin-2", "validator-2", 2, &[4]);
    configure(&network, "twin-1", "validator-2", 1, &[1, 3, 4]);
    network.start("validator", "validator-4");
    network.start("validator", "twin-2");
    let witness = network.rpc(4);
    network
        .until("one twin is heard", &witness, |status| status.peers > 0)
        .await;
    network.start("validator", "twin-1");
    let twin = format!("http://127.0.0.1:{}", network.ports.base + 21);
    network
        .until("the other twin is heard", &twin, |status| status.peers > 0)
        .await;
    network.start("validator", "validator-1");
    network.start("validator", "validator-3");

    let honest = [network.rpc(1), network.rpc(3), witness.clone()];
    for rpc in &honest {
        eventually("evidence reaches every honest validator", async || {
            (!evidence(rpc).is_empty()).then_some(())
        })
        .await;
    }
    let answers = verify_offline(&network, &honest[0]);
    assert!(names_liar(&answers, "validator-2"), "{answers:?}");
    for innocent in ["validator-1", "validator-3", "validator-4"] {
        assert!(!names_liar(&answers, innocent), "{answers:?}");
    }
    let height = chain::node_status(&witness).await.unwrap().height;
    for rpc in &honest {
        let status = network
            .until("the network goes on", rpc, |status| {
                status.height >= height + 5
            })
            .await;
        assert_eq!(status.standing, Standing::Validator);
    }

    // On the chain, everybody knows it.
    let authority = network.path("keys/authority.key").display().to_string();
    let submitted = run(&[
        "validator",
        "evidence",
        "--rpc",
        &honest[0],
        "--submit",
        &authority,
        "--json",
    ]);
    let listed: Vec<Value> = serde_json::from_slice(&submitted.stdout).expect("JSON");
    assert!(
        listed.iter().all(|found| found["on_chain"] == true),
        "{listed:?}"
    );
    let known = listed[0]["id"].clone();
    eventually("another validator has it on the chain", async || {
        evidence(&honest[1])
            .iter()
            .any(|found| found["id"] == known && found["on_chain"] == true)
            .then_some(())
    })
    .await;
    chain::compare(&honest, height).await.unwrap();
    let health = json(&["validator", "status", "--rpc", &honest[0], "--json"]);
    assert_ne!(health["health"]["evidence"], 0, "{health}");
}
