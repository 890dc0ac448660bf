//! `GET /api/blocks`, `GET /api/blocks/{number|hash}`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use tabella_protocol::{Hash, Header};

use crate::{
    app::App,
    clock,
    extract::{Path, Query},
    problem::Problem,
};

/// Blocks on a page where the request does not say.
const PAGE: u64 = 20;
/// Most blocks on a page.
const PAGE_MAX: u64 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlocksQuery {
    /// The newest block wanted; the newest there is, where absent.
    before: Option<u64>,
    count: Option<u64>,
}

#[derive(Serialize)]
pub(crate) struct BlocksAnswer {
    /// The newest verified height.
    height: u64,
    /// Newest first.
    blocks: Vec<BlockAnswer>,
}

#[derive(Serialize)]
pub(crate) struct BlockAnswer {
    number: u64,
    hash: Hash,
    parent_hash: Hash,
    timestamp: String,
    proposer: Option<String>,
    transactions: u32,
    transactions_root: Hash,
    boards_root: Hash,
    state_root: Hash,
    signatures: Signatures,
    /// Only where one block was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_ids: Option<Vec<Hash>>,
}

#[derive(Serialize)]
struct Signatures {
    count: usize,
    of: usize,
}

pub(crate) async fn blocks(
    State(app): State<Arc<App>>,
    Query(query): Query<BlocksQuery>,
) -> Result<Json<BlocksAnswer>, Problem> {
    let height = app.height();
    let last = query.before.unwrap_or(height).min(height);
    let count = query.count.unwrap_or(PAGE).clamp(1, PAGE_MAX).min(last);
    let mut blocks = Vec::new();
    if count > 0 {
        let found = app.client.block_summaries(last - count + 1, count).await?;
        for (block, signers) in found.into_iter().rev() {
            blocks.push(answer(&app, &block.header, block.hash, signers));
        }
    }
    Ok(Json(BlocksAnswer { height, blocks }))
}

pub(crate) async fn block(
    State(app): State<Arc<App>>,
    Path(wanted): Path<String>,
) -> Result<Json<BlockAnswer>, Problem> {
    let height = match wanted.parse::<u64>() {
        Ok(height) => Some(height),
        Err(_) => match wanted.parse::<Hash>() {
            Ok(hash) => {
                let view = app.client.block_by_hash(hash).await?;
                view.map(|view| view.header.height)
            }
            Err(_) => None,
        },
    };
    let found = match height {
        Some(height) if height > 0 => app.client.block_summary(height).await?,
        _ => None,
    };
    let (block, signers) = found.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-block",
            "there is no block with this number or hash",
        )
    })?;
    let mut answer = answer(&app, &block.header, block.hash, signers);
    answer.transaction_ids = Some(block.transaction_ids);
    Ok(Json(answer))
}

fn answer(app: &App, header: &Header, hash: Hash, signers: usize) -> BlockAnswer {
    let history = app.client.validators();
    let validators = history.at(header.height);
    BlockAnswer {
        number: header.height,
        hash,
        parent_hash: header.parent,
        timestamp: clock::rfc3339(header.timestamp_ms),
        proposer: validators.node_id(&header.proposer).map(str::to_owned),
        transactions: header.transaction_count,
        transactions_root: header.transactions_root,
        boards_root: header.boards_root,
        state_root: header.state_root,
        signatures: Signatures {
            count: signers,
            of: validators.validators.len(),
        },
        transaction_ids: None,
    }
}
