//! `POST /api/admin/transactions`

use serde::{Deserialize, Serialize};
use tabella_protocol::Hash;

/// A transaction that an authority signed elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignedRequest {
    /// The canonical bytes of the signed transaction, as 0x and hex.
    pub transaction: String,
}

/// Such a transaction that is on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignedAnswer {
    /// What it does, such as `create-election`.
    pub kind: String,
    /// The election that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election_id: Option<u64>,
    /// Its id.
    pub transaction_id: Hash,
    /// The block that holds it.
    pub block_number: u64,
    /// That block's hash.
    pub block_hash: Hash,
}
