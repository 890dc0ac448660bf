//! Where an answer about the chain comes from, and up to which block it goes.

use axum::{
    http::{HeaderName, HeaderValue},
    response::Response,
};

use crate::app::App;

/// The header that says where an answer comes from.
pub(crate) const SOURCE: HeaderName = HeaderName::from_static("tabella-source");
/// The header that says up to which block an answer goes.
pub(crate) const AS_OF_HEIGHT: HeaderName = HeaderName::from_static("tabella-as-of-height");

/// What an answer from the backend's own proven chain is as of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AsOf {
    /// `poa` while validators answer; `local` where this is what the backend proved before.
    pub(crate) source: &'static str,
    /// The block up to which the chain was proven here when it was read.
    pub(crate) height: u64,
}

impl AsOf {
    /// As of a height, and of the validators that can be reached now.
    pub(crate) fn at(app: &App, height: u64) -> Self {
        let source = match app.client.is_connected() {
            true => "poa",
            false => "local",
        };
        Self { source, height }
    }

    /// Says it in the headers, for answers that are kept as they come or go line by line.
    pub(crate) fn write(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.insert(SOURCE, HeaderValue::from_static(self.source));
        headers.insert(AS_OF_HEIGHT, self.height.into());
        response
    }
}
