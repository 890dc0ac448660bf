//! One request and its answer: both count what they hold, and a body that comes too slowly is given up.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::connection::Connection;

/// Why a body is given up by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It came too slowly.
    TooSlow,
    /// Too many bytes are held, and it was among the slowest.
    Busy,
}

/// Why a request's body ended before it was complete.
#[derive(Debug)]
pub enum BodyError {
    /// It came more slowly than the bounds allow.
    TooSlow,
    /// Too many requests' bodies are held at the moment.
    Busy,
    /// The client broke it off.
    Broken(hyper::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSlow => f.write_str("the body came too slowly"),
            Self::Busy => f.write_str("too many requests are being received; try again later"),
            Self::Broken(error) => write!(f, "the body ended before it was complete: {error}"),
        }
    }
}

impl std::error::Error for BodyError {}

impl BodyError {
    /// This error among the causes of what a reader of the body was answered.
    pub fn among<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

impl From<Failure> for BodyError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooSlow => Self::TooSlow,
            Failure::Busy => Self::Busy,
        }
    }
}

/// The request that a handler is given: an extension of it.
#[derive(Clone)]
pub struct Receiving(pub(crate) Arc<Connection>);

impl Receiving {
    /// Says that the handler passes the body on as it comes, so that it counts for no bytes held.
    pub fn passes_on(&self) {
        self.0.body_passes();
    }
}

/// A request's body.
pub(crate) struct RequestBody {
    incoming: Incoming,
    connection: Arc<Connection>,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, connection: Arc<Connection>) -> Self {
        Self {
            incoming,
            connection,
        }
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let failed = |failure: Failure| Poll::Ready(Some(Err(failure.into())));
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Pending => match self.connection.body_waits(context.waker()) {
                Some(failure) => failed(failure),
                None => Poll::Pending,
            },
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                match self.connection.body_came(bytes) {
                    Some(failure) => failed(failure),
                    None => Poll::Ready(Some(Ok(frame))),
                }
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(BodyError::Broken(error)))),
            Poll::Ready(None) => {
                self.connection.body_ended();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.connection.body_ended();
    }
}

/// From a request's head to the end of its answer.
pub(crate) struct Exchange(Arc<Connection>);

impl Exchange {
    pub(crate) fn begin(connection: Arc<Connection>, has_body: bool) -> Self {
        connection.request_began(has_body);
        Self(connection)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

/// An answer's body.
pub(crate) struct AnswerBody {
    body: Body,
    /// Bytes that are held from the start and not handed over yet.
    held: u64,
    /// Whether its length was known from the start.
    is_whole: bool,
    exchange: Exchange,
}

impl AnswerBody {
    pub(crate) fn new(body: Body, exchange: Exchange) -> Self {
        let whole = http_body::Body::size_hint(&body).exact();
        let held = whole.unwrap_or(0);
        if held > 0 {
            exchange.0.answer_grows(held);
        }
        Self {
            body,
            held,
            is_whole: whole.is_some(),
            exchange,
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            match self.is_whole {
                true => self.held = self.held.saturating_sub(bytes),
                false => self.exchange.0.answer_grows(bytes),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        // An answer to HEAD is not sent.
        self.exchange.0.answer_shrinks(self.held);
    }
}
