//! `GET /api/elections/{id}/board`: paged, or whole as JSON lines.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde::{Deserialize, Serialize};
use tabella_http_server::Queue;
use tabella_outbox::elections::Election;
use tabella_protocol::{
    BoardHead,
    rpc::{BoardItem, BoardPage},
};

use crate::{
    app::App,
    as_of::AsOf,
    client_address::ClientAddress,
    extract::{Path, Query},
    open_ballots::{Reads, withheld},
    openapi::{AsksValidators, Forbids, NamesOne, ReadsQuery, source},
    places::Place,
    problem::Problem,
    proven,
};

/// Ballots on a page where the request does not say, and most on one.
const PAGE_MAX: u64 = 500;
const JSON_LINES: &str = "application/x-ndjson";

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct BoardQuery {
    #[serde(default)]
    from: u64,
    count: Option<u64>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct BoardAnswer {
    #[schema(schema_with = source)]
    source: &'static str,
    /// The block up to which the chain was proven here when the page was read.
    as_of_height: u64,
    board: BoardHead,
    from: u64,
    items: Vec<BoardItem>,
    /// Where the next page begins, if there is one.
    next: Option<u64>,
}

/// The ballots of an election, in the order of the chain
///
/// A page; or, with `accept: application/x-ndjson`, the whole board from `from` on, one ballot a line. Before an election that shows counts only at its close is closed, `ballots` and `plain` are empty; where the operator keeps open ballots to readers, the board is for auditors and administrators until then.
#[utoipa::path(
    get,
    path = "/api/elections/{id}/board",
    tag = "elections",
    operation_id = "board",
    params(("id" = u64, Path, description = "The election", example = 1), BoardQuery),
    responses(
        (status = 200, description = "Ballots", content((BoardAnswer = "application/json"), (String = "application/x-ndjson")), headers(
            ("tabella-source" = String, description = "`poa` while validators answer; `local` where this is what the backend proved before"),
            ("tabella-as-of-height" = u64, description = "The block up to which the chain was proven here when the first page was read")
        )),
        ReadsQuery,
        Forbids,
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn board(
    State(app): State<Arc<App>>,
    Path(election_id): Path<u64>,
    Extension(address): Extension<ClientAddress>,
    Query(query): Query<BoardQuery>,
    reads: Reads,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Unknown elections are told apart from empty boards.
    let election = app.elections.get(election_id).await?;
    if reads == Reads::Shown && !election.proven.shows_ballots() {
        return Err(withheld(election_id));
    }
    let lines = headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes() == JSON_LINES.as_bytes());
    let place = match lines {
        true => {
            let place = app.streams.take(address.stranger());
            Some(place.ok_or_else(Problem::too_many_streams)?)
        }
        false => None,
    };
    let count = query.count.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let (page, height) = page(
        &app,
        &app.block_reads,
        address,
        &election,
        query.from,
        count,
    )
    .await?;
    let as_of = AsOf::at(&app, height);
    if let Some(place) = place {
        let whole = whole(app, address, election, query.from, page, place);
        return Ok(as_of.write(whole));
    }
    let next = query.from.saturating_add(page.items.len() as u64);
    let answer = Json(BoardAnswer {
        source: as_of.source,
        as_of_height: as_of.height,
        next: (next < page.board.size && !page.items.is_empty()).then_some(next),
        board: page.board,
        from: query.from,
        items: page.items,
    });
    Ok(as_of.write(answer.into_response()))
}

/// A page of the proven board, and the height up to which the chain was proven then.
async fn page(
    app: &App,
    queue: &Queue,
    address: ClientAddress,
    election: &Election,
    from: u64,
    count: u64,
) -> Result<(BoardPage, u64), Problem> {
    let board_of = Arc::clone(&election.proven);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let read = proven::read_in_turn(&app.follower, queue, address, move |ledger| {
        // Before the page: what is executed in between is on it all the same.
        let height = ledger.tip().height;
        let page = ledger.board(board_of.id(), from, count)?;
        let page = page.map(|(board, records)| BoardPage {
            board,
            items: records
                .into_iter()
                .map(|r| board_of.board_item(r))
                .collect(),
        });
        Ok((page, height))
    });
    let (page, height) = read.await?;
    // An election that only the local ledger knows has no board on the chain.
    let page = page.unwrap_or_else(|| BoardPage {
        board: election.view.board,
        items: Vec::new(),
    });
    Ok((page, height))
}

/// The board as it stood with its first page, one ballot a line, read as it is sent; the stream holds
/// its place until it ends.
fn whole(
    app: Arc<App>,
    address: ClientAddress,
    election: Election,
    from: u64,
    first: BoardPage,
    place: Place,
) -> Response {
    let size = first.board.size;
    let pages = stream::try_unfold((from, Some(first)), move |(from, page)| {
        let _held = &place;
        let (app, election) = (app.clone(), election.clone());
        async move {
            if from >= size {
                return Ok(None);
            }
            let page = match page {
                Some(page) => page,
                None => {
                    let queue = &app.long_reads;
                    let page = self::page(&app, queue, address, &election, from, PAGE_MAX).await;
                    let failed =
                        |problem: Problem| std::io::Error::other(problem.detail().to_owned());
                    page.map_err(failed)?.0
                }
            };
            let mut text = Vec::new();
            let mut next = from;
            for item in page
                .items
                .iter()
                .take_while(|item| item.entry.position < size)
            {
                serde_json::to_writer(&mut text, item)?;
                text.push(b'\n');
                next = item.entry.position + 1;
            }
            if next == from {
                return Err(std::io::Error::other("the board ended early"));
            }
            Ok(Some((Bytes::from(text), (next, None))))
        }
    });
    (
        [(header::CONTENT_TYPE, JSON_LINES)],
        Body::from_stream(pages),
    )
        .into_response()
}
