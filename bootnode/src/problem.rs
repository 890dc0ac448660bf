//! Refusals as RFC 9457 problem documents with a stable `code`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tabella_protocol::PeerRecordError;

/// A refusal: its status, its stable code and a sentence for people.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
}

#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
        }
    }
}

impl From<PeerRecordError> for Problem {
    fn from(error: PeerRecordError) -> Self {
        let (status, code) = match &error {
            PeerRecordError::OtherNetwork { .. } => (StatusCode::BAD_REQUEST, "other-network"),
            PeerRecordError::UnknownValidator(_) => (StatusCode::FORBIDDEN, "unknown-validator"),
            PeerRecordError::BadSignature(_) => (StatusCode::FORBIDDEN, "bad-signature"),
            PeerRecordError::Expired { .. } => (StatusCode::BAD_REQUEST, "expired"),
            PeerRecordError::ExpiresTooLate { .. } => (StatusCode::BAD_REQUEST, "expires-too-late"),
            PeerRecordError::BadAddress { .. } => (StatusCode::BAD_REQUEST, "bad-address"),
            PeerRecordError::Stale { .. } => (StatusCode::CONFLICT, "stale"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}
