//! The OpenAPI document of the REST surface, put together from the routes themselves.
//!
//! A route is registered by its description (`utoipa_axum::routes!`), so that none exists without
//! one. What each kind of step may answer beside success is named here, once.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::body::Bytes;
use utoipa::{
    IntoResponses, OpenApi,
    openapi::{
        Components, Content, ObjectBuilder, Ref, RefOr, Response,
        header::HeaderBuilder,
        path::{Operation, PathItem},
        response::ResponseBuilder,
        schema::Type,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use tabella_api::ProblemDocument;

use crate::server;

pub(crate) use tabella_api::schema::{one_of, optional_time, source, submission_status, time};

/// The document as it is served.
pub(crate) static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi_json()));

/// The OpenAPI document of this version, as `GET /api/openapi.json` answers it.
pub fn openapi_json() -> String {
    let mut document = Base::openapi();
    document.merge(server::routes().into_openapi());
    describe_problems(&mut document);
    let mut text = document.to_pretty_json().expect("plain data serialises");
    text.push('\n');
    text
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tabella",
        description = "Elections whose rules are programs: vote, follow a vote to the chain, check results, administer.\n\nErrors are RFC 9457 problem documents with a stable `code`. Every answer carries `x-request-id`; a usable one that the client sends is echoed.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        contact(name = "Tabella")
    ),
    tags(
        (name = "votes", description = "Casting ballots, following them, results"),
        (name = "elections", description = "Elections, their boards and their rules"),
        (name = "chain", description = "Blocks, and what happens now"),
        (name = "accounts", description = "Logging in and out"),
        (name = "administration", description = "For administrators, registrars and auditors"),
        (name = "operation", description = "Health, metrics, and this document")
    ),
    components(schemas(ProblemDocument)),
    modifiers(&Bearer)
)]
struct Base;

/// The one way to authenticate.
struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An access token of `/api/auth/login`, a voter's token of `/api/admin/voter-tokens`, or the administrator's token",
            ))
            .build();
        document
            .components
            .get_or_insert_with(Components::new)
            .add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Every problem status that this backend answers, and what it means.
const PROBLEMS: [(u16, &str); 15] = [
    (400, "The request is not understood"),
    (
        401,
        "A token is missing, not one of this backend's, expired, or revoked",
    ),
    (403, "This token, or this voter, may not do it"),
    (404, "There is no such thing"),
    (405, "This path does not answer to this method"),
    (408, "The body came more slowly than this backend waits"),
    (409, "It stands against what happened before"),
    (413, "The body is larger than this path accepts"),
    (415, "The content type is not one that this path accepts"),
    (
        422,
        "Understood, but refused by a rule; `plugin_code` and `pointer` say more",
    ),
    (
        429,
        "More requests than this account or address may make; wait as `retry-after` says",
    ),
    (500, "The backend failed; the failure is in its log"),
    (502, "Validators gave no answer that holds"),
    (
        503,
        "Something that is needed is absent or overloaded; wait as `retry-after` says",
    ),
    (504, "Validators took it and have not confirmed it yet"),
];

/// The problems that a kind of step may end in, to be listed among a route's responses.
macro_rules! steps {
    ($($(#[$about:meta])* $name:ident: $statuses:expr;)+) => {$(
        $(#[$about])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                references(&$statuses)
            }
        }
    )+};
}

steps! {
    /// Reads parameters of the query.
    ReadsQuery: [400];
    /// Reads a body of JSON.
    ReadsBody: [400, 408, 413, 415, 503];
    /// Looks for one thing by its name.
    NamesOne: [404];
    /// Serves not everybody.
    Forbids: [403];
    /// May stand against what happened before.
    Conflicts: [409];
    /// Asks a rule.
    AsksRule: [422];
    /// Asks validators.
    AsksValidators: [502, 503];
    /// Uses what may be absent or overloaded, such as the database.
    MayBeOverloaded: [503];
    /// Knows who asks.
    Authenticates: [401, 503];
    /// Serves only some of those whom it knows.
    Restricts: [401, 403, 503];
    /// Puts an administrator's transaction on the chain.
    Administers: [400, 403, 404, 408, 409, 413, 422, 502, 503, 504];
}

fn references(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let reference = |status: &u16| {
        let reference = Ref::from_response_name(problem_name(*status));
        (status.to_string(), RefOr::Ref(reference))
    };
    statuses.iter().map(reference).collect()
}

fn problem_name(status: u16) -> String {
    format!("Problem{status}")
}

/// Adds the problems that routes name, and those that any route may answer.
fn describe_problems(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    for (status, description) in PROBLEMS {
        let mut problem = ResponseBuilder::new().description(description).content(
            "application/problem+json",
            Content::new(Some(Ref::from_schema_name("Problem"))),
        );
        if matches!(status, 429 | 503) {
            let seconds = ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1));
            let header = HeaderBuilder::new()
                .schema(Some(seconds))
                .description(Some("Seconds to wait"))
                .build();
            problem = problem.header("retry-after", header);
        }
        components
            .responses
            .insert(problem_name(status), RefOr::T(problem.build()));
    }
    for (path, item) in &mut document.paths.paths {
        let limited = path.starts_with("/api/");
        for operation in operations(item) {
            let anywhere: &[u16] = if limited { &[429, 500] } else { &[500] };
            for (status, response) in references(anywhere) {
                operation
                    .responses
                    .responses
                    .entry(status)
                    .or_insert(response);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.delete]
        .into_iter()
        .flatten()
}
