//! The shapes in the OpenAPI document of words that the outbox keeps, and of outcomes as the runtime writes them.

use std::collections::BTreeMap;

/// What somebody may do.
#[derive(utoipa::ToSchema)]
#[schema(as = Role, rename_all = "lowercase")]
#[expect(dead_code, reason = "its names are in the document")]
pub(crate) enum Role {
    Voter,
    Admin,
    Registrar,
    Auditor,
}

/// Who vouches for a name.
#[derive(utoipa::ToSchema)]
#[schema(as = Realm, rename_all = "lowercase")]
#[expect(dead_code, reason = "its names are in the document")]
pub(crate) enum Realm {
    Registrar,
    Account,
    Credential,
}

/// A round of a count. Numbers are texts, whole or such as `7/3`, because they are exact.
#[derive(utoipa::ToSchema)]
#[schema(as = Round)]
#[expect(dead_code, reason = "its members are in the document")]
pub(crate) struct Round {
    /// The votes of each option that is still in the count.
    totals: BTreeMap<String, String>,
    /// Options that this round elected.
    elected: Vec<String>,
    /// Options that left the count.
    eliminated: Vec<String>,
    /// Votes that count for nobody any more.
    exhausted: String,
    /// Votes that moved at the end of the round.
    transfers: Vec<Transfer>,
}

/// Votes that moved.
#[derive(utoipa::ToSchema)]
#[schema(as = Transfer)]
#[expect(dead_code, reason = "its members are in the document")]
pub(crate) struct Transfer {
    /// The option that they counted for.
    from: String,
    /// The option that they count for now; `null` where it is none.
    #[schema(required)]
    to: Option<String>,
    /// How many.
    votes: String,
}

/// Options that the votes could not tell apart.
#[derive(utoipa::ToSchema)]
#[schema(as = Tie)]
#[expect(dead_code, reason = "its members are in the document")]
pub(crate) struct Tie {
    /// The tied options.
    options: Vec<String>,
    /// What was to be decided, such as `elimination in round 2`.
    question: String,
    /// How it was decided: `seed`, `order`, `report` (undecided), or a rule's own method.
    decided_by: String,
}
