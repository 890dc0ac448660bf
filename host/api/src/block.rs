//! `GET /api/blocks`, `GET /api/blocks/{id}`

use serde::{Deserialize, Serialize};
use tabella_protocol::Hash;

use crate::schema::time;

/// The newest blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BlocksAnswer {
    /// The newest verified height.
    pub height: u64,
    /// Newest first.
    pub blocks: Vec<BlockAnswer>,
}

/// A block's header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BlockAnswer {
    /// Its height.
    pub number: u64,
    /// The header's hash.
    pub hash: Hash,
    /// The hash of the block before.
    pub parent_hash: Hash,
    /// When it was proposed.
    #[schema(schema_with = time)]
    pub timestamp: String,
    /// The validator that proposed it.
    pub proposer: Option<String>,
    /// How many transactions it holds.
    pub transactions: u32,
    /// The root of its transactions.
    pub transactions_root: Hash,
    /// The root of the boards after it.
    pub boards_root: Hash,
    /// The root of the state after it.
    pub state_root: Hash,
    /// How many validators signed it.
    pub signatures: Signatures,
    /// Only where one block was asked for, and not where it holds ballots that are not for who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_ids: Option<Vec<Hash>>,
}

/// Validators that signed, of those that could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Signatures {
    /// How many signed.
    pub count: usize,
    /// How many validators there were.
    pub of: usize,
}
