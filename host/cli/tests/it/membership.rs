//! Validators that join, leave and move, and another quorum rule, while ballots are cast.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use tabella_cli::{
    chain,
    http::Client,
    json_rpc,
    load::{LoadPlan, cast_all},
};
use tabella_protocol::{
    PublicKey, Quorum,
    rpc::{BlockSummary, Standing, ValidatorsView},
};

use crate::{
    crash::check_exactly_once,
    network::{Network, PATIENCE, eventually, ok, ranked_election, run, tabella},
    processes::{Bare, Processes, first_start, json, said},
};

/// A validator that is not in genesis.
pub(crate) struct Newcomer {
    pub(crate) node_id: String,
    pub(crate) key: PublicKey,
    pub(crate) rpc: String,
    pub(crate) p2p: String,
    pub(crate) config: PathBuf,
}

impl Newcomer {
    /// As `tabella validator new` writes it into the network's directory.
    fn new(network: &Network) -> Self {
        Self::in_directory(&network.data())
    }

    /// As [`new`](Self::new), for the network whose files stand in `directory`.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        let directory = directory.to_str().unwrap();
        let made = json(&["validator", "new", "--network", directory, "--json"]);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let config = PathBuf::from(text("config"));
        first_start(&config);
        Self {
            node_id: text("node_id"),
            key: text("public_key").parse().unwrap(),
            rpc: text("rpc_url"),
            p2p: text("p2p_address"),
            config,
        }
    }

    pub(crate) fn add(&self, network: &Network) -> u64 {
        self.add_with(network, &[])
    }

    fn add_with(&self, network: &Network, flags: &[&str]) -> u64 {
        let key = self.key.to_string();
        change(network, &[&self.adding(&key), flags].concat())
    }

    pub(crate) fn not_added(&self, network: &Network, key: PublicKey) -> String {
        refused(network, &self.adding(&key.to_string()))
    }

    /// The arguments that add it.
    fn adding<'a>(&'a self, key: &'a str) -> Vec<&'a str> {
        let address = ["--p2p", &self.p2p, "--rpc-url", &self.rpc];
        [&["add", self.node_id.as_str(), key], &address[..]].concat()
    }
}

/// Runs `tabella validator ...` as an authority; returns the first height of the new set.
fn change(network: &Network, arguments: &[&str]) -> u64 {
    let authority = network.data().join("keys/authority.key");
    let output = tabella()
        .arg("validator")
        .args(arguments)
        .args(["--json", "--rpc", &network.rpc_urls()[0], "--authority"])
        .arg(authority)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["from_height"].as_u64().unwrap()
}

/// Runs `tabella validator ...` as an authority, which must be refused; what it said.
fn refused(network: &Network, arguments: &[&str]) -> String {
    let authority = network.data().join("keys/authority.key");
    let output = tabella()
        .arg("validator")
        .args(arguments)
        .args(["--rpc", &network.rpc_urls()[0], "--authority"])
        .arg(authority)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        said(&output)
    );
    said(&output)
}

/// Waits until `rpc` holds a block from `height` on that the validator acknowledged.
pub(crate) async fn acknowledges(rpc: &str, key: PublicKey, height: u64) {
    eventually("the newcomer commits blocks with the others", async || {
        let mut client = Client::new(rpc).unwrap();
        let tip = chain::node_status(rpc).await.ok()?.height;
        let from = height.max(tip.saturating_sub(20));
        let params = json!([from, 20, 0]);
        let blocks: Vec<BlockSummary> =
            json_rpc::call(&mut client, "tabella_getBlockSummaries", params)
                .await
                .ok()?;
        let mut acks = blocks.iter().flat_map(|block| &block.acks);
        acks.any(|ack| ack.validator == key).then_some(())
    })
    .await;
}

pub(crate) async fn standing(rpc: &str, wanted: Standing) {
    eventually("its standing", async || {
        let status = chain::node_status(rpc).await.ok()?;
        (status.standing == wanted).then_some(())
    })
    .await;
}

async fn set_at(rpc: &str, height: u64) -> (usize, Quorum) {
    chain::wait_for_height(rpc, height, PATIENCE).await.unwrap();
    let mut client = Client::new(rpc).unwrap();
    let view: ValidatorsView = json_rpc::call(&mut client, "tabella_getValidators", json!([]))
        .await
        .unwrap();
    (view.validators.len(), view.quorum)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn three_become_five_and_three_again_while_ballots_are_cast() {
    let network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    let rpc = network.rpc_urls()[0].clone();
    let stop = AtomicBool::new(false);
    let casting = async {
        let plan = LoadPlan {
            backend: network.ready.backend.clone(),
            election_id,
            concurrency: 8,
            patience: PATIENCE,
            per_second: Some(100),
        };
        let mut ids = Vec::new();
        for batch in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let submissions = network.submissions(&format!("batch-{batch}"), 50);
            ids.extend(submissions.iter().map(|s| s.transaction_id.clone()));
            let report = cast_all(&plan, submissions.into_iter(), |_| {}).await;
            report.unwrap().require_all_acknowledged(50).unwrap();
        }
        ids
    };
    let changing = async {
        let mut processes = Processes::default();
        let [fourth, fifth] = [(); 2].map(|()| Newcomer::new(&network));
        assert_eq!(
            [&*fourth.node_id, &fifth.node_id],
            ["validator-4", "validator-5"]
        );

        let too_few = refused(&network, &["quorum", "bft"]);
        assert!(
            !too_few.contains("eth_") && too_few.contains("(invalid-validator-change)"),
            "an operator reads a refusal, no wire text: {too_few}"
        );
        assert!(
            too_few.contains("needs at least four validators"),
            "{too_few}"
        );
        let unknown = refused(&network, &["remove", "validator-9"]);
        assert!(
            unknown.contains("there are: validator-1, validator-2"),
            "{unknown}"
        );
        let last = refused(&network, &["remove", "validator-3"]);
        assert!(last.contains("fewer than three survive no crash"), "{last}");

        // One that never ran is a crashed validator as soon as it is one.
        let silent = fourth.not_added(&network, fourth.key);
        assert!(silent.contains("validator-4 does not answer"), "{silent}");
        assert!(silent.contains("--without-asking"), "{silent}");

        // It runs before it is added: nobody lets it in until then.
        processes.start("validator", &fourth.config);
        standing(&fourth.rpc, Standing::Outside).await;
        let another = fourth.not_added(&network, fifth.key);
        assert!(another.contains("has another key"), "{another}");
        let status = chain::node_status(&rpc).await.unwrap();
        assert_eq!(status.standing, Standing::Validator);
        let from = fourth.add(&network);
        acknowledges(&rpc, fourth.key, from).await;
        standing(&fourth.rpc, Standing::Validator).await;
        assert_eq!(set_at(&rpc, from).await, (4, Quorum::Majority));

        let from = change(&network, &["quorum", "bft"]);
        assert_eq!(set_at(&rpc, from).await, (4, Quorum::Bft));

        // Or after, where somebody says so: the others go on until it is there.
        let from = fifth.add_with(&network, &["--without-asking"]);
        chain::wait_for_height(&rpc, from, PATIENCE).await.unwrap();
        processes.start("validator", &fifth.config);
        acknowledges(&rpc, fifth.key, from).await;
        assert_eq!(set_at(&rpc, from).await, (5, Quorum::Bft));

        // A newcomer that dies comes back as a validator.
        processes.kill("validator-4");
        processes.start("validator", &fourth.config);
        standing(&fourth.rpc, Standing::Validator).await;
        let tip = chain::node_status(&rpc).await.unwrap().height;
        acknowledges(&rpc, fourth.key, tip + 1).await;

        // Everybody holds the same while five take part.
        let mut urls = network.rpc_urls();
        urls.extend([fourth.rpc.clone(), fifth.rpc.clone()]);
        for url in &urls {
            chain::wait_for_height(url, tip, PATIENCE).await.unwrap();
        }
        chain::compare(&urls, tip).await.unwrap();

        let from = change(&network, &["remove", "validator-5"]);
        let left = from - 1;
        assert_eq!(set_at(&rpc, from).await, (4, Quorum::Bft));
        standing(&fifth.rpc, Standing::Outside).await;
        let log = processes.log("validator-5");
        assert!(
            log.contains("this node is no validator from this height on"),
            "{log}"
        );

        let three = refused(&network, &["remove", "validator-4"]);
        assert!(three.contains("needs at least four validators"), "{three}");
        change(&network, &["quorum", "majority"]);
        let from = change(&network, &["remove", "validator-4"]);
        assert_eq!(set_at(&rpc, from).await, (3, Quorum::Majority));
        standing(&fourth.rpc, Standing::Outside).await;

        // What it says to a client, and that it votes no more.
        let mut client = Client::new(&fourth.rpc).unwrap();
        let params = json!(["0x00"]);
        let answer: Result<Value, _> =
            json_rpc::call(&mut client, "eth_sendRawTransaction", params).await;
        let answer = answer.expect_err("it takes no transactions").to_string();
        assert!(answer.contains("no validator"), "{answer}");
        chain::wait_for_height(&rpc, from + 5, PATIENCE)
            .await
            .unwrap();
        let mut client = Client::new(&rpc).unwrap();
        let params = json!([from, 5, 0]);
        let blocks: Vec<BlockSummary> =
            json_rpc::call(&mut client, "tabella_getBlockSummaries", params)
                .await
                .unwrap();
        for block in blocks {
            let certified = block.certificate.signatures.iter().map(|s| s.validator);
            let acked = block.acks.iter().map(|ack| ack.validator);
            assert!(
                certified
                    .chain(acked)
                    .all(|by| by != fourth.key && by != fifth.key),
                "a validator that left signed block {}",
                block.header.height
            );
        }
        // What the leavers hold is what the others hold.
        chain::compare(&urls, left).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        processes
    };
    let (ids, _processes) = tokio::join!(casting, changing);
    assert!(ids.len() >= 100, "ballots were cast meanwhile");
    check_exactly_once(&network, &network.rpc_urls(), election_id, &ids).await;

    // A receipt of a block after all the changes holds offline, with nothing but genesis.
    let last = ids.last().unwrap();
    let path = format!("/api/votes/receipt?transaction_id={last}");
    let mut client = network.admin();
    let text = eventually("the receipt", async || {
        let answer = client.get(&path).await.unwrap();
        answer
            .is_success()
            .then(|| String::from_utf8(answer.body.to_vec()).unwrap())
    })
    .await;
    let file = network.path("receipt.json");
    std::fs::write(&file, text).unwrap();
    let genesis = &network.ready.genesis;
    let verdict = run(&[
        "verify",
        "receipt",
        file.to_str().unwrap(),
        "--genesis",
        genesis,
    ]);
    assert!(verdict.status.success(), "{}", said(&verdict));
    assert!(
        said(&verdict).contains("of 3 validators"),
        "{}",
        said(&verdict)
    );

    let path = format!("/api/votes/verify-blockchain?election_id={election_id}");
    let checked = ok(client.post(&path, &json!({})).await.unwrap());
    assert_eq!(checked["valid"], true, "{checked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_find_each_other_again_with_every_bootnode_down() {
    let mut network = Bare::new(3, "majority");
    let second = format!("127.0.0.1:{}", network.ports.base + 66);
    network.configure("bootnode-2", "bootnode", |config| {
        config.insert("listen".into(), second.clone().into());
    });
    let validators = ["validator-1", "validator-2", "validator-3"];
    for (n, name) in validators.iter().enumerate() {
        network.configure(name, name, |config| {
            // The first bootnode is down from the start for one of them.
            let first = config["bootnodes"][0].clone();
            let second = toml::Value::from(format!("http://{second}"));
            let bootnodes = if n == 0 {
                vec![second]
            } else {
                vec![first, second]
            };
            config.insert("bootnodes".into(), bootnodes.into());
        });
    }
    network.start("bootnode", "bootnode-2");
    for name in validators {
        network.start_first(name);
    }
    let all_met = async |network: &Bare, height: u64| {
        let mut highest = 0;
        for n in 1..=3 {
            let status = network
                .until("all have met and decide", &network.rpc(n), |status| {
                    status.peers == 2 && status.height > height
                })
                .await;
            highest = highest.max(status.height);
        }
        highest
    };
    let height = all_met(&network, 2).await;
    network.processes.kill("bootnode-2");
    for name in validators {
        network.processes.kill(name);
    }
    for name in validators {
        network.start("validator", name);
    }
    all_met(&network, height).await;

    // One moves, with every bootnode down still: the chain tells the others.
    let to = network.ports.base + 130;
    let authority = network.path("keys/authority.key").display().to_string();
    let p2p = format!("127.0.0.1:{to}");
    json(&[
        "validator",
        "readdress",
        "validator-2",
        "--p2p",
        &p2p,
        "--rpc-url",
        &network.rpc(2),
        "--authority",
        &authority,
        "--rpc",
        &network.rpc(1),
        "--json",
    ]);
    network.processes.kill("validator-2");
    network.configure("validator-2", "validator-2", |config| {
        config.insert("p2p_listen".into(), p2p.clone().into());
        config.insert("p2p_address".into(), p2p.clone().into());
        // It knows nobody: whoever finds it knows where it is.
        config.remove("bootnodes");
        config.remove("peers");
    });
    std::fs::remove_file(network.path("data/validator-2/peers.json")).unwrap();
    network.start("validator", "validator-2");
    let height = chain::node_status(&network.rpc(1)).await.unwrap().height;
    all_met(&network, height).await;
}
