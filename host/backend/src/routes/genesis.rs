//! `GET /api/genesis`

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};

use crate::{
    app::App,
    conditional::{Change, tagged},
};

/// The document that pins the network
///
/// What receipts and exports are checked against. It is this backend's word which network it serves: whoever checks compares the document, or its hash, with one from a party that it trusts.
#[utoipa::path(
    get,
    path = "/api/genesis",
    tag = "chain",
    operation_id = "genesis",
    responses(
        (status = 200, description = "The genesis document", body = Object),
        (status = 304, description = "The client has it: `if-none-match`"),
    ),
)]
pub(crate) async fn genesis(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let genesis = app.client.genesis();
    let content = [(header::CONTENT_TYPE, "application/json")];
    let tag = genesis.hash().to_string();
    let answer = (content, genesis.to_json());
    // The same address may serve another network one day.
    tagged(&headers, &tag, Change::Perhaps, answer)
}
