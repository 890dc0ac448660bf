//! The whole ledger as JSON lines, for `tabella verify local-ledger`.

use bytes::Bytes;
use futures::{Stream, stream};
use tabella_protocol::{Hash, HexBytes, LedgerLine, Payload, Transaction};

use super::LocalLedger;
use crate::store::{State, Store};

/// The ledger is not open, for this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotOpenError(String);

/// The ledger as it stands now, read as it is sent.
pub fn export(
    local: &LocalLedger,
    store: &Store,
) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>, NotOpenError> {
    let opened = local.shared.opened().map_err(NotOpenError)?;
    let last = opened.ledger.tip().height;
    let store = store.clone();
    let lines = stream::try_unfold(0, move |height| {
        let (opened, store) = (opened.clone(), store.clone());
        async move {
            if height > last + 1 {
                return Ok(None);
            }
            let mut text = Vec::new();
            match height {
                0 => line(
                    &mut text,
                    &LedgerLine::Genesis {
                        genesis: Box::new(opened.ledger.genesis().clone()),
                    },
                )?,
                _ if height > last => line(&mut text, &LedgerLine::End { blocks: last })?,
                _ => {
                    let stored = opened.ledger.block(height);
                    let stored = stored.map_err(std::io::Error::other)?;
                    let stored =
                        stored.ok_or_else(|| std::io::Error::other("a block is missing"))?;
                    line(
                        &mut text,
                        &LedgerLine::Block {
                            block: HexBytes(stored.bytes),
                            certificate: stored.certificate,
                        },
                    )?;
                    for bytes in &stored.block.transactions {
                        if let Some(end) = end_of(&store, bytes).await? {
                            line(&mut text, &end)?;
                        }
                    }
                }
            }
            Ok::<_, std::io::Error>(Some((Bytes::from(text), height + 1)))
        }
    });
    Ok(lines)
}

fn line(text: &mut Vec<u8>, line: &LedgerLine) -> std::io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

/// What became of a ballot, where it is not on the network's chain.
async fn end_of(store: &Store, bytes: &[u8]) -> std::io::Result<Option<LedgerLine>> {
    let is_ballot = Transaction::from_bytes(bytes)
        .is_ok_and(|t| matches!(t.body.payload, Payload::CastBallot { .. }));
    if !is_ballot {
        return Ok(None);
    }
    let transaction_id = Hash::of(bytes);
    let submission = store.by_transaction(&transaction_id).await;
    let submission = submission.map_err(std::io::Error::other)?;
    Ok(match submission.map(|submission| submission.state) {
        Some(State::Confirmed { .. }) => None,
        Some(State::Rejected { code, reason, .. }) => Some(LedgerLine::Refused {
            transaction_id,
            code,
            reason,
        }),
        Some(State::Open) | None => Some(LedgerLine::Unsettled { transaction_id }),
    })
}
