//! Lying validators among real ones, over the real network.
//!
//! The liar is a pair of twins: two processes with one key, each honest by itself (Bano et al.,
//! "Twins: BFT Systems Made Robust", 2021). Where they propose, the validators that one of them
//! reaches see another block than those that the other reaches.

use serde_json::Value;
use tabella_cli::{chain, http::Client};
use tabella_protocol::{Genesis, rpc::NodeStatus};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};

use crate::{
    network::{eventually, run},
    processes::{Bare, said},
};

/// Configures a process with the key of `of` that dials `peers` and listens at ports of its own.
fn configure(network: &Bare, name: &str, of: &str, twin: u16, peers: Vec<toml::Value>) {
    network.configure(name, of, |config| {
        config.remove("bootnodes");
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

/// Checks every evidence of the validator at `rpc` offline, and that no change of it holds. Returns
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

/// Waits until the validator at `rpc` holds evidence that names the liar, and checks that it convinces
/// others and blames nobody else.
async fn names_the_liar(network: &Bare, n: u16) {
    let rpc = network.rpc(n);
    eventually("there is evidence that names the liar", async || {
        let liars = evidence(&rpc)
            .into_iter()
            .map(|found| found["liars"].clone());
        let named = |liars: Value| liars.as_array().is_some_and(|liars| !liars.is_empty());
        liars.into_iter().any(named).then_some(())
    })
    .await;
    let answers = verify_offline(network, &rpc);
    assert!(names_liar(&answers, "validator-1"), "{answers:?}");
    for honest in ["validator-2", "validator-3", "validator-4"] {
        assert!(!names_liar(&answers, honest), "{answers:?}");
    }
    let log = network.processes.log(&format!("validator-{n}"));
    assert!(log.contains("contradict each other"), "{log}");
    let metrics = Client::new(&rpc).unwrap().get("/metrics").await.unwrap();
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tabella_evidence_total "));
    assert!(counted.is_some_and(|count| count != "0"), "{counted:?}");
}

/// A network in which the twins of validator 1 reach different validators. The honest ones reach each
/// other at the addresses that `reach` answers.
fn with_twins(
    validators: u16,
    quorum: &str,
    first_reaches: &[u16],
    second_reaches: &[u16],
    reach: impl Fn(&Bare, u16) -> toml::Value,
) -> Bare {
    let mut network = Bare::new(u8::try_from(validators).unwrap(), quorum);
    let directly = |n: &u16| network.peer(*n);
    let first: Vec<_> = first_reaches.iter().map(directly).collect();
    let second: Vec<_> = second_reaches.iter().map(directly).collect();
    configure(&network, "twin-1", "validator-1", 0, first);
    configure(&network, "twin-2", "validator-1", 2, second);
    for n in 2..=validators {
        let others = (2..=validators).filter(|other| *other != n);
        let others = others.map(|other| reach(&network, other)).collect();
        let name = format!("validator-{n}");
        configure(&network, &name, &name, 0, others);
        network.start_first(&name);
    }
    network.start_first("twin-1");
    network.start_first("twin-2");
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn four_go_on_past_twins_and_each_proves_who_lied() {
    let mut network = with_twins(4, "bft", &[2, 3], &[4], Bare::peer);
    network.start("backend", "backend");
    for n in [2, 3, 4] {
        names_the_liar(&network, n).await;
    }
    let rpc = |n| network.rpc(n);
    let height = |n| async move { chain::node_status(&rpc(n)).await.unwrap().height };
    let reached = height(2).await.max(height(3).await).max(height(4).await);
    for n in [2, 3, 4] {
        let goes_on = |status: &NodeStatus| status.signing && status.height > reached + 4;
        network.until("it goes on", &rpc(n), goes_on).await;
    }
    let text = std::fs::read_to_string(network.path("backend.toml")).unwrap();
    let config: toml::Table = text.parse().unwrap();
    let backend = format!("http://{}", config["listen"].as_str().unwrap());
    let mut backend = Client::new(&backend).unwrap();
    eventually("the health page tells who lied", async || {
        let health = backend.get("/api/admin/validators/health").await;
        let health = health.ok()?.json();
        let validators = health["validators"].as_array()?;
        let liar = validators.iter().find(|v| v["node_id"] == "validator-1")?;
        let problem = liar["problem"].as_str()?;
        (problem.contains("contradicted itself") && liar["status"] != "healthy").then_some(())
    })
    .await;
}

/// Where validator `n` is reached once [`open_door`] is called for it: nobody listens there before.
fn behind_a_door(network: &Bare, n: u16) -> toml::Value {
    let mut peer = network.peer(n);
    peer["p2p_address"] = format!("127.0.0.1:{}", network.ports.base + 140 + n).into();
    peer
}

/// Lets validator `n` be reached where [`behind_a_door`] says, for as long as the test runs.
async fn open_door(network: &Bare, n: u16) {
    let address = |peer: &toml::Value| peer["p2p_address"].as_str().unwrap().to_owned();
    let door = TcpListener::bind(address(&behind_a_door(network, n)));
    let (door, behind) = (door.await.unwrap(), address(&network.peer(n)));
    tokio::spawn(async move {
        loop {
            let (mut near, _) = door.accept().await.unwrap();
            let behind = behind.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(&behind).await?;
                copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
}

/// Two of three decide, and one of the two lies: each honest validator decides with the twin that
/// reaches it, until they meet.
#[tokio::test(flavor = "multi_thread")]
async fn three_stop_signing_when_twins_split_them_and_each_proves_who_lied() {
    let network = with_twins(3, "majority", &[2], &[3], behind_a_door);
    for n in [2, 3] {
        // At the third height each has proposed once, so that the blocks differ.
        let went_apart = |status: &NodeStatus| status.height >= 3;
        network
            .until("it goes on with its twin", &network.rpc(n), went_apart)
            .await;
    }
    open_door(&network, 2).await;
    open_door(&network, 3).await;
    for n in [2, 3] {
        let stopped = |status: &NodeStatus| !status.signing;
        network
            .until("it stops signing", &network.rpc(n), stopped)
            .await;
        names_the_liar(&network, n).await;
    }
}
