//! Keeps the elections of the local ledger in step with the network's.

use std::{sync::Arc, time::Duration};

use tabella_follower::Follower;
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::Transaction;

use super::{AppendError, LocalLedger};

/// How often the proven chain is looked at where nothing new is known.
const PERIOD: Duration = Duration::from_millis(500);
/// Blocks looked at in one step.
const HEIGHTS_MAX: usize = 256;
/// Bytes of transactions after which a step ends with the block it is at.
const BYTES_MAX: usize = 1 << 20;

/// Takes over what shapes elections on the network, forever.
pub(crate) async fn mirror(follower: Follower, local: LocalLedger) {
    loop {
        match step(&follower, &local).await {
            // There may be more at once.
            Ok(Step::Advanced) => {}
            Ok(Step::UpToDate) => tokio::time::sleep(PERIOD).await,
            Err(error) => {
                tracing::debug!(%error, "elections could not be taken over into the local ledger");
                tokio::time::sleep(PERIOD).await;
            }
        }
    }
}

enum Step {
    Advanced,
    UpToDate,
}

async fn step(follower: &Follower, local: &LocalLedger) -> Result<Step, AppendError> {
    let Some(mirrored) = local.mirrored_height() else {
        local.revive().await?;
        return Ok(Step::UpToDate);
    };
    if follower.tip().height <= mirrored {
        return Ok(Step::UpToDate);
    }
    let ledger = Arc::clone(follower.ledger());
    let reading = tokio::task::spawn_blocking(move || changes(&ledger, mirrored + 1));
    let failed = |error: &dyn std::fmt::Display| AppendError::Failed(error.to_string());
    let read = reading.await.map_err(|error| failed(&error))?;
    let (blocks, to_height) = read.map_err(|error| failed(&error))?;
    local.take_over(blocks, to_height).await?;
    Ok(Step::Advanced)
}

/// The canonical bytes of transactions of one block, in order.
type Transactions = Vec<Vec<u8>>;

/// What shaped elections from a height on, as the proven chain has it, and the last height that
/// was looked at. Nothing is left out: every transaction of every block was executed.
fn changes(ledger: &Ledger, from: u64) -> Result<(Vec<Transactions>, u64), LedgerError> {
    let mut blocks = Vec::new();
    let (mut to_height, mut bytes) = (from - 1, 0);
    for height in (from..=ledger.tip().height).take(HEIGHTS_MAX) {
        let Some(stored) = ledger.block(height)? else {
            break;
        };
        to_height = height;
        let mut shaping = stored.block.transactions;
        shaping.retain(|bytes| {
            Transaction::from_bytes(bytes).is_ok_and(|t| t.body.payload.shapes_elections())
        });
        bytes += shaping.iter().map(Vec::len).sum::<usize>();
        if !shaping.is_empty() {
            blocks.push(shaping);
        }
        if bytes >= BYTES_MAX {
            break;
        }
    }
    Ok((blocks, to_height))
}
