//! `GET /api/events`: server-sent events.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;

use crate::{
    app::App,
    client_address::ClientAddress,
    events::{Next, Subscription},
    openapi::MayBeOverloaded,
    problem::Problem,
};

/// How long a client waits before it connects again, told to it first.
const RETRY: &str = "retry: 1000\n\n";

/// Follow what happens: blocks, confirmations, validators, turnout
///
/// A stream of server-sent events, each with a name and JSON data:
///
/// - `block`: `{"number", "hash", "timestamp", "transactions"}`
/// - `confirmations`: `{"block_number", "block_hash", "chain_transaction_ids"}`, of ballots cast
///   through this backend
/// - `validator`: `{"node_id", "status"}`
/// - `level`: `{"level", "has_quorum", "meaning"}`: which level of service holds from now on
/// - `turnout`: `{"election_id", "status", "turnout"}`
/// - `dropped`: `{"missed"}`: the client read too slowly, and the stream ends
///
/// What happened before is not told: ask for it, then follow.
#[utoipa::path(
    get,
    path = "/api/events",
    tag = "chain",
    operation_id = "events",
    responses(
        (status = 200, description = "Events", body = Object, content_type = "text/event-stream"),
        MayBeOverloaded
    ),
)]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
) -> Result<Response, Problem> {
    let subscription = app.events.subscribe(address.stranger()).ok_or_else(|| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-subscribers",
            "too many clients follow the events; ask for what you need instead",
        )
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // Proxies are not to hold events back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(text(subscription))).into_response())
}

fn text(
    subscription: Subscription,
) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let first = stream::iter([Ok(Bytes::from_static(RETRY.as_bytes()))]);
    let events = stream::unfold(Some(subscription), |subscription| async move {
        let mut subscription = subscription?;
        match subscription.next().await {
            Next::Text(text) => Some((Ok(text), Some(subscription))),
            Next::Dropped(text) => Some((Ok(text), None)),
            Next::End => None,
        }
    });
    futures::StreamExt::chain(first, events)
}
