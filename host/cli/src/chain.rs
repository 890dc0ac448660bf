//! Reads and compares the chain as the validators serve it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tabella_protocol::{
    BoardEntry, Hash, Header,
    rpc::{BlockSummary, BoardPage, NodeStatus},
};

use crate::{
    http::Client,
    json_rpc::{self, RpcError},
};

/// Blocks asked for in one call.
const PAGE_BLOCKS: u64 = 256;
/// Board items asked for in one call.
const PAGE_ITEMS: u64 = 500;
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A committed block as a validator tells it, its header's hash recomputed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainBlock {
    /// The header's hash.
    pub hash: Hash,
    /// The header, with the state root.
    pub header: Header,
    /// The ids of its transactions.
    pub transaction_ids: Vec<Hash>,
}

/// What the validator at `rpc_url` says of itself.
pub async fn node_status(rpc_url: &str) -> Result<NodeStatus> {
    let mut client = Client::new(rpc_url)?;
    Ok(json_rpc::call(&mut client, "tabella_nodeStatus", json!([])).await?)
}

/// Waits until the validator at `rpc_url` has committed `height`.
pub async fn wait_for_height(rpc_url: &str, height: u64, patience: Duration) -> Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let status = node_status(rpc_url).await;
        match status {
            Ok(status) if status.height >= height => return Ok(()),
            _ if Instant::now() < deadline => tokio::time::sleep(POLL_INTERVAL).await,
            Ok(status) => bail!(
                "{rpc_url} is at height {} after {patience:?}, expected {height}",
                status.height
            ),
            Err(error) => return Err(error.context(format!("{rpc_url} did not come back"))),
        }
    }
}

/// The blocks from height 1 to `height` of the validator at `rpc_url`, checked to be a chain.
pub async fn blocks(rpc_url: &str, height: u64) -> Result<Vec<ChainBlock>> {
    let mut client = Client::new(rpc_url)?;
    let mut chain: Vec<ChainBlock> = Vec::new();
    while (chain.len() as u64) < height {
        let from = chain.len() as u64 + 1;
        let count = PAGE_BLOCKS.min(height + 1 - from);
        let params = json!([from, count, 0]);
        let page: Vec<BlockSummary> =
            json_rpc::call(&mut client, "tabella_getBlockSummaries", params).await?;
        if page.is_empty() {
            bail!("{rpc_url} has no block {from}, expected {height} blocks");
        }
        for summary in page {
            append(&mut chain, summary).with_context(|| format!("in the answer of {rpc_url}"))?;
        }
    }
    Ok(chain)
}

fn append(chain: &mut Vec<ChainBlock>, summary: BlockSummary) -> Result<()> {
    let block = ChainBlock {
        hash: summary.header.hash(),
        header: summary.header,
        transaction_ids: summary.transaction_ids,
    };
    let expected = chain.len() as u64 + 1;
    if block.header.height != expected {
        bail!("expected block {expected}, got {}", block.header.height);
    }
    if let Some(parent) = chain.last()
        && block.header.parent != parent.hash
    {
        bail!("block {expected} does not follow block {}", expected - 1);
    }
    chain.push(block);
    Ok(())
}

/// Compares all blocks of all validators up to the lowest common height, which must be at least
/// `height_min`. Returns the blocks.
pub async fn compare(rpc_urls: &[String], height_min: u64) -> Result<Vec<ChainBlock>> {
    let mut height = u64::MAX;
    for url in rpc_urls {
        height = height.min(node_status(url).await?.height);
    }
    if height < height_min {
        bail!("expected every validator at height {height_min}, the lowest is at {height}");
    }
    let mut first: Option<(&String, Vec<ChainBlock>)> = None;
    for url in rpc_urls {
        let chain = blocks(url, height).await?;
        let Some((other, expected)) = &first else {
            first = Some((url, chain));
            continue;
        };
        let pairs = expected.iter().zip(&chain);
        if let Some((left, right)) = pairs.into_iter().find(|(left, right)| left != right) {
            bail!(
                "{other} and {url} differ at height {}: {} and {}",
                left.header.height,
                left.hash,
                right.hash
            );
        }
    }
    first
        .map(|(_, chain)| chain)
        .context("expected at least one validator")
}

/// Every entry on the board of an election, in order.
pub async fn board(rpc_url: &str, election_id: u64) -> Result<Vec<BoardEntry>> {
    let mut client = Client::new(rpc_url)?;
    let mut entries = Vec::new();
    loop {
        let params = json!([election_id, entries.len(), PAGE_ITEMS]);
        let page: Result<BoardPage, RpcError> =
            json_rpc::call(&mut client, "tabella_getBoard", params).await;
        let page = page?;
        if page.items.is_empty() {
            break;
        }
        entries.extend(page.items.into_iter().map(|item| item.entry));
    }
    for (position, entry) in entries.iter().enumerate() {
        if entry.position != position as u64 || entry.election_id != election_id {
            bail!("{rpc_url}: board entry {position} is out of place");
        }
    }
    Ok(entries)
}

/// How often each transaction id occurs in `blocks`.
pub fn occurrences(blocks: &[ChainBlock]) -> BTreeMap<Hash, u32> {
    let mut occurrences = BTreeMap::new();
    for id in blocks.iter().flat_map(|block| &block.transaction_ids) {
        *occurrences.entry(*id).or_insert(0) += 1;
    }
    occurrences
}
