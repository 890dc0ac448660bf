//! What a backend answers while its database server is away at the start: that it lives, and is not
//! ready.

use std::{future::Future, io};

use axum::{
    Json, Router,
    http::{HeaderValue, StatusCode},
    routing::get,
};
use serde_json::{Value, json};
use tabella_http_server::Server;
use tabella_outbox::store::StoreError;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{clock, problem::Problem, routes, server};

/// Serves until `ready` resolves, and answers what came of it with the listener to go on with;
/// nothing where `shutdown` resolves before.
pub(crate) async fn serve_until<T>(
    listener: TcpListener,
    server: &Server,
    origins: &[HeaderValue],
    ready: impl Future<Output = T>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Option<(TcpListener, T)>> {
    let listener = listener.into_std()?;
    let serving = TcpListener::from_std(listener.try_clone()?)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let since = clock::rfc3339(clock::now_ms());
    let router = Router::new()
        .route("/health/live", get(routes::health::live))
        .route("/health/ready", get(async move || not_ready(&since)))
        .fallback(unavailable);
    let router = server::with_common(router, origins);
    let server = server.clone();
    let serving = tokio::spawn(async move {
        // Dropped is as good.
        let stopped = async { drop(stopped.await) };
        server.serve(serving, router, stopped, server::DRAIN).await
    });
    let result = tokio::select! {
        result = ready => Some(result),
        () = shutdown => None,
    };
    drop(stop);
    // Connections are closed, so that clients come back to the one that serves everything.
    serving.await.map_err(io::Error::other)??;
    match result {
        Some(result) => Ok(Some((TcpListener::from_std(listener)?, result))),
        None => Ok(None),
    }
}

fn not_ready(since: &str) -> (StatusCode, Json<Value>) {
    let answer = json!({
        "status": "not-ready",
        "database": "failed",
        "local_ledger": "closed",
        "validators_healthy": 0,
        "validators": 0,
        "pending_submissions": 0,
        "level": 0,
        "level_since": since,
        "has_quorum": false,
        "quorum_since": since,
        "meaning": "the database is away: no ballot is accepted until it is back",
    });
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
}

async fn unavailable() -> Problem {
    StoreError::of("its server is away").into()
}
