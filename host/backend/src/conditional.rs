//! Answers that a client may have already: entity tags (RFC 9110, 8.8.3) and `if-none-match`.
//!
//! Tags are weak, because the same answer may go out compressed in several ways.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// What may become of an answer later, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: it may be kept without asking.
    Never,
    /// It may be kept, and is to be asked about before it is used.
    Perhaps,
    /// As `Perhaps`, by who asked alone: another gets another answer.
    ForAsker,
}

impl Change {
    fn cache_control(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Never => "public, max-age=31536000, immutable",
            Self::Perhaps => "no-cache",
            Self::ForAsker => "private, no-cache",
        })
    }
}

/// Whether the client has what `tag` names.
pub(crate) fn has(request: &HeaderMap, tag: &str) -> bool {
    let lines = request.get_all(header::IF_NONE_MATCH).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|known| known.trim())
        .any(|known| known == "*" || bare(known) == Some(tag))
}

/// The answer under its tag, or word that the client has it.
pub(crate) fn tagged(
    request: &HeaderMap,
    tag: &str,
    change: Change,
    answer: impl IntoResponse,
) -> Response {
    let mut response = match has(request, tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => answer.into_response(),
    };
    let headers = response.headers_mut();
    // Tags are hex digits and the like: always a header's value.
    if let Ok(tag) = HeaderValue::from_str(&format!("W/\"{tag}\"")) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, change.cache_control());
    if change == Change::ForAsker {
        headers.append(header::VARY, HeaderValue::from_static("authorization"));
    }
    response
}

fn bare(tag: &str) -> Option<&str> {
    tag.trim_start_matches("W/")
        .strip_prefix('"')?
        .strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_compare_weakly() {
        let check = |known: &'static str, expected: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(known));
            assert_eq!(has(&headers, "0xab"), expected, "{known}");
        };
        check(r#""0xab""#, true);
        check(r#"W/"0xab""#, true);
        check(r#""x", W/"0xab""#, true);
        check("*", true);
        check(r#""0xac""#, false);
        check("0xab", false);
        check("", false);
        assert!(!has(&HeaderMap::new(), "0xab"));
    }
}
