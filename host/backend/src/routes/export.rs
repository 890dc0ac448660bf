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
use tabella_protocol::ExportLine;

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
/// Bytes of text after which what was read is sent: each stream holds this much, or one block.
const CHUNK_BYTES: usize = 256 << 10;
/// Most blocks read at once.
const BLOCKS_PER_CHUNK: u64 = 64;

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
        && let Some(other) = app.read(move |ledger| ledger.hides_up_to(last)).await?
    {
        return Err(withheld(other));
    }
    Ok((
        [(header::CONTENT_TYPE, JSON_LINES)],
        lines(app, election_id, last, place),
    )
        .into_response())
}

/// How far an export has come.
enum Next {
    Genesis,
    /// What follows the block at this height.
    After(u64),
    Done,
}

/// Blocks are fetched as they are read; the stream holds its place until it ends.
fn lines(app: Arc<App>, election_id: u64, last: u64, place: Place) -> Body {
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
                    Next::After(0)
                }
                Next::After(height) if height >= last => {
                    line(&mut text, &ExportLine::End { blocks: last })?;
                    Next::Done
                }
                Next::After(height) => {
                    let to = last.min(height + BLOCKS_PER_CHUNK);
                    let chunk = app.read(move |ledger| chunk(ledger, height + 1, to));
                    let chunk = chunk.await;
                    let chunk = chunk
                        .map_err(|problem| std::io::Error::other(problem.detail().to_owned()))?;
                    let missing = || std::io::Error::other("a block is missing");
                    let (lines, read) = chunk.ok_or_else(missing)?;
                    text = lines;
                    Next::After(read)
                }
                Next::Done => return Ok(None),
            };
            Ok::<_, std::io::Error>(Some((Bytes::from(text), next)))
        }
    });
    Body::from_stream(lines)
}

/// The lines of blocks from a height on, and the last one read; nothing where one is missing.
fn chunk(ledger: &Ledger, from: u64, to: u64) -> Result<Option<(Vec<u8>, u64)>, LedgerError> {
    let (mut text, mut read) = (Vec::new(), from - 1);
    while read < to && text.len() < CHUNK_BYTES {
        let Some(stored) = ledger.block(read + 1)? else {
            return Ok(None);
        };
        let block = ExportLine::Block {
            block: format!("0x{}", hex::encode(&stored.bytes)),
            certificate: stored.certificate,
        };
        line(&mut text, &block).expect("plain data serialises, and memory takes it");
        read += 1;
    }
    Ok(Some((text, read)))
}

fn line(text: &mut Vec<u8>, line: &ExportLine) -> std::io::Result<()> {
    serde_json::to_writer(&mut *text, line)?;
    text.push(b'\n');
    Ok(())
}
