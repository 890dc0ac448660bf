//! What the validators' chains must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{http, wait};

/// Blocks, and items of a board, asked for in one call.
const PAGE: u64 = 200;

/// Every ballot stands on every validator's board and in its blocks once, nothing else does, and all
/// validators have the same blocks. Returns how many.
pub(super) fn check(ports: &[u16], ballots: &BTreeSet<String>) -> Result<u64> {
    let mut height = 0;
    for port in ports {
        height = height.max(height_of(*port)?);
    }
    for port in ports {
        wait(
            &format!("the validator at port {port} to have block {height}"),
            || Ok((height_of(*port)? >= height).then_some(())),
        )?;
    }
    let mut first: Option<Vec<Value>> = None;
    for port in ports {
        let at = || format!("at the validator at port {port}");
        let blocks = blocks(*port, height).with_context(at)?;
        check_once(&transactions(&blocks), ballots).with_context(at)?;
        let board = board(*port, ballots.len() as u64).with_context(at)?;
        check_board(&board, ballots).with_context(at)?;
        match &first {
            Some(first) => {
                let differs = first.iter().zip(&blocks).find(|(one, other)| one != other);
                if let Some((one, other)) = differs {
                    anyhow::bail!("two validators hold different blocks: {one} and {other}");
                }
            }
            None => first = Some(blocks),
        }
    }
    Ok(height)
}

fn height_of(port: u16) -> Result<u64> {
    let status = http::call(port, "tabella_nodeStatus", json!([]))?;
    status["height"].as_u64().context("expected a height")
}

/// The headers and transactions of the blocks up to this height. Validators may have different signatures
/// of the same block, so these are left out.
fn blocks(port: u16, height: u64) -> Result<Vec<Value>> {
    let mut blocks = Vec::new();
    while (blocks.len() as u64) < height {
        let from = blocks.len() as u64 + 1;
        let count = PAGE.min(height + 1 - from);
        let page = http::call(port, "tabella_getBlockSummaries", json!([from, count, 0]))?;
        let page = page.as_array().context("expected an array of blocks")?;
        ensure!(!page.is_empty(), "block {from} of {height} is missing");
        let same = |block: &Value| json!({"header": block["header"], "transaction_ids": block["transaction_ids"]});
        blocks.extend(page.iter().map(same));
    }
    Ok(blocks)
}

/// How often each transaction stands in the blocks.
fn transactions(blocks: &[Value]) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for id in blocks
        .iter()
        .filter_map(|block| block["transaction_ids"].as_array())
        .flatten()
    {
        *times
            .entry(id.as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    times
}

fn check_once(times: &BTreeMap<String, usize>, ballots: &BTreeSet<String>) -> Result<()> {
    for id in ballots {
        let times = times.get(id).copied().unwrap_or_default();
        ensure!(
            times == 1,
            "the acknowledged ballot {id} stands in {times} blocks"
        );
    }
    Ok(())
}

/// The transactions on the board of election 1, one more than expected at most.
fn board(port: u16, expected: u64) -> Result<Vec<String>> {
    let mut board = Vec::new();
    while (board.len() as u64) <= expected {
        let from = board.len();
        let page = http::call(port, "tabella_getBoard", json!([1, from, PAGE]))?;
        let items = page["items"].as_array().context("expected items")?;
        if items.is_empty() {
            break;
        }
        for item in items {
            let id = item["entry"]["transaction_id"].as_str();
            board.push(id.context("expected a transaction_id")?.to_owned());
        }
    }
    Ok(board)
}

fn check_board(board: &[String], ballots: &BTreeSet<String>) -> Result<()> {
    let on_board: BTreeSet<&String> = board.iter().collect();
    ensure!(
        on_board.len() == board.len(),
        "a ballot stands on the board twice"
    );
    for id in ballots {
        ensure!(
            on_board.contains(id),
            "the acknowledged ballot {id} is not on the board"
        );
    }
    ensure!(
        board.len() == ballots.len(),
        "expected {} ballots on the board, got {}",
        ballots.len(),
        board.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn list(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn a_lost_a_doubled_and_a_foreign_ballot_are_noticed_on_the_board() {
        check_board(&list(&["b", "a"]), &set(&["a", "b"])).unwrap();
        for (board, error) in [
            (&["a"][..], "the acknowledged ballot b is not on the board"),
            (&["a", "b", "a"], "a ballot stands on the board twice"),
            (&["a", "b", "c"], "expected 2 ballots on the board, got 3"),
        ] {
            let found = check_board(&list(board), &set(&["a", "b"])).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
    }

    #[test]
    fn a_lost_and_a_doubled_ballot_are_noticed_in_the_blocks() {
        let block = |ids: &[&str]| json!({"transaction_ids": ids});
        let ballots = set(&["a", "b"]);
        let once = transactions(&[block(&["a", "x"]), block(&[]), block(&["b"])]);
        check_once(&once, &ballots).unwrap();
        let lost = check_once(&transactions(&[block(&["a"])]), &ballots).unwrap_err();
        assert_eq!(
            lost.to_string(),
            "the acknowledged ballot b stands in 0 blocks"
        );
        let doubled = transactions(&[block(&["a", "b"]), block(&["a"])]);
        let doubled = check_once(&doubled, &ballots).unwrap_err();
        assert_eq!(
            doubled.to_string(),
            "the acknowledged ballot a stands in 2 blocks"
        );
    }
}
