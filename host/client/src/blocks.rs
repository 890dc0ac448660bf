//! Whole blocks, many in a request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_protocol::{Block, Hash, HexBytes, rpc::BlockView};

use crate::{
    BlockProof, BlockProofError, CallError, Client, QueryError, pool::Node, queries::Judged,
    transport::Batch,
};

/// Blocks fetched in one request.
const BLOCKS_PER_REQUEST: u64 = 16;
/// How long one such request may take before a third validator is asked as well, and each further one:
/// on a slow line each would slow the others.
const FURTHER_AFTER: Duration = Duration::from_secs(10);
/// How long one may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Whether the bytes are those of the header's block.
fn is_body_of(view: &BlockView) -> bool {
    let HexBytes(bytes) = &view.block;
    let decoded = Block::decode(bytes, bytes.len());
    decoded.is_ok_and(|(block, _)| block.header == view.header)
}

impl Client {
    /// Whole blocks after the one at `height` with `hash` (0 and the genesis hash to begin with),
    /// at most a request's worth and none past `to`: each proven to be committed by the validators
    /// of its height and to follow the one before.
    ///
    /// Empty only where `to` is not above `height`.
    pub async fn blocks(
        &self,
        height: u64,
        hash: Hash,
        to: u64,
    ) -> Result<Vec<BlockView>, QueryError> {
        self.fetch_blocks(height + 1, to, |views| {
            let validators = self.validators();
            let mut parent = hash;
            for (height, view) in (height + 1..).zip(views) {
                let proof = BlockProof {
                    height,
                    parent: Some(parent),
                };
                parent = proof.verify_header(&view.header, &view.certificate, &validators)?;
                if !is_body_of(view) {
                    return Err(BlockProofError::Transactions(view.header.height));
                }
            }
            Ok(())
        })
        .await
    }

    /// The blocks from a height on, at most a request's worth and none past `to`, as `judge`
    /// accepts them.
    pub(crate) async fn fetch_blocks(
        &self,
        from: u64,
        to: u64,
        judge: impl Fn(&[BlockView]) -> Result<(), BlockProofError>,
    ) -> Result<Vec<BlockView>, QueryError> {
        if from > to {
            return Ok(Vec::new());
        }
        let heights: Vec<_> = (from..=to.min(from + BLOCKS_PER_REQUEST - 1)).collect();
        let started = Instant::now();
        let ask = |node| self.blocks_of(node, &heights);
        let judged = |(views, took): (Vec<BlockView>, Duration)| match judge(&views) {
            Ok(()) => Judged::Good((views, took)),
            Err(unproven @ BlockProofError::Validators(_)) => {
                Judged::OtherValidators(unproven.to_string())
            }
            Err(lie) => Judged::Lie(lie.to_string()),
        };
        // Each may take long to fail: none waits for two that hang.
        let patience = |_: &Node, asked| match asked {
            1 => Some(self.pool.patience_for_blocks()),
            _ => Some(FURTHER_AFTER),
        };
        let failure = match self.hedged(patience, ask, judged).await {
            Ok(((views, took), silent)) => {
                self.pool.blocks_took(took);
                for node in silent {
                    let waited = started.elapsed();
                    let fault = format!("has not sent a block within {waited:.1?}");
                    self.pool.late(&node, fault);
                }
                return Ok(views);
            }
            Err(failure) => failure,
        };
        // Perhaps the blocks are only too large together.
        if heights.len() > 1
            && let Some(view) = self.block(from).await?
        {
            let views = vec![view];
            return match judge(&views) {
                Ok(()) => Ok(views),
                Err(_) => Err(failure),
            };
        }
        Err(failure)
    }

    /// The first of these blocks that one validator holds, at least one, and how long it took.
    async fn blocks_of(
        &self,
        node: Arc<Node>,
        heights: &[u64],
    ) -> (Arc<Node>, Result<(Vec<BlockView>, Duration), CallError>) {
        let started = Instant::now();
        let held = self.held_by(&node, heights).await;
        (node, held.map(|views| (views, started.elapsed())))
    }

    async fn held_by(&self, node: &Node, heights: &[u64]) -> Result<Vec<BlockView>, CallError> {
        // A request's worth of full blocks would be too much at once; most are far from full.
        let bytes_max = self.block_answer_bytes_max() * 4;
        let batch = Batch::new("tabella_getBlock", heights.iter().map(|height| [height]));
        let views = self
            .pool
            .batch::<Option<BlockView>>(node, batch, REQUEST_DEADLINE, bytes_max)
            .await?;
        let mut held = Vec::new();
        for view in views {
            match view {
                Ok(Some(view)) => held.push(view),
                Err(refused) if held.is_empty() => return Err(refused),
                _ if held.is_empty() => {
                    return Err(CallError::Garbage("a block is missing".to_owned()));
                }
                _ => break,
            }
        }
        Ok(held)
    }
}
