//! The shape in the OpenAPI document of a word that the outbox keeps.

/// Who vouches for a name.
#[derive(utoipa::ToSchema)]
#[schema(as = Realm, rename_all = "lowercase")]
#[expect(dead_code, reason = "its names are in the document")]
pub(crate) enum Realm {
    Registrar,
    Account,
    Credential,
}
