//! The HTTP surface: routes, limits, and what every answer carries.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tabella_http_server::Receiving;
use tabella_protocol::Transaction;
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{
        CompressionLayer, Predicate,
        predicate::{And, NotForContentType, SizeAbove},
    },
    cors::{AllowOrigin, CorsLayer},
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{app::App, as_of, client_address::ClientAddress, problem::Problem, routes::web};

/// Largest request body where a route names no other bound, in bytes.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Largest statement of an election, in bytes of JSON.
const ELECTION_BYTES_MAX: usize = 1 << 20;
/// How long answers in flight may take once a stop was asked for.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);
/// Longest request id taken over from a client.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// Smaller answers are not compressed, in bytes.
const COMPRESSED_BYTES_MIN: u64 = 1 << 10;
/// How long browsers may remember what other origins may do.
const CORS_MAX_AGE: Duration = Duration::from_secs(60 * 60);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) fn router(app: Arc<App>) -> Router {
    // So that the first reader does not wait for all of them to be made.
    std::thread::spawn(tabella_web::site);
    let (router, _) = routes().split_for_parts();
    let router = router
        .fallback(web::page)
        .method_not_allowed_fallback(async || web::method_not_allowed());
    let router = router
        .layer(compression())
        .layer(middleware::from_fn_with_state(app.clone(), limit_address));
    let origins = app.cors_origins.clone();
    with_common(router.with_state(app), &origins)
}

/// What every answer has, whatever is routed.
pub(crate) fn with_common(router: Router, origins: &[HeaderValue]) -> Router {
    let router = router
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked));
    // Around all that refuses, so that pages can read why.
    let router = match origins.is_empty() {
        true => router,
        false => router.layer(cors(origins)),
    };
    router.layer(middleware::from_fn(common_headers))
}

/// Checks that every text is a web origin (RFC 6454), as browsers write it; returns the first that is
/// none.
pub(crate) fn cors_origins(origins: &[String]) -> Result<Vec<HeaderValue>, String> {
    let parse = |origin: &String| {
        let uri: Uri = origin.parse().map_err(|_| origin.clone())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let written = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str())
        );
        match HeaderValue::from_str(origin) {
            Ok(value) if web && written == *origin => Ok(value),
            _ => Err(origin.clone()),
        }
    };
    origins.iter().map(parse).collect()
}

/// Pages of the named origins may call; they hold a token of their own, so that no cookie is sent.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            REQUEST_ID,
        ])
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            REQUEST_ID,
            as_of::SOURCE,
            as_of::AS_OF_HEIGHT,
        ])
        .max_age(CORS_MAX_AGE)
}

/// gzip or br for what is large enough to gain by it; events go out as they come. The least effort:
/// the processor has ballots to check.
fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(COMPRESSED_BYTES_MIN).and(NotForContentType::SSE))
}

/// A signed transaction of the largest size, as hex in JSON.
const SIGNED_TRANSACTION_BYTES_MAX: usize = 2 * Transaction::BYTES_MAX + 1_024;

/// Every route, with its description.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    use crate::routes::*;
    OpenApiRouter::new()
        .routes(routes!(submit::submit))
        .routes(routes!(transaction_status::transaction_status))
        .routes(routes!(results::results))
        .routes(routes!(receipt::receipt))
        .routes(routes!(voter::status))
        .routes(routes!(voter::history))
        .routes(routes!(verify_blockchain::verify_blockchain))
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::refresh))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::profile))
        .routes(routes!(admin_accounts::create))
        .routes(routes!(admin_accounts::set_role))
        .routes(routes!(admin_elections::create).layer(DefaultBodyLimit::max(ELECTION_BYTES_MAX)))
        .routes(routes!(admin_elections::open))
        .routes(routes!(admin_elections::close, admin_elections::resume))
        .routes(
            routes!(admin_transactions::put)
                .layer(DefaultBodyLimit::max(SIGNED_TRANSACTION_BYTES_MAX)),
        )
        .routes(routes!(roll::extend).layer(middleware::from_fn(pass_on)))
        .routes(routes!(plugins::publish).layer(DefaultBodyLimit::max(plugins::WASM_BYTES_MAX)))
        .routes(routes!(voter_tokens::mint).layer(DefaultBodyLimit::max(ELECTION_BYTES_MAX)))
        .routes(routes!(reconciliation::reconciliation))
        .routes(routes!(reconciliation::local_ledger))
        .routes(routes!(validators::health))
        .routes(routes!(validators::refresh))
        .routes(routes!(elections::elections))
        .routes(routes!(elections::election))
        .routes(routes!(elections::proof))
        .routes(routes!(board::board))
        .routes(routes!(export::export))
        .routes(routes!(blocks::blocks))
        .routes(routes!(blocks::block))
        .routes(routes!(events::events))
        .routes(routes!(plugins::plugins))
        .routes(routes!(plugins::plugin))
        .routes(routes!(plugins::wasm))
        .routes(routes!(genesis::genesis))
        .routes(routes!(document::openapi))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
        // A page for people, which describes all of these.
        .route("/docs", axum::routing::get(document::page))
}

/// For handlers that hold none of the body.
async fn pass_on(request: Request, next: Next) -> Response {
    if let Some(receiving) = request.extensions().get::<Receiving>() {
        receiving.passes_on();
    }
    next.run(request).await
}

/// Notes whose request it is, and refuses one too many of the same address.
async fn limit_address(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let address = ClientAddress::of(&request, &app.trusted_proxies);
    request.extensions_mut().insert(address);
    // Health and metrics are the operator's.
    if request.uri().path().starts_with("/api/")
        && let Err(problem) = app.limits.request(address, &request)
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// Echoes the request's id, or gives it one, and sets what every answer carries.
async fn common_headers(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    if response.status().is_server_error() {
        tracing::warn!(request_id = ?id, status = %response.status(), "a request was not served");
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    for (name, value) in &SECURITY_HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Headers that stop browsers from reinterpreting an answer. Transport security is left to
/// the proxy that ends TLS.
static SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

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

/// A panic is a defect of ours: it is logged, and the client gets a plain answer.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Problem::internal(&message).into_response()
}
