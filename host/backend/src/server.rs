//! The HTTP surface: routes, limits, and what every answer carries.

use std::{
    any::Any,
    future::{Future, IntoFuture},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::oneshot};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{app::App, problem::Problem, routes};

/// Largest request body where a route names no other bound, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Largest statement of an election, in bytes of JSON.
const ELECTION_BYTES_MAX: usize = 1 << 20;
/// How long answers in flight may take once a stop was asked for.
const DRAIN: Duration = Duration::from_secs(5);
/// Longest request id taken over from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn router(app: Arc<App>) -> Router {
    let votes = Router::new()
        .route("/submit", post(routes::submit::submit))
        .route(
            "/transaction-status",
            get(routes::transaction_status::transaction_status),
        )
        .route("/results", get(routes::results::results))
        .route("/receipt", get(routes::receipt::receipt))
        .route("/status", get(routes::voter::status))
        .route("/history", get(routes::voter::history))
        .route(
            "/verify-blockchain",
            post(routes::verify_blockchain::verify_blockchain),
        );
    let auth = Router::new()
        .route("/register", post(routes::accounts::register))
        .route("/login", post(routes::accounts::login))
        .route("/refresh", post(routes::accounts::refresh))
        .route("/profile", get(routes::accounts::profile));
    let admin = Router::new()
        .route(
            "/elections",
            post(routes::admin_elections::create).layer(DefaultBodyLimit::max(ELECTION_BYTES_MAX)),
        )
        .route("/elections/{id}/open", post(routes::admin_elections::open))
        .route(
            "/elections/{id}/close",
            post(routes::admin_elections::close),
        )
        .route("/elections/{id}/roll", post(routes::roll::extend))
        .route(
            "/plugins",
            post(routes::plugins::publish)
                .layer(DefaultBodyLimit::max(routes::plugins::WASM_BYTES_MAX)),
        )
        .route(
            "/voter-tokens",
            post(routes::voter_tokens::mint).layer(DefaultBodyLimit::max(ELECTION_BYTES_MAX)),
        )
        .route(
            "/reconciliation",
            get(routes::reconciliation::reconciliation),
        )
        .route("/local-ledger", get(routes::reconciliation::local_ledger))
        .route("/validators/health", get(routes::validators::health))
        .route(
            "/validators/refresh-status",
            post(routes::validators::refresh),
        );
    let api = Router::new()
        .nest("/votes", votes)
        .nest("/auth", auth)
        .nest("/admin", admin)
        .route("/elections", get(routes::elections::elections))
        .route("/elections/{id}", get(routes::elections::election))
        .route("/elections/{id}/board", get(routes::board::board))
        .route("/elections/{id}/export", get(routes::export::export))
        .route("/blocks", get(routes::blocks::blocks))
        .route("/blocks/{id}", get(routes::blocks::block))
        .route("/plugins", get(routes::plugins::plugins))
        .route("/plugins/{sha256}", get(routes::plugins::plugin))
        .route("/plugins/{sha256}/wasm", get(routes::plugins::wasm));
    let router = Router::new()
        .nest("/api", api)
        .route("/health/live", get(routes::health::live))
        .route("/health/ready", get(routes::health::ready))
        .route("/metrics", get(routes::health::metrics))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    with_common(router.with_state(app))
}

/// What every answer has, whatever is routed.
pub(crate) fn with_common(router: Router) -> Router {
    router
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(common_headers))
}

/// Serves until `shutdown` resolves and answers in flight are given, or a few seconds after.
pub(crate) async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = stopping.send(());
    });
    let drained = async {
        // An error means that the server has ended by itself.
        if stopped.await.is_ok() {
            tokio::time::sleep(DRAIN).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        result = server.into_future() => result,
        () = drained => Ok(()),
    }
}

/// Echoes the request's id, or gives it one, and sets what every answer carries.
async fn common_headers(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let usable = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        !bytes.is_empty()
            && bytes.len() <= REQUEST_ID_BYTES_MAX
            && bytes.iter().all(u8::is_ascii_graphic)
    };
    match headers.get(REQUEST_ID).filter(usable) {
        Some(id) => id.clone(),
        None => HeaderValue::from_str(&hex::encode(rand::random::<[u8; 16]>()))
            .unwrap_or(HeaderValue::from_static("none")),
    }
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such path")
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this path does not answer to this method",
    )
}

/// A panic is a defect of ours: it is logged, and the client gets a plain answer.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Problem::internal(&message).into_response()
}
