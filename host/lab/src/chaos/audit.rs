//! What must hold after all of it: every acknowledged ballot on every validator exactly once, of the
//! choice that was cast, and one history.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tabella_protocol::{BoardEntry, Hash};

use super::truth::Truth;
use tabella_cli::{
    backend_api::BackendApi,
    chain,
    dev::Ready,
    http::Client,
    json_rpc,
    load::{Acknowledgement, LoadReport},
};

/// Most receipts that are read again at the end, evenly spread over the ballots.
const RECEIPTS_MAX: usize = 1_000;
/// How long the last acknowledged ballots may take to be confirmed, and the last validator to
/// commit what the first one has.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Audit {
    pub(super) acknowledged: usize,
    /// Answered as pending or recorded at first.
    pub(super) confirmed_later: usize,
    /// Receipts that were read again, verified and compared with the choice.
    pub(super) receipts: usize,
    pub(super) blocks: usize,
    pub(super) repetitions: u64,
}

/// Checks everything; the first thing that does not hold is the error.
pub(super) async fn audit(
    ready: &Ready,
    api: &mut BackendApi,
    election_id: u64,
    report: &LoadReport,
    truth: &Truth<'_>,
) -> Result<Audit> {
    report.require_all_acknowledged(report.acknowledged.len())?;
    let mut expected = BTreeMap::new();
    let mut confirmed_later = 0;
    for acknowledgement in &report.acknowledged {
        let id = &acknowledgement.transaction_id;
        let on_chain = match acknowledgement.is_confirmed() {
            true => acknowledgement.answer.chain_transaction_id,
            false => {
                confirmed_later += 1;
                let waited = api.wait_confirmed(id, election_id, PATIENCE).await?;
                waited.chain_transaction_id
            }
        };
        let choice = choice_of(acknowledgement);
        let ballot_hash = truth.ballot_hash(choice);
        let ballot_hash = ballot_hash.with_context(|| format!("{id} is of no choice: {choice}"))?;
        ensure!(
            expected.insert(on_chain, ballot_hash).is_none(),
            "{id} shares its transaction {on_chain} with another ballot"
        );
    }

    let urls: Vec<String> = ready.validators.iter().map(|v| v.rpc_url.clone()).collect();
    let height = settled_height(&urls).await?;
    let blocks = chain::compare(&urls, height).await?;
    let occurrences = chain::occurrences(&blocks);
    for id in expected.keys() {
        let times = occurrences.get(id).copied().unwrap_or_default();
        ensure!(
            times == 1,
            "the acknowledged ballot {id} stands {times} times in the chain"
        );
    }
    for url in &urls {
        let board = chain::board(url, election_id).await?;
        check_board(&board, &expected).with_context(|| format!("on the board of {url}"))?;
        let mut client = Client::new(url)?;
        let evidence: Vec<Value> =
            json_rpc::call(&mut client, "tabella_getEvidence", json!([])).await?;
        ensure!(evidence.is_empty(), "{url} holds evidence: {evidence:?}");
    }
    let every = report.acknowledged.len().div_ceil(RECEIPTS_MAX).max(1);
    let some = report.acknowledged.iter().step_by(every);
    let some = some.map(|ack| (ack.transaction_id.as_str(), choice_of(ack)));
    Ok(Audit {
        acknowledged: expected.len(),
        confirmed_later,
        receipts: truth.require_receipts(some).await?,
        blocks: blocks.len(),
        repetitions: report.repetitions,
    })
}

/// What was chosen.
fn choice_of(acknowledgement: &Acknowledgement) -> &str {
    let choice = acknowledgement.ballot["choice"].as_str();
    choice.unwrap_or_default()
}

/// Every ballot of `expected`, by its transaction, stands on the board once and with this hash, and
/// nothing else does.
fn check_board(board: &[BoardEntry], expected: &BTreeMap<Hash, Hash>) -> Result<()> {
    let mut missing = expected.clone();
    let mut voters = BTreeSet::new();
    for entry in board {
        let id = entry.transaction_id;
        let cast = expected.get(&id);
        let cast = cast.with_context(|| format!("{id} was never acknowledged"))?;
        ensure!(
            missing.remove(&id).is_some() && voters.insert(entry.voter),
            "{id} or its voter stands twice"
        );
        ensure!(
            entry.ballot_hash == *cast,
            "{id} is of another choice than was cast: its ballot is {}, cast was {cast}",
            entry.ballot_hash
        );
    }
    if let Some(id) = missing.keys().next() {
        anyhow::bail!("the acknowledged ballot {id} is missing");
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use tabella_protocol::VoterId;

    use super::*;

    fn entry(id: u8, voter: u8, ballot: u8) -> BoardEntry {
        BoardEntry {
            election_id: 1,
            position: 0,
            transaction_id: Hash([id; 32]),
            voter: VoterId([voter; 32]),
            weight: 1,
            ballot_hash: Hash([ballot; 32]),
        }
    }

    #[test]
    fn a_lost_a_doubled_a_changed_and_a_strange_ballot_are_found() {
        let expected = BTreeMap::from([
            (Hash([1; 32]), Hash([7; 32])),
            (Hash([2; 32]), Hash([8; 32])),
        ]);
        let (first, second) = (entry(1, 1, 7), entry(2, 2, 8));
        let check = |board: &[&BoardEntry]| {
            let board: Vec<BoardEntry> = board.iter().map(|entry| (*entry).clone()).collect();
            let found = check_board(&board, &expected);
            found
                .map_err(|error| error.to_string())
                .err()
                .unwrap_or_default()
        };
        assert_eq!(check(&[&first, &second]), "");
        assert!(check(&[&first]).contains("is missing"));
        assert!(check(&[&first, &second, &first]).contains("twice"));
        assert!(check(&[&first, &entry(2, 1, 8)]).contains("twice"));
        assert!(check(&[&first, &entry(2, 2, 7)]).contains("another choice"));
        assert!(check(&[&first, &second, &entry(3, 3, 7)]).contains("never acknowledged"));
    }
}
