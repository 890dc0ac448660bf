//! `GET /api/openapi.json`, and `GET /docs`, a page that shows it.

use std::sync::LazyLock;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tabella_protocol::Hash;

use crate::{
    conditional::{Change, tagged},
    openapi,
};

/// The page: style and script stand in it, and it loads nothing but the document.
const PAGE: &str = include_str!("document.html");

static TAG: LazyLock<String> = LazyLock::new(|| Hash::of(&openapi::DOCUMENT).to_string());

/// This document
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "operation",
    operation_id = "openapi",
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object),
        (status = 304, description = "The client has it: `if-none-match`"),
    )
)]
pub(crate) async fn openapi(headers: HeaderMap) -> Response {
    let answer = (
        [(header::CONTENT_TYPE, "application/json")],
        openapi::DOCUMENT.clone(),
    );
    tagged(&headers, &TAG, Change::Perhaps, answer)
}

/// The page allows itself its own script and style, by their hashes, and calls of this backend.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = |element: &str| {
        let inside = PAGE.split_once(&format!("<{element}>"))?.1;
        let inside = inside.split_once(&format!("</{element}>"))?.0;
        Some(format!(
            "'sha256-{}'",
            STANDARD.encode(Sha256::digest(inside.as_bytes()))
        ))
    };
    let (script, style) = (hash("script")?, hash("style")?);
    let policy = format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// The document for people.
pub(crate) async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    if let Some(policy) = &*POLICY {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}
