//! Shapes in the OpenAPI document: texts that are one of few, times, exact numbers, and outcomes as rules write them.

use std::collections::BTreeMap;

use utoipa::openapi::{
    KnownFormat, Object, ObjectBuilder, SchemaFormat,
    schema::{SchemaType, Type},
};

/// A text that is one of these.
pub fn one_of(values: &[&str]) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values.iter().copied()))
        .build()
}

/// Where a submission stands.
pub fn submission_status() -> Object {
    one_of(&["pending", "confirmed", "rejected", "local", "recorded"])
}

/// Whose word an answer is: the chain's, the local ledger's or the database's.
pub fn source() -> Object {
    one_of(&["poa", "local", "database"])
}

/// Always the same text.
pub(crate) fn closing() -> Object {
    ObjectBuilder::new().schema_type(Type::String).build()
}

/// A time, RFC 3339 in UTC.
pub fn time() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .build()
}

/// A time, where there is one.
pub fn optional_time() -> Object {
    let mut time = time();
    time.schema_type = [Type::String, Type::Null].into_iter().collect();
    time
}

/// Whole where every reader takes it exactly, else a text such as `7/3`.
pub fn exact_number() -> Object {
    let types = [Type::Integer, Type::String, Type::Null];
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .build()
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
