//! `GET /api/blocks`, `GET /api/blocks/{number|hash}`

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use tabella_api::{BlockAnswer, BlocksAnswer, Signatures};
use tabella_ledger::{Ledger, LedgerError, StoredBlock};
use tabella_protocol::{Hash, Header, OpenBallots};

use crate::{
    app::App,
    client_address::ClientAddress,
    clock,
    conditional::{Change, tagged},
    extract::{Path, Query},
    open_ballots::Reads,
    openapi::{AsksValidators, NamesOne, ReadsQuery},
    problem::Problem,
};

/// Blocks on a page where the request does not say.
const PAGE: u64 = 20;
/// Most blocks on a page.
const PAGE_MAX: u64 = 100;

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlocksQuery {
    /// The newest block wanted; the newest there is, where absent.
    before: Option<u64>,
    count: Option<u64>,
}

/// The newest blocks, newest first
#[utoipa::path(
    get,
    path = "/api/blocks",
    tag = "chain",
    operation_id = "blocks",
    params(BlocksQuery),
    responses(
        (status = 200, description = "Blocks", body = BlocksAnswer),
        ReadsQuery,
        AsksValidators
    ),
)]
pub(crate) async fn blocks(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Query(query): Query<BlocksQuery>,
) -> Result<Json<BlocksAnswer>, Problem> {
    app.elections.catch_up().await;
    let height = app.follower.tip().height;
    let last = query.before.unwrap_or(height).min(height);
    let count = query.count.unwrap_or(PAGE).clamp(1, PAGE_MAX).min(last);
    let found = app.read_blocks(address, move |ledger| {
        let heights = (last - count + 1..=last).rev();
        let heads = heights.map(|height| Head::at(ledger, height));
        heads
            .filter_map(Result::transpose)
            .collect::<Result<Vec<_>, _>>()
    });
    let heads = found.await?;
    Ok(Json(BlocksAnswer {
        height,
        blocks: heads.iter().map(|head| answer(&app, head)).collect(),
    }))
}

/// One block, by number or hash
#[utoipa::path(
    get,
    path = "/api/blocks/{id}",
    tag = "chain",
    operation_id = "block",
    params(("id" = String, Path, description = "A number, or a hash as 0x and 64 hex digits", example = "1")),
    responses(
        (status = 200, description = "The block", body = BlockAnswer),
        (status = 304, description = "The client has it: `if-none-match`"),
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn block(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Path(wanted): Path<String>,
    reads: Reads,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.elections.catch_up().await;
    let open_ballots = app.open_ballots;
    let found = match (wanted.parse::<u64>(), wanted.parse::<Hash>()) {
        (Ok(height), _) => {
            app.read_blocks(address, move |ledger| find(ledger, height, open_ballots))
                .await?
        }
        (_, Ok(hash)) => {
            let found = app.read_blocks(address, move |ledger| match ledger.height_of(&hash)? {
                Some(height) => find(ledger, height, open_ballots),
                None => Ok(None),
            });
            found.await?
        }
        _ => None,
    };
    let (head, stored, hides_ballots) = found.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-block",
            "there is no block with this number or hash",
        )
    })?;
    let mut answer = answer(&app, &head);
    let is_shown = reads == Reads::All || !hides_ballots;
    if is_shown {
        let transactions = stored.block.transactions.iter();
        answer.transaction_ids = Some(transactions.map(|bytes| Hash::of(bytes)).collect());
    }
    // Acks come after the block, and ids may be shown later; nothing else of it changes.
    let Signatures { count, of } = answer.signatures;
    let change = match count >= of {
        _ if hides_ballots => Change::ForAsker,
        true => Change::Never,
        false => Change::Perhaps,
    };
    let withheld = if is_shown { "" } else { "-withheld" };
    let tag = format!("{}-{count}{withheld}", answer.hash);
    Ok(tagged(&headers, &tag, change, Json(answer)))
}

/// A block's header, and how many validators signed it.
struct Head {
    header: Header,
    signers: usize,
}

impl Head {
    fn at(ledger: &Ledger, height: u64) -> Result<Option<Self>, LedgerError> {
        let Some(header) = ledger.header(height)? else {
            return Ok(None);
        };
        let signers = ledger.signers(height)?;
        Ok(Some(Self { header, signers }))
    }
}

/// Returns a block, and whether it holds ballots of elections that hide them until their close.
fn find(
    ledger: &Ledger,
    height: u64,
    open_ballots: OpenBallots,
) -> Result<Option<(Head, StoredBlock, bool)>, LedgerError> {
    let (Some(head), Some(stored)) = (Head::at(ledger, height)?, ledger.block(height)?) else {
        return Ok(None);
    };
    let hides_ballots = open_ballots == OpenBallots::Readers && ledger.hides_of(&stored).is_some();
    Ok(Some((head, stored, hides_ballots)))
}

fn answer(app: &App, head: &Head) -> BlockAnswer {
    let header = &head.header;
    let history = app.follower.ledger().validators();
    let validators = history.at(header.height);
    BlockAnswer {
        number: header.height,
        hash: header.hash(),
        parent_hash: header.parent,
        timestamp: clock::rfc3339(header.timestamp_ms),
        proposer: validators.node_id(&header.proposer).map(str::to_owned),
        transactions: header.transaction_count,
        transactions_root: header.transactions_root,
        boards_root: header.boards_root,
        state_root: header.state_root,
        signatures: Signatures {
            count: head.signers,
            of: validators.validators.len(),
        },
        transaction_ids: None,
    }
}
