//! `GET /api/plugins`, `GET /api/plugins/{sha256}`, `.../wasm`, `POST /api/admin/plugins`

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde_json::Value;
use tabella_api::PluginAnswer;
use tabella_protocol::{
    Hash, Payload,
    rpc::{PluginView, RefusalCode},
};
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, RefOr, SchemaFormat,
    schema::{Schema, Type},
};

use crate::{
    app::App,
    auth::Principal,
    client_address::ClientAddress,
    conditional::{Change, has, tagged},
    extract::{Path, read_body},
    openapi::{Administers, AsksValidators, NamesOne, Restricts},
    problem::Problem,
    proven::published,
};

/// Largest plugin that a chain takes, in bytes, with room to say so when one is larger.
pub(crate) const WASM_BYTES_MAX: usize = 512 << 10;

/// The bytes of a Wasm module, in the document.
pub(crate) struct Module;

impl utoipa::PartialSchema for Module {
    fn schema() -> RefOr<Schema> {
        let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(binary))
            .into()
    }
}

impl utoipa::ToSchema for Module {}

/// The rules that are on the chain
#[utoipa::path(
    get,
    path = "/api/plugins",
    tag = "elections",
    operation_id = "plugins",
    responses(
        (status = 200, description = "Rules", body = [PluginAnswer]),
        AsksValidators
    ),
)]
pub(crate) async fn plugins(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
) -> Result<Json<Vec<PluginAnswer>>, Problem> {
    app.elections.catch_up().await;
    let views = app.read_blocks(address, published).await?;
    Ok(Json(views.into_iter().map(PluginAnswer::from).collect()))
}

/// What a rule says of itself
#[utoipa::path(
    get,
    path = "/api/plugins/{sha256}",
    tag = "elections",
    operation_id = "plugin",
    params(("sha256" = String, Path, description = "SHA-256 of the Wasm bytes, with or without 0x")),
    responses(
        (status = 200, description = "The rule", body = PluginAnswer),
        (status = 304, description = "The client has it: `if-none-match`"),
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn plugin(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sha256 = parse(&sha256)?;
    let view = app
        .read_blocks(address, move |ledger| ledger.plugin_view(&sha256, false))
        .await?
        .ok_or_else(unknown)?;
    let answer = Json(PluginAnswer::from(view));
    Ok(tagged(&headers, &sha256.to_string(), Change::Never, answer))
}

/// A rule's Wasm bytes, for whoever recounts
#[utoipa::path(
    get,
    path = "/api/plugins/{sha256}/wasm",
    tag = "elections",
    operation_id = "plugin_wasm",
    params(("sha256" = String, Path, description = "SHA-256 of the Wasm bytes, with or without 0x")),
    responses(
        (status = 200, description = "The module", body = Module, content_type = "application/wasm"),
        (status = 304, description = "The client has it: `if-none-match`"),
        NamesOne,
        AsksValidators
    ),
)]
pub(crate) async fn wasm(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Path(sha256): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let sha256 = parse(&sha256)?;
    let tag = sha256.to_string();
    // Bytes of this hash cannot be others.
    if has(&headers, &tag) {
        return Ok(tagged(&headers, &tag, Change::Never, ()));
    }
    let read = app
        .read_blocks(address, move |ledger| ledger.plugin(&sha256))
        .await?;
    let (_, wasm) = read.ok_or_else(unknown)?;
    let answer = ([(header::CONTENT_TYPE, "application/wasm")], wasm);
    Ok(tagged(&headers, &tag, Change::Never, answer))
}

async fn find(app: &App, sha256: Hash) -> Result<Option<PluginView>, Problem> {
    app.read(move |ledger| ledger.plugin_view(&sha256, false))
        .await
}

fn parse(text: &str) -> Result<Hash, Problem> {
    Hash::parse_lenient(text).map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-plugin",
        "no plugin with this sha256 has been published",
    )
}

/// Publish a rule
///
/// The body is the Wasm module. The same bytes again change nothing.
#[utoipa::path(
    post,
    path = "/api/admin/plugins",
    tag = "administration",
    operation_id = "publish_plugin",
    request_body(content((Module = "application/octet-stream"), (Module = "application/wasm"))),
    responses(
        (status = 200, description = "It was on the chain already", body = PluginAnswer),
        (status = 201, description = "It is on the chain", body = PluginAnswer),
        Restricts,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn publish(
    State(app): State<Arc<App>>,
    principal: Principal,
    request: Request,
) -> Result<(StatusCode, Json<PluginAnswer>), Problem> {
    principal.require_admin()?;
    let wasm = read_body(request, &app).await?.to_vec();
    let sha256 = Hash::of(&wasm);
    if let Some(view) = find(&app, sha256).await? {
        return Ok((StatusCode::OK, Json(view.into())));
    }
    let bytes = wasm.len() as u64;
    let published = app.outbox.administer(Payload::PublishPlugin { wasm });
    match published.await {
        Ok(_) => {}
        // Somebody else published the same bytes meanwhile.
        Err(error) if error.refusal() == Some(RefusalCode::AlreadyPublished) => {}
        Err(error) => return Err(error.into()),
    }
    let view = find(&app, sha256).await?;
    let answer = view.map_or_else(
        || PluginAnswer {
            sha256,
            bytes,
            manifest: Value::Null,
        },
        PluginAnswer::from,
    );
    Ok((StatusCode::CREATED, Json(answer)))
}
