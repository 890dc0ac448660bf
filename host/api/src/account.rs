//! `POST /api/admin/accounts`, `POST /api/admin/accounts/{username}/role`

use serde::{Deserialize, Serialize};

use crate::schema::time;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Cast an own ballot.
    Voter,
    /// Administer elections, and everything a registrar may.
    Admin,
    /// Cast ballots for voters whom it authenticated, and mint their tokens.
    Registrar,
    /// Read what is not public.
    Auditor,
}

/// An account that an administrator creates.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAccountRequest {
    /// The name to log in with.
    pub username: String,
    /// The password to log in with.
    pub password: String,
    /// What it may do.
    pub role: Role,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AccountAnswer {
    /// The name to log in with.
    pub username: String,
    /// What it may do.
    pub role: Role,
    /// When it was registered.
    #[schema(schema_with = time)]
    pub created_at: String,
}
