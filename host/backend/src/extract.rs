//! Request bodies and queries, whose rejections are problem documents too.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use tabella_http_server::BodyError;

use crate::problem::Problem;

/// A JSON body. A missing content type passes, any other than JSON does not.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = read_body(request, state).await?;
        parse_json(&body).map(Self)
    }
}

/// The whole body, within the route's limit.
pub(crate) async fn read_body<S: Send + Sync>(
    request: Request,
    state: &S,
) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "the body is larger than this path accepts",
            ),
            _ => unreadable(&rejection),
        })
}

fn unreadable(rejection: &(dyn std::error::Error + 'static)) -> Problem {
    match BodyError::among(rejection) {
        Some(error @ BodyError::TooSlow) => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-too-slow",
            error.to_string(),
        ),
        Some(error @ BodyError::Busy) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            error.to_string(),
        ),
        _ => Problem::bad_request("unreadable-body", "the body ended before it was complete"),
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = content_type
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "expected content-type application/json",
    ))
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde would take an array as a struct's fields in order.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::bad_request(
            "invalid-request",
            "expected a JSON object, got an array",
        ));
    }
    let mut text = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut text);
    let value = read.map_err(|error| {
        let pointer = pointer(error.path());
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => {
                let position = format!(" at line {} column {}", error.line(), error.column());
                let reason = error.to_string();
                let reason = reason.strip_suffix(&position).unwrap_or(&reason);
                let problem = Problem::bad_request("invalid-request", reason);
                if pointer.is_empty() {
                    problem
                } else {
                    problem.at(pointer)
                }
            }
            _ => malformed(&error),
        }
    })?;
    text.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::bad_request("malformed-json", error.to_string())
}

/// The JSON pointer (RFC 6901) to a value; empty for the whole document.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer += &format!("/{index}"),
            Segment::Map { key } => {
                pointer.push('/');
                pointer += &key.replace('~', "~0").replace('/', "~1");
            }
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The query's parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        AxumQuery::<T>::from_request_parts(parts, state)
            .await
            .map(|AxumQuery(query)| Self(query))
            .map_err(|rejection| {
                use std::error::Error as _;
                let reason = rejection
                    .source()
                    .map_or_else(|| rejection.to_string(), ToString::to_string);
                Problem::bad_request("invalid-query", reason)
            })
    }
}

/// The parameters in the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        AxumPath::<T>::from_request_parts(parts, state)
            .await
            .map(|AxumPath(path)| Self(path))
            .map_err(|rejection| {
                Problem::new(StatusCode::NOT_FOUND, "not-found", rejection.body_text())
            })
    }
}
