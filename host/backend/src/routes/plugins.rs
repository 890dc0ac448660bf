//! `GET /api/plugins`, `GET /api/plugins/{sha256}`, `.../wasm`, `POST /api/admin/plugins`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use tabella_protocol::{
    Hash, Payload,
    rpc::{PluginView, RefusalCode},
};

use crate::{
    app::App,
    auth::Principal,
    extract::{Path, read_body},
    problem::Problem,
};

/// Largest plugin that a chain takes, in bytes, with room to say so when one is larger.
pub(crate) const WASM_BYTES_MAX: usize = 512 << 10;

#[derive(Serialize)]
pub(crate) struct PluginAnswer {
    sha256: Hash,
    bytes: u64,
    manifest: Value,
}

impl From<PluginView> for PluginAnswer {
    fn from(view: PluginView) -> Self {
        Self {
            sha256: view.sha256,
            bytes: view.bytes,
            manifest: view.manifest,
        }
    }
}

pub(crate) async fn plugins(
    State(app): State<Arc<App>>,
) -> Result<Json<Vec<PluginAnswer>>, Problem> {
    let views = app.client.plugins().await?;
    Ok(Json(views.into_iter().map(PluginAnswer::from).collect()))
}

pub(crate) async fn plugin(
    State(app): State<Arc<App>>,
    Path(sha256): Path<String>,
) -> Result<Json<PluginAnswer>, Problem> {
    let sha256 = parse(&sha256)?;
    let view = app.client.plugin(sha256).await?.ok_or_else(unknown)?;
    Ok(Json(view.into()))
}

pub(crate) async fn wasm(
    State(app): State<Arc<App>>,
    Path(sha256): Path<String>,
) -> Result<Response, Problem> {
    let sha256 = parse(&sha256)?;
    let wasm = app.client.plugin_wasm(sha256).await?.ok_or_else(unknown)?;
    let headers = [
        (header::CONTENT_TYPE, "application/wasm".to_owned()),
        (header::ETAG, format!("\"{sha256}\"")),
        (
            header::CACHE_CONTROL,
            "public, max-age=31536000, immutable".to_owned(),
        ),
    ];
    Ok((headers, wasm).into_response())
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

/// Publishes the Wasm bytes in the body.
pub(crate) async fn publish(
    State(app): State<Arc<App>>,
    principal: Principal,
    request: Request,
) -> Result<(StatusCode, Json<PluginAnswer>), Problem> {
    principal.require_admin()?;
    let wasm = read_body(request, &app).await?.to_vec();
    let sha256 = Hash::of(&wasm);
    if let Some(view) = app.client.plugin(sha256).await? {
        return Ok((StatusCode::OK, Json(view.into())));
    }
    let bytes = wasm.len() as u64;
    match app.administer(Payload::PublishPlugin { wasm }).await {
        Ok(_) => {}
        // Somebody else published the same bytes meanwhile.
        Err(problem) if problem.is(RefusalCode::AlreadyPublished) => {}
        Err(problem) => return Err(problem),
    }
    let view = app.client.plugin(sha256).await?;
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
