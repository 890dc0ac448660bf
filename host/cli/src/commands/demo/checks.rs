//! What the demo claims, checked: any claim that does not hold is an error.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tabella_api::ResultsAnswer;
use tabella_protocol::{Hash, Receipt};

use super::{PATIENCE, VICTIM};
use crate::{
    backend_api::BackendApi,
    chain,
    dev::Ready,
    load::LoadReport,
    output::{self, plain},
    results::{Round, rounds, side_by_side, winners},
};

/// Every acknowledged ballot must be confirmed in the end, and none may have been refused. Returns
/// the ids of their transactions on the chain.
pub(super) async fn confirm_all(
    api: &mut BackendApi,
    election_id: u64,
    report: &LoadReport,
    ballots: usize,
) -> Result<BTreeSet<Hash>> {
    report.require_all_acknowledged(ballots)?;
    let mut transactions = BTreeSet::new();
    let mut pending = 0;
    for acknowledgement in &report.acknowledged {
        let id = &acknowledgement.transaction_id;
        let confirmed = match acknowledgement.is_confirmed() {
            true => acknowledgement.answer.chain_transaction_id,
            false => {
                pending += 1;
                let waited = api.wait_confirmed(id, election_id, PATIENCE).await?;
                waited.chain_transaction_id
            }
        };
        transactions.insert(confirmed);
    }
    ensure!(
        transactions.len() == ballots,
        "{ballots} ballots were confirmed as {} transactions",
        transactions.len()
    );
    say!("every acknowledged ballot is confirmed ({pending} were answered as pending first)");
    Ok(transactions)
}

/// The validator that was killed must hold the same blocks as the others.
pub(super) async fn caught_up(ready: &Ready) -> Result<()> {
    let started = Instant::now();
    let mut height = 0;
    for validator in &ready.validators {
        if let Ok(status) = chain::node_status(&validator.rpc_url).await {
            height = height.max(status.height);
        }
    }
    for validator in &ready.validators {
        chain::wait_for_height(&validator.rpc_url, height, PATIENCE).await?;
    }
    let urls = rpc_urls(ready);
    chain::compare(&urls, height).await?;
    say!(
        "{VICTIM} caught up: all blocks and states equal on all validators up to height {height} ({:.1} s after the last ballot)",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn rpc_urls(ready: &Ready) -> Vec<String> {
    ready.validators.iter().map(|v| v.rpc_url.clone()).collect()
}

pub(super) struct Published {
    winner: String,
    rounds: Vec<Round>,
}

pub(super) fn read_published(path: &Path) -> Result<Published> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let published: Value =
        serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let winner = published["winner"].as_str();
    Ok(Published {
        winner: winner.context("expected a winner")?.to_owned(),
        rounds: rounds(&published["rounds"]),
    })
}

pub(super) fn compare_rounds(results: &ResultsAnswer, published: &Published) -> Result<()> {
    let contest = results.contests.first().context("expected a contest")?;
    let ours = rounds(&contest.rounds);
    say!("\ncertified result, beside the published one:\n");
    output::text(&side_by_side(&ours, &published.rounds));
    ensure!(
        ours == published.rounds,
        "the rounds differ from the published ones"
    );
    let winners = winners(&contest.winners);
    ensure!(
        winners == [published.winner.as_str()],
        "expected {} to win, got {winners:?}",
        published.winner
    );
    say!(
        "\nequal in every number; elected: {}",
        plain(&published.winner)
    );
    Ok(())
}

/// Every acknowledged transaction stands in the chain once, and the board holds nothing else.
pub(super) async fn check_exactly_once(
    ready: &Ready,
    election_id: u64,
    transactions: &BTreeSet<Hash>,
    results: &ResultsAnswer,
) -> Result<()> {
    let ballots = transactions.len();
    let chain = chain::compare(&rpc_urls(ready), 1).await?;
    let occurrences = chain::occurrences(&chain);
    let board = chain::board(&ready.validators[0].rpc_url, election_id).await?;
    ensure!(
        board.len() == ballots,
        "expected {ballots} ballots on the board, got {}",
        board.len()
    );
    let voters: BTreeSet<_> = board.iter().map(|entry| entry.voter).collect();
    ensure!(voters.len() == ballots, "a voter is on the board twice");
    let on_board: BTreeSet<Hash> = board.iter().map(|entry| entry.transaction_id).collect();
    ensure!(
        on_board == *transactions,
        "the board holds other transactions than those acknowledged"
    );
    for id in transactions {
        let times = occurrences.get(id).copied();
        ensure!(
            times == Some(1),
            "expected {id} once in the chain, got {times:?}"
        );
    }
    let total = results.total_votes;
    ensure!(
        total == ballots as u64,
        "expected {ballots} votes in total, got {total}"
    );
    say!(
        "{ballots} acknowledged ballots stand in {} blocks exactly once; all blocks of all validators are equal",
        chain.len()
    );
    Ok(())
}

/// A receipt holds offline, and does not hold once a byte of it is changed.
pub(super) async fn check_receipt(
    data: &Path,
    api: &mut BackendApi,
    ready: &Ready,
    report: &LoadReport,
) -> Result<()> {
    let last = report.acknowledged.last().context("no ballot was cast")?;
    let receipt = full_receipt(api, &last.transaction_id, ready.validators.len()).await?;
    let good = data.join("receipt.json");
    std::fs::write(&good, &receipt).context("cannot write the receipt")?;
    say!(
        "\n$ tabella verify receipt {} --genesis {}",
        good.display(),
        ready.genesis
    );
    ensure!(verify(&good, ready)?, "the receipt does not verify");

    let text = String::from_utf8(receipt).context("the receipt is not text")?;
    let ballot_hash = Receipt::from_json(&text)?.entry.ballot_hash.to_string();
    let forged = text.replacen(&ballot_hash, &Hash::of(b"another ballot").to_string(), 1);
    let bad = data.join("receipt-tampered.json");
    std::fs::write(&bad, forged).context("cannot write the receipt")?;
    say!(
        "$ tabella verify receipt {} --genesis {}",
        bad.display(),
        ready.genesis
    );
    ensure!(!verify(&bad, ready)?, "a tampered receipt verifies");
    Ok(())
}

/// The receipt with the acks of all validators, or with those that came in time.
async fn full_receipt(api: &mut BackendApi, transaction_id: &str, acks: usize) -> Result<Vec<u8>> {
    const ACKS_WITHIN: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + ACKS_WITHIN;
    loop {
        let bytes = api.receipt(transaction_id).await?;
        let receipt = Receipt::from_json(std::str::from_utf8(&bytes)?)?;
        if receipt.acks.len() >= acks || Instant::now() > deadline {
            return Ok(bytes);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn verify(receipt: &Path, ready: &Ready) -> Result<bool> {
    let binary = std::env::current_exe().context("cannot find this binary")?;
    let status = std::process::Command::new(binary)
        .args(["verify", "receipt"])
        .arg(receipt)
        .args(["--genesis", &ready.genesis])
        .status()
        .context("cannot start tabella verify")?;
    Ok(status.success())
}
