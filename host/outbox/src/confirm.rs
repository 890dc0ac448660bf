//! Confirmations are written down as the blocks that hold them come.

use std::{sync::Arc, time::Duration};

use tabella_client::VerifiedBlock;
use tokio::sync::mpsc;

use crate::{
    crash,
    listener::Listener,
    pending::{Landed, Pending, Settled},
    store::{Confirmed, ConfirmedSubmission, Mark, Store, StoreError},
};

/// Blocks delivered and not yet written down, and as many of which confirmations are written together.
pub const BLOCKS_MAX: usize = 64;
/// Empty blocks after which the mark is moved all the same.
const EMPTY_BLOCKS_MAX: u32 = 16;
/// Pause before a failed write is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// Writes confirmations down.
pub(crate) struct Confirming {
    pub(crate) store: Store,
    pub(crate) pending: Arc<Pending>,
    pub(crate) listener: Arc<dyn Listener>,
}

/// Writes down the confirmations in every block after the `known` height, in order. Ends when the
/// client does.
pub(crate) async fn confirm_blocks(
    confirming: Confirming,
    mut blocks: mpsc::Receiver<Arc<VerifiedBlock>>,
    known: u64,
) {
    let Confirming {
        store,
        pending,
        listener,
    } = confirming;
    let mut empty = 0;
    while let Some(first) = blocks.recv().await {
        // Blocks that came meanwhile share a commit.
        let mut group = vec![first];
        while group.len() < BLOCKS_MAX {
            let Ok(block) = blocks.try_recv() else { break };
            group.push(block);
        }
        // The copy of the chain may have been behind the database.
        group.retain(|block| block.height() > known);
        let mut writes = Vec::new();
        for block in group {
            let landed = pending.landed(&block.transaction_ids);
            let is_nothing = block.transaction_ids.is_empty() && store.shared().is_none();
            if is_nothing && empty < EMPTY_BLOCKS_MAX {
                empty += 1;
            } else {
                empty = 0;
                let confirmed = confirmations(&block, &landed);
                writes.push((confirmed, landed.into_iter().map(|(_, l)| l).collect()));
            }
        }
        crash::point("confirmation-unwritten");
        // A block must not be skipped: while the database fails, following waits.
        while let Err(error) = write_all(&store, &writes).await {
            tracing::error!(%error, "confirmations cannot be recorded");
            tokio::time::sleep(RETRY).await;
        }
        crash::point("confirmation-written");
        for (confirmed, landed) in writes {
            listener.confirmed(&confirmed);
            for landed in landed {
                let settled = Settled::Confirmed {
                    transaction_id: landed.transaction_id,
                    height: confirmed.height,
                    block_hash: confirmed.block_hash,
                    validator: landed.accepted_by,
                };
                pending.settle(landed.sequence, &settled);
            }
        }
    }
}

type Write = (Confirmed, Vec<Landed>);

async fn write_all(store: &Store, writes: &[Write]) -> Result<(), StoreError> {
    let writes = writes
        .iter()
        .map(|(confirmed, _)| store.confirm(confirmed.clone()));
    futures::future::try_join_all(writes).await.map(drop)
}

fn confirmations(block: &VerifiedBlock, landed: &[(usize, Landed)]) -> Confirmed {
    Confirmed {
        mark: Some(Mark {
            height: block.height(),
            hash: block.hash,
        }),
        height: block.height(),
        block_hash: block.hash,
        confirmed_at_ms: tabella_clock::unix_ms(block.timestamp()),
        signatures: u32::try_from(block.certificate.signatures.len()).unwrap_or(u32::MAX),
        submissions: landed.iter().map(|(i, l)| confirmed(*i, l)).collect(),
        transaction_ids: block.transaction_ids.clone(),
    }
}

fn confirmed(index: usize, landed: &Landed) -> ConfirmedSubmission {
    ConfirmedSubmission {
        sequence: landed.sequence,
        transaction_id: landed.transaction_id,
        index: u32::try_from(index).unwrap_or(u32::MAX),
        validator: landed.accepted_by.as_ref().map(|v| v.node_id.clone()),
    }
}
