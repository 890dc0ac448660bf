//! `GET /api/elections/{id}/export`: the chain up to an election's result, for
//! `tabella verify election`.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{CommitCertificate, ExportLine, HexBytes};

use crate::{
    app::App,
    client_address::ClientAddress,
    extract::Path,
    open_ballots::{Reads, withheld},
    openapi::{AsksValidators, Conflicts, Forbids, NamesOne},
    places::Place,
    problem::Problem,
};

const JSON_LINES: &str = "application/x-ndjson";
/// Bytes of text after which what was read is sent. A larger block is sent in parts, so that a stream
/// holds this much and the end of a line.
const CHUNK_BYTES: usize = 256 << 10;
/// A part of a block is at least this part of what was sent of the block before.
const PARTS: usize = 32;
/// The hex text of no bytes.
const NO_BLOCK: &str = "0x";

/// A whole election, for `tabella verify election`
///
/// One JSON object a line: the genesis document, every block up to the one that made the result final (up to the newest where it is not), and an end. An election that shows counts only at its close is exported once it is closed; and where the operator keeps open ballots to readers, once no block of it holds ballots of others that are open, save for auditors and administrators.
#[utoipa::path(
    get,
    path = "/api/elections/{id}/export",
    tag = "elections",
    operation_id = "export",
    params(("id" = u64, Path, description = "The election", example = 1)),
    responses(
        (status = 200, description = "The chain up to the result", body = String, content_type = "application/x-ndjson"),
        Forbids,
        NamesOne,
        Conflicts,
        AsksValidators
    ),
)]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Path(election_id): Path<u64>,
    reads: Reads,
) -> Result<Response, Problem> {
    let place = app.streams.take(address.stranger());
    let place = place.ok_or_else(Problem::too_many_streams)?;
    let election = app.elections.get(election_id).await?;
    if !election.proven.shows_ballots() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "election-not-closed",
            "this election shows its ballots at close; export it then",
        ));
    }
    let height = app.follower.tip().height;
    let last = election
        .proven
        .result_height()
        .unwrap_or(height)
        .min(height);
    if reads == Reads::Shown
        && let Some(other) = app
            .read_much(address, move |ledger| ledger.hides_up_to(last))
            .await?
    {
        return Err(withheld(other));
    }
    Ok((
        [(header::CONTENT_TYPE, JSON_LINES)],
        lines(app, address, election_id, last, place),
    )
        .into_response())
}

/// How far an export has come.
enum Next {
    Genesis,
    Block(At),
    Done,
}

/// A place in the text of blocks.
struct At {
    height: u64,
    within: Option<Within>,
}

/// A place within the text of a block that is too large for one chunk.
struct Within {
    /// Bytes of the block that were sent.
    sent: usize,
    /// What follows them all.
    tail: Vec<u8>,
}

/// Blocks are read as they are sent; the stream holds its place until it ends.
fn lines(app: Arc<App>, address: ClientAddress, election_id: u64, last: u64, place: Place) -> Body {
    let lines = stream::try_unfold(Next::Genesis, move |next| {
        let _held = &place;
        let app = app.clone();
        async move {
            let mut text = Vec::new();
            let next = match next {
                Next::Genesis => {
                    let genesis = Box::new(app.client.genesis().clone());
                    line(
                        &mut text,
                        &ExportLine::Genesis {
                            election_id,
                            genesis,
                        },
                    )?;
                    Next::Block(At {
                        height: 1,
                        within: None,
                    })
                }
                Next::Block(at) if at.height > last => {
                    line(&mut text, &ExportLine::End { blocks: last })?;
                    Next::Done
                }
                Next::Block(at) => {
                    let chunk = app
                        .read_much(address, move |ledger| chunk(ledger, at, last))
                        .await;
                    let chunk = chunk
                        .map_err(|problem| std::io::Error::other(problem.detail().to_owned()))?;
                    let missing = || std::io::Error::other("a block is missing");
                    let (lines, at) = chunk.ok_or_else(missing)?;
                    text = lines;
                    Next::Block(at)
                }
                Next::Done => return Ok(None),
            };
            Ok::<_, std::io::Error>(Some((Bytes::from(text), next)))
        }
    });
    Body::from_stream(lines)
}

/// The text of blocks from a place on, and the place behind it; nothing where a block is missing.
fn chunk(ledger: &Ledger, mut at: At, last: u64) -> Result<Option<(Vec<u8>, At)>, LedgerError> {
    let mut text = Vec::with_capacity(CHUNK_BYTES);
    while at.height <= last && text.len() < CHUNK_BYTES {
        let mut within = match at.within.take() {
            Some(within) => within,
            None => {
                let Some((_, certificate)) = ledger.head(at.height)? else {
                    return Ok(None);
                };
                let (head, tail) = around(certificate);
                text.extend_from_slice(&head);
                Within { sent: 0, tail }
            }
        };
        let bytes_max = part_bytes(text.len(), within.sent);
        let Some(part) = ledger.block_part(at.height, within.sent, bytes_max)? else {
            return Ok(None);
        };
        if part.is_empty() {
            text.extend_from_slice(&within.tail);
            at.height += 1;
        } else {
            let digits = text.len();
            text.resize(digits + 2 * part.len(), 0);
            hex::encode_to_slice(&part, &mut text[digits..]).expect("two digits a byte");
            within.sent += part.len();
            at.within = Some(within);
        }
    }
    Ok(Some((text, at)))
}

/// How many bytes of a block, of which `sent` are sent, go into a chunk that has `text` bytes already, at most.
fn part_bytes(text: usize, sent: usize) -> usize {
    let room = CHUNK_BYTES.saturating_sub(text) / 2;
    // The storage reads all of a block for each part: those of a very large one grow.
    room.max(sent / PARTS).max(1)
}

/// What stands before and behind the hex digits of a block in its line.
fn around(certificate: CommitCertificate) -> (Vec<u8>, Vec<u8>) {
    let mut head = Vec::new();
    let empty = ExportLine::Block {
        block: HexBytes::default(),
        certificate,
    };
    line(&mut head, &empty).expect("plain data serialises, and memory takes it");
    let quoted = head
        .windows(NO_BLOCK.len())
        .position(|w| w == NO_BLOCK.as_bytes());
    let tail = head.split_off(quoted.expect("it stands there") + NO_BLOCK.len());
    (head, tail)
}

fn line(text: &mut Vec<u8>, line: &ExportLine) -> std::io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Hash;

    use super::*;

    #[test]
    fn a_chunk_is_small_and_a_large_block_has_few() {
        const BLOCK_BYTES: usize = 64 << 20;
        let (mut sent, mut chunks) = (0, 0);
        while sent < BLOCK_BYTES {
            let part = part_bytes(0, sent);
            assert!(
                2 * part <= CHUNK_BYTES.max(2 * sent / PARTS),
                "{part} after {sent}"
            );
            (sent, chunks) = (sent + part, chunks + 1);
        }
        assert!(chunks <= 128, "{chunks}");
        assert_eq!(part_bytes(CHUNK_BYTES, 0), 1);
    }

    #[test]
    fn a_block_that_is_sent_in_parts_is_the_line_that_it_would_be_in_one() {
        let certificate = CommitCertificate {
            height: 7,
            round: 0,
            block_hash: Hash([3; 32]),
            signatures: Vec::new(),
        };
        let mut whole = Vec::new();
        let block = ExportLine::Block {
            block: HexBytes(vec![0x0a, 0xff]),
            certificate: certificate.clone(),
        };
        line(&mut whole, &block).unwrap();
        let (head, tail) = around(certificate);
        assert_eq!([&head[..], b"0aff", &tail].concat(), whole);
    }
}
