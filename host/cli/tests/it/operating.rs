//! What an operator asks of running processes, and how they stop.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_cli::{
    chain,
    http::Client,
    load::{LoadPlan, cast_all},
};
use tabella_protocol::{
    ConsensusVote, ConsensusVoteKind, Evidence, EvidenceFile, Hash, SigningKey,
};

use crate::network::{
    Network, PATIENCE, eventually, is_alive, ranked_election, run, signal, tabella,
};

/// How long a process may take to stop in order.
const DRAIN_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_blocks_come() {
    let network = Network::start(&["--validators", "3"]).await;
    let url = network.rpc_urls()[0].clone();
    let told = run(&["health", &url]);
    assert!(told.status.success(), "{told:?}");
    let status = || {
        let output = run(&["validator", "status", "--rpc", &url, "--json"]);
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    eventually("all three are connected", async || {
        (status()["status"]["peers"] == 2).then_some(())
    })
    .await;
    assert_eq!(status()["health"]["ready"], true);
    // A peer that connected by itself is known as soon as its record is told.
    eventually("both others are known", async || {
        let peers = run(&["validator", "peers", "--rpc", &url]);
        let peers = String::from_utf8_lossy(&peers.stdout).into_owned();
        (peers.contains("2 validators are connected, the addresses of 2 are known")
            && peers.contains("validator-3"))
        .then_some(())
    })
    .await;
    let evidence = run(&["validator", "evidence", "--rpc", &url]);
    assert_eq!(evidence.status.code(), Some(0), "{evidence:?}");

    // Without a quorum it lives and answers, but what is submitted is not decided.
    for validator in &network.ready.validators[1..] {
        signal(validator.pid, Signal::SIGKILL);
    }
    let mut client = Client::new(&url).unwrap();
    eventually("it is not ready without a quorum", async || {
        let ready = client.get("/health/ready").await.ok()?;
        (ready.status == 503).then_some(())
    })
    .await;
    assert_eq!(client.get("/health/live").await.unwrap().status, 200);
    assert_eq!(run(&["health", &url]).status.code(), Some(1));
    assert_eq!(run(&["health", "--live", &url]).status.code(), Some(0));
    let told = run(&["validator", "status", "--rpc", &url]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("not ready"), "{told}");

    signal(network.ready.validators[0].pid, Signal::SIGKILL);
    eventually("nobody answers any more", async || {
        (run(&["health", "--live", &url]).status.code() == Some(1)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_stops_in_order_within_ten_seconds_under_load() {
    let network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    let plan = LoadPlan {
        backend: network.ready.backend.clone(),
        election_id,
        concurrency: 32,
        // The last ones find nobody.
        patience: Duration::from_secs(2),
        per_second: None,
    };
    let submissions = network.submissions("drain", 100_000);
    let casting =
        tokio::spawn(async move { cast_all(&plan, submissions.into_iter(), |_| ()).await });
    let mut backend = network.anonymous();
    let turnout = format!("/api/elections/{election_id}");
    eventually("votes are cast", async || {
        let election = backend.get(&turnout).await.ok()?.json();
        (election["turnout"].as_u64()? > 200).then_some(())
    })
    .await;
    let processes = [
        ("validator-2", network.ready.validators[1].pid),
        ("backend", network.ready.backend_pid),
        ("validator-1", network.ready.validators[0].pid),
        ("bootnode", network.ready.bootnode.pid),
    ];
    for (name, pid) in processes {
        let asked = Instant::now();
        signal(pid, Signal::SIGTERM);
        let ended = format!("{name} (pid {pid}) ended: exit status: 0");
        eventually("the process ends without a failure", async || {
            network.dev_said().contains(&ended).then_some(())
        })
        .await;
        assert!(asked.elapsed() < DRAIN_MAX, "{name}: {:?}", asked.elapsed());
    }
    let report = tokio::time::timeout(PATIENCE, casting).await;
    let report = report.expect("the load ends").unwrap().unwrap();
    assert!(report.refused.is_empty(), "{:?}", report.refused.first());
}

/// Kills the process with the test.
struct Guarded(std::process::Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, Clone, Copy)]
enum Left {
    ABackup,
    Nothing,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_validator_signs_only_when_it_is_beyond_what_it_signed_before() {
    check_restored(Left::ABackup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_lost_everything_signs_only_after_it_caught_up() {
    check_restored(Left::Nothing).await;
}

async fn check_restored(left: Left) {
    let network = Network::start(&["--validators", "3"]).await;
    let urls = network.rpc_urls();
    let config = |name: &str| {
        let path = network.data().join(format!("{name}.toml"));
        path.to_str().expect("UTF-8").to_owned()
    };
    let (copy, config_2) = (network.path("copy"), config("validator-2"));
    let copy = copy.to_str().expect("UTF-8");
    let backup = |config: &str| run(&["backup", "--config", config, "--out", copy]);
    let refused = backup(&config("validator-1"));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("stop it first"), "{message}");

    let victim = network.ready.validators[1].pid;
    chain::wait_for_height(&urls[1], 2, PATIENCE).await.unwrap();
    signal(victim, Signal::SIGTERM);
    eventually("the validator stops", async || {
        (!is_alive(victim)).then_some(())
    })
    .await;
    let made = backup(&config_2);
    assert!(made.status.success(), "{made:?}");

    // The disk is lost after the network went on.
    let height = chain::node_status(&urls[0]).await.unwrap().height;
    chain::wait_for_height(&urls[0], height + 3, PATIENCE)
        .await
        .unwrap();
    let data = network.data().join("data/validator-2");
    std::fs::remove_dir_all(&data).unwrap();
    let restored = match left {
        Left::ABackup => run(&["restore", "--config", &config_2, "--from", copy]),
        Left::Nothing => run(&["restore", "--config", &config_2, "--lost"]),
    };
    assert!(restored.status.success(), "{restored:?}");

    let log = network.path("restored.log");
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let process = tabella()
        .args(["validator", "--config", &config_2])
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn();
    let _process = Guarded(process.expect("the binary starts"));
    eventually("it follows without signing, then takes part", async || {
        let said = said();
        let observed = said.contains("following the chain without signing");
        (observed && said.contains("validator started")).then_some(())
    })
    .await;
    assert!(!data.join("restored.json").exists());

    // With another one down, nothing is decided unless it signs.
    signal(network.ready.validators[2].pid, Signal::SIGKILL);
    let height = chain::node_status(&urls[0]).await.unwrap().height;
    for url in &urls[..2] {
        chain::wait_for_height(url, height + 5, PATIENCE)
            .await
            .unwrap();
        let evidence = run(&["validator", "evidence", "--rpc", url]);
        assert_eq!(evidence.status.code(), Some(0), "{evidence:?}");
    }
    chain::compare(&urls[..2], height + 5).await.unwrap();
}

/// Two votes of validator 1 that contradict each other, signed with its key.
fn two_votes_of_validator_1(network: &Network) -> Evidence {
    let genesis = network.genesis().hash();
    let seed = std::fs::read_to_string(network.data().join("keys/validator-1.key")).unwrap();
    let liar = SigningKey::from_seed(Hash::parse_lenient(seed.trim()).unwrap().0);
    let vote = |value: &[u8]| {
        let vote = ConsensusVote {
            kind: ConsensusVoteKind::Precommit,
            height: 1,
            round: 0,
            value: Some(Hash::of(value)),
            validator: liar.public(),
        };
        let signature = liar.sign(&vote.signing_bytes(&genesis));
        (vote, signature)
    };
    Evidence::votes(vote(b"a"), vote(b"b"))
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_in_a_file_is_put_on_the_chain_by_any_validator() {
    let network = Network::start(&["--validators", "3"]).await;
    let url = network.rpc_urls()[1].clone();
    chain::wait_for_height(&url, 2, PATIENCE).await.unwrap();
    let held = EvidenceFile {
        version: EvidenceFile::VERSION,
        genesis: network.genesis().hash(),
        evidence: two_votes_of_validator_1(&network),
        validator_sets: Vec::new(),
    };
    let file = network.path("evidence-1.json");
    std::fs::write(&file, held.to_json()).unwrap();
    let (file, authority) = (
        file.to_str().unwrap(),
        network.data().join("keys/authority.key"),
    );
    let authority = authority.to_str().unwrap();
    let submit = |file: &str| {
        let words = [
            "validator",
            "evidence",
            "--rpc",
            &url,
            "--submit",
            authority,
            "--file",
            file,
        ];
        let output = run(&words);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = submit(file);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("is on the chain, in block "), "{text}");
    let (code, text) = submit(file);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is on the chain already"), "{text}");
    // Another file is not evidence.
    let (code, text) = submit(&network.ready.genesis);
    assert_eq!(code, Some(1), "{text}");
    let refused = run(&["validator", "evidence", "--file", file]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_later_hears_of_evidence_too() {
    let network = Network::start(&["--validators", "3"]).await;
    let url = network.rpc_urls()[1].clone();
    chain::wait_for_height(&url, 2, PATIENCE).await.unwrap();
    let third = network.ready.validators[2].pid;
    signal(third, Signal::SIGTERM);
    eventually("the validator stops", async || {
        (!is_alive(third)).then_some(())
    })
    .await;
    // It found this alone, when nobody heard it.
    let found = serde_json::to_string(&[two_votes_of_validator_1(&network)]).unwrap();
    let file = network.data().join("data/validator-3/evidence.json");
    std::fs::write(file, found).unwrap();
    let process = tabella()
        .args(["validator", "--config"])
        .arg(network.data().join("validator-3.toml"))
        .stderr(std::process::Stdio::null())
        .spawn();
    let _process = Guarded(process.expect("the binary starts"));
    eventually("validator 2 holds the evidence", async || {
        let held = run(&["validator", "evidence", "--rpc", &url, "--json"]);
        let held: Value = serde_json::from_slice(&held.stdout).ok()?;
        let liar = network.genesis().validators[0].public_key.to_string();
        (held[0]["liars"][0] == liar.as_str()).then_some(())
    })
    .await;
}
