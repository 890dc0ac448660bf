//! What must hold after all of it: every acknowledged ballot on every validator exactly once, and
//! one history.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tabella_protocol::Hash;

use crate::{backend_api::BackendApi, chain, dev::Ready, http::Client, json_rpc, load::LoadReport};

/// How long the last acknowledged ballots may take to be confirmed, and the last validator to
/// commit what the first one has.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Audit {
    pub(super) acknowledged: usize,
    /// Answered as pending or recorded at first.
    pub(super) confirmed_later: usize,
    pub(super) blocks: usize,
    pub(super) repetitions: u64,
}

/// Checks everything; the first thing that does not hold is the error.
pub(super) async fn audit(
    ready: &Ready,
    api: &mut BackendApi,
    election_id: u64,
    report: &LoadReport,
) -> Result<Audit> {
    report.require_all_acknowledged(report.acknowledged.len())?;
    let mut expected = BTreeSet::new();
    let mut confirmed_later = 0;
    for acknowledgement in &report.acknowledged {
        let id = &acknowledgement.transaction_id;
        let confirmed = match acknowledgement.is_confirmed() {
            true => acknowledgement.answer.clone(),
            false => {
                confirmed_later += 1;
                api.wait_confirmed(id, election_id, PATIENCE).await?
            }
        };
        let on_chain = confirmed["chain_transaction_id"].as_str();
        let on_chain: Hash = on_chain
            .with_context(|| format!("{id} is confirmed without a chain id: {confirmed}"))?
            .parse()?;
        ensure!(
            expected.insert(on_chain),
            "{id} shares its transaction {on_chain} with another ballot"
        );
    }

    let urls: Vec<String> = ready.validators.iter().map(|v| v.rpc_url.clone()).collect();
    let height = settled_height(&urls).await?;
    let blocks = chain::compare(&urls, height).await?;
    let occurrences = chain::occurrences(&blocks);
    for id in &expected {
        let times = occurrences.get(id).copied().unwrap_or_default();
        ensure!(
            times == 1,
            "the acknowledged ballot {id} stands {times} times in the chain"
        );
    }
    for url in &urls {
        let board = chain::board(url, election_id).await?;
        let on_board: BTreeSet<Hash> = board.iter().map(|entry| entry.transaction_id).collect();
        let voters: BTreeSet<_> = board.iter().map(|entry| entry.voter).collect();
        ensure!(
            on_board.len() == board.len() && voters.len() == board.len(),
            "a ballot or a voter is twice on the board of {url}"
        );
        if let Some(missing) = expected.difference(&on_board).next() {
            anyhow::bail!("the acknowledged ballot {missing} is not on the board of {url}");
        }
        if let Some(unknown) = on_board.difference(&expected).next() {
            anyhow::bail!("{unknown} on the board of {url} was never acknowledged");
        }
        let mut client = Client::new(url)?;
        let evidence: Vec<Value> =
            json_rpc::call(&mut client, "tabella_getEvidence", json!([])).await?;
        ensure!(evidence.is_empty(), "{url} holds evidence: {evidence:?}");
    }
    Ok(Audit {
        acknowledged: expected.len(),
        confirmed_later,
        blocks: blocks.len(),
        repetitions: report.repetitions,
    })
}

/// The greatest height of any validator, once all have reached it.
async fn settled_height(urls: &[String]) -> Result<u64> {
    let mut height = 0;
    for url in urls {
        height = height.max(chain::node_status(url).await?.height);
    }
    let deadline = Instant::now() + PATIENCE;
    for url in urls {
        let left = deadline.saturating_duration_since(Instant::now());
        chain::wait_for_height(url, height, left).await?;
    }
    Ok(height)
}
