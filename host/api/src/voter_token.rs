//! `POST /api/admin/voter-tokens`

use serde::{Deserialize, Serialize};

use crate::schema::time;

/// Voters whom a registrar authenticated elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// The voters.
    pub voter_ids: Vec<String>,
    /// How long the tokens are good for; the configured time where absent, never longer than a
    /// refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// Their tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MintAnswer {
    /// A token for each voter, in the order of the request.
    pub tokens: Vec<VoterToken>,
    /// Until when they are good.
    #[schema(schema_with = time)]
    pub expires_at: String,
}

/// A voter's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VoterToken {
    /// As it came.
    pub voter_id: String,
    /// What the voter sends as bearer.
    pub token: String,
}
