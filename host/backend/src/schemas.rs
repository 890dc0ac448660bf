//! The shapes in the OpenAPI document of words that the outbox keeps.

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
