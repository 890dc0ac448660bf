//! The pages of `tabella-web`, and what is answered where there is no path.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tabella_web::{Asset, Encoding, Keep, best_language, site};

use crate::{
    conditional::{Change, tagged},
    problem::Problem,
};

/// Where programs ask; everybody else is shown a page.
const FOR_PROGRAMS: [&str; 3] = ["/api", "/health", "/metrics"];

/// The page of the OpenAPI document, which has a route of its own.
const DOCUMENT: &str = "/docs";

/// The page or file at a path; where there is none, a page for people and a problem for programs.
pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let found = site().find(path);
    let is_read = method == Method::GET || method == Method::HEAD;
    match found {
        Some(asset) if is_read => send(asset, &headers),
        None if is_read && path == "/" => to_first_page(&headers),
        None if is_read && let Some(meant) = by_another_slash(path) => lead_to(&meant, uri.query()),
        None if is_read && is_shown_a_page(path, &headers) => {
            let mut response = send(site().not_found(language(&headers)), &HeaderMap::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().remove(header::ETAG);
            no_store(&mut response);
            response
        }
        Some(_) => method_not_allowed(),
        None => not_found(),
    }
}

pub(crate) fn method_not_allowed() -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this path does not answer to this method",
    )
    .into_response()
}

fn not_found() -> Response {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such path").into_response()
}

/// Who reads HTML gets a page, unless it asks where programs do.
fn is_shown_a_page(path: &str, headers: &HeaderMap) -> bool {
    let is_below = |root: &str| {
        let rest = path.strip_prefix(root);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_for_programs = FOR_PROGRAMS.into_iter().any(is_below);
    !is_for_programs && text(headers, header::ACCEPT).contains("text/html")
}

fn language(headers: &HeaderMap) -> tabella_web::Language {
    best_language(text(headers, header::ACCEPT_LANGUAGE))
}

fn to_first_page(headers: &HeaderMap) -> Response {
    let answer = [
        (header::LOCATION, format!("/{}/", language(headers).code)),
        (header::VARY, "accept-language".to_owned()),
    ];
    (StatusCode::SEE_OTHER, answer).into_response()
}

/// The page that is meant by a path with a slash too many or too few at its end.
fn by_another_slash(path: &str) -> Option<String> {
    let meant = match path.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    };
    let is_page = site().find(&meant).is_some_and(Asset::is_page) || meant == DOCUMENT;
    (is_page && !path.contains("//")).then_some(meant)
}

fn lead_to(path: &str, query: Option<&str>) -> Response {
    let location = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let answer = [(header::LOCATION, location)];
    (StatusCode::PERMANENT_REDIRECT, answer).into_response()
}

fn send(asset: &Asset, headers: &HeaderMap) -> Response {
    let (encoding, bytes) = asset.encoded(text(headers, header::ACCEPT_ENCODING));
    let change = match asset.keep {
        Keep::Forever => Change::Never,
        Keep::UntilAsked => Change::Perhaps,
    };
    let content = [(header::CONTENT_TYPE, asset.content_type)];
    let mut response = tagged(headers, &asset.sha256(), change, (content, bytes.to_vec()));
    let own = response.headers_mut();
    own.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let written = match encoding {
        Encoding::Identity => None,
        Encoding::Gzip => Some("gzip"),
        Encoding::Brotli => Some("br"),
    };
    if let (Some(written), false) = (written, own.get(header::CONTENT_TYPE).is_none()) {
        own.insert(header::CONTENT_ENCODING, HeaderValue::from_static(written));
    }
    for (name, value) in asset.headers() {
        // A body that did not change is not sent again, and neither is its type.
        let is_unsent = name == "content-type" && own.get(header::CONTENT_TYPE).is_none();
        if !is_unsent {
            let value = HeaderValue::from_str(&value).expect("the pages' headers are plain text");
            own.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn no_store(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    let value = headers.get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}
