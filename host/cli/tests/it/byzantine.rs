//! Lying validators among real ones, over the real network.
//!
//! The liar is a pair of twins: two processes with one key, each honest by itself (Bano et al.,
//! "Twins: BFT Systems Made Robust", 2021). Where they propose, the validators that one of them
//! reaches see another block than those that the other reaches.

use serde_json::Value;
use tabella_protocol::Genesis;

use crate::{
    network::{eventually, run},
    processes::{Bare, said},
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
async fn twins_leave_evidence_that_convinces_others_and_blames_nobody_else() {
    let mut network = Bare::new(3, "majority");
    configure(&network, "validator-2", "validator-2", 0, &[3]);
    configure(&network, "validator-3", "validator-3", 0, &[2]);
    configure(&network, "twin-1", "validator-1", 1, &[2]);
    configure(&network, "twin-2", "validator-1", 2, &[3]);
    for name in ["validator-2", "validator-3", "twin-1", "twin-2"] {
        network.start("validator", name);
    }
    // Which of their contradictions comes first is chance: votes and proposals name the liar, acks of
    // a history that has split name two of whom one lied.
    for rpc in [network.rpc(2), network.rpc(3)] {
        eventually("there is evidence", async || {
            (!evidence(&rpc).is_empty()).then_some(())
        })
        .await;
        let answers = verify_offline(&network, &rpc);
        assert!(!names_liar(&answers, "validator-2"), "{answers:?}");
        assert!(!names_liar(&answers, "validator-3"), "{answers:?}");
    }
}
