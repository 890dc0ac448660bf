//! kill -9 at any time: nothing acknowledged is lost, nothing is counted twice.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_cli::{
    chain,
    load::{LoadPlan, LoadReport, Submission, cast_all},
};
use tabella_protocol::Hash;

use crate::network::{Network, PATIENCE, eventually, ok, ranked_election, signal};

fn plan(network: &Network, election_id: u64, patience: Duration) -> LoadPlan {
    LoadPlan {
        backend: network.ready.backend.clone(),
        election_id,
        concurrency: 32,
        patience,
        per_second: None,
    }
}

/// Casts everything and calls `strike` once `at` answers have come.
async fn cast_and_strike(
    plan: &LoadPlan,
    submissions: Vec<Submission>,
    at: u64,
    strike: impl FnOnce(),
) -> LoadReport {
    let answered = AtomicU64::new(0);
    let casting = cast_all(plan, submissions.into_iter(), |count| {
        answered.fetch_max(count, Ordering::Relaxed);
    });
    let striking = async {
        eventually("enough answers to strike", async || {
            (answered.load(Ordering::Relaxed) >= at).then_some(())
        })
        .await;
        strike();
    };
    let (report, ()) = tokio::join!(casting, striking);
    report.expect("the load runs")
}

/// Waits until the submission is confirmed; the id of its transaction on the chain.
async fn confirmed(network: &Network, id: &str) -> Hash {
    let mut client = network.admin();
    let path = format!("/api/votes/transaction-status?transaction_id={id}");
    let status: Value = eventually("an acknowledged ballot is confirmed", async || {
        let status = ok(client.get(&path).await.ok()?);
        assert_ne!(status["status"], "rejected", "{status}");
        (status["status"] == "confirmed").then_some(status)
    })
    .await;
    let on_chain = status["chain_transaction_id"].as_str();
    on_chain.expect("a chain id").parse().expect("a hash")
}

/// Every one of `ids` is confirmed, stands once in blocks that all validators share, and the board
/// holds exactly these.
pub(crate) async fn check_exactly_once(
    network: &Network,
    urls: &[String],
    election_id: u64,
    ids: &[String],
) {
    let mut transactions = BTreeSet::new();
    for id in ids {
        transactions.insert(confirmed(network, id).await);
    }
    assert_eq!(transactions.len(), ids.len());
    let mut height = 0;
    for url in urls {
        if let Ok(status) = chain::node_status(url).await {
            height = height.max(status.height);
        }
    }
    for url in urls {
        chain::wait_for_height(url, height, PATIENCE).await.unwrap();
    }
    let blocks = chain::compare(urls, height).await.unwrap();
    let occurrences = chain::occurrences(&blocks);
    for url in urls {
        let board = chain::board(url, election_id).await.unwrap();
        let on_board: BTreeSet<Hash> = board.iter().map(|entry| entry.transaction_id).collect();
        assert_eq!(board.len(), ids.len(), "ballots on the board of {url}");
        assert!(on_board == transactions, "{url} holds other ballots");
    }
    for id in &transactions {
        assert_eq!(occurrences.get(id), Some(&1), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_killed_validator_costs_no_ballot_and_catches_up() {
    const BALLOTS: usize = 3_000;
    let network = Network::start(&["--validators", "3", "--restart"]).await;
    let election_id = network.open_election(&ranked_election());
    let victim = network.ready.validators[1].pid;
    let plan = plan(&network, election_id, PATIENCE);
    let submissions = network.submissions("one", BALLOTS);
    let ids: Vec<String> = submissions
        .iter()
        .map(|submission| submission.transaction_id.clone())
        .collect();
    let report = cast_and_strike(&plan, submissions, 800, || signal(victim, Signal::SIGKILL)).await;
    report.require_all_acknowledged(BALLOTS).unwrap();
    check_exactly_once(&network, &network.rpc_urls(), election_id, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_killed_at_once_loses_no_acknowledged_ballot() {
    const BALLOTS: usize = 2_000;
    let mut network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    let submissions = network.submissions("all", BALLOTS);
    let mut pids = vec![network.dev_pid()];
    pids.extend(network.pids());
    let impatient = plan(&network, election_id, Duration::from_secs(1));
    let report = cast_and_strike(&impatient, submissions.clone(), 700, || {
        for pid in pids {
            signal(pid, Signal::SIGKILL);
        }
    })
    .await;
    assert!(report.refused.is_empty(), "{:?}", report.refused.first());
    assert!(report.acknowledged.len() >= 700);
    assert!(!report.unanswered.is_empty(), "the load outran the kill");
    network.dev_ended().await;
    network.all_gone().await;

    network.start_again().await;
    for acknowledgement in &report.acknowledged {
        confirmed(&network, &acknowledgement.transaction_id).await;
    }
    // All again under the same ids: what was recorded must be answered, not recorded twice.
    let patient = plan(&network, election_id, PATIENCE);
    let ids: Vec<String> = submissions
        .iter()
        .map(|submission| submission.transaction_id.clone())
        .collect();
    let again = cast_all(&patient, submissions.into_iter(), |_| {})
        .await
        .unwrap();
    again.require_all_acknowledged(BALLOTS).unwrap();
    check_exactly_once(&network, &network.rpc_urls(), election_id, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_by_two_thirds_go_on_with_one_down() {
    const BALLOTS: usize = 300;
    let network = Network::start(&["--validators", "4", "--quorum", "bft"]).await;
    let election_id = network.open_election(&ranked_election());
    let victim = network.ready.validators[3].pid;
    let plan = plan(&network, election_id, PATIENCE);
    let submissions = network.submissions("bft", BALLOTS);
    let report = cast_and_strike(&plan, submissions, 100, || signal(victim, Signal::SIGKILL)).await;
    report.require_all_acknowledged(BALLOTS).unwrap();
    for acknowledgement in &report.acknowledged {
        confirmed(&network, &acknowledgement.transaction_id).await;
    }
    let survivors = &network.rpc_urls()[..3];
    let board = chain::board(&survivors[0], election_id).await.unwrap();
    assert_eq!(board.len(), BALLOTS);
    chain::compare(survivors, 1).await.unwrap();
}
