//! Accepting connections, and stopping in order.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tower::Service;

use crate::{
    Bounds, Counts,
    connection::{Connection, Socket},
    exchange::{AnswerBody, Exchange, Receiving, RequestBody},
    metrics,
    room::Room,
};

/// Largest head of a request, in bytes.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most headers of a request.
pub const HEADERS_MAX: usize = 100;
/// What is read from and written to one connection ahead of its handler, in bytes.
const BUFFER_BYTES_MAX: usize = 32 << 10;
/// Pause after the system had no file for a new connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// What a connection for which there is no room is answered.
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\n\
    content-length: 0\r\n\r\n";

/// Bytes to which metrics round what one connection holds: whoever reads them must not learn the length
/// of a ballot that is on its way.
const HELD_STEP: u64 = 16 << 10;

/// A server of HTTP/1.1, and its connections. Clones are the same server.
#[derive(Clone)]
pub struct Server {
    room: Arc<Room>,
}

impl Server {
    /// A server within `bounds`. Raises the limit of open files as far as the system lets it.
    pub fn new(bounds: Bounds) -> Self {
        Self::trusting(bounds, |_| false)
    }

    /// A server that does not bound the connections of addresses that are trusted, such as those of
    /// a reverse proxy.
    pub fn trusting(
        bounds: Bounds,
        is_trusted: impl Fn(&IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            room: Room::new(bounds, Box::new(is_trusted)),
        }
    }

    /// A look at its connections.
    pub fn counts(&self) -> Counts {
        self.room.counts()
    }

    /// Shows its connections in `registry`, under names that begin with `http`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("http");
        registry.register_collector(Box::new(Connections(Arc::clone(&self.room))));
        self.room.counters.register(registry);
    }

    /// Serves until `shutdown` resolves and answers in flight are given, or `drain` after. Handlers
    /// find the peer's address as `ConnectInfo<SocketAddr>`, and [`Receiving`] as an extension.
    pub async fn serve(
        &self,
        listener: TcpListener,
        router: Router,
        shutdown: impl Future<Output = ()>,
        drain: Duration,
    ) -> io::Result<()> {
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        let (stop, stopping) = watch::channel(false);
        let mut sweep = interval(self.room.bounds.sweep_period());
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        self.take(stream, peer, &router, &stopping, &mut connections);
                    }
                    Err(error) => self.not_accepted(&error).await,
                },
                Some(_) = connections.join_next() => {}
                _ = sweep.tick() => self.room.sweep(),
                () = &mut shutdown => break,
            }
        }
        drop(listener);
        stop.send_replace(true);
        let drained = async {
            while !connections.is_empty() {
                tokio::select! {
                    _ = connections.join_next() => {}
                    _ = sweep.tick() => self.room.sweep(),
                }
            }
        };
        if timeout(drain, drained).await.is_err() {
            tracing::debug!("connections were left open at the stop");
        }
        Ok(())
    }

    fn take(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        router: &Router,
        stopping: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let Some(connection) = self.room.enter(peer.ip()) else {
            refuse(stream);
            return;
        };
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let seat = Seat(connection);
        connections.spawn(attend(seat, stream, peer, router.clone(), stopping.clone()));
    }

    async fn not_accepted(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        let is_the_clients = matches!(
            error.kind(),
            ConnectionAborted | ConnectionRefused | ConnectionReset
        );
        if !is_the_clients {
            // Out of files or memory: whoever waits makes room.
            tracing::warn!(%error, "a connection could not be taken");
            self.room.make_room_for_files();
            sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// What is open and held at the moment of asking.
struct Connections(Arc<Room>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (body_bytes, answer_bytes) = self.0.held_in_steps(HELD_STEP);
        let gauges = [
            (
                "connections",
                "Connections open.",
                self.0.counts().connections as u64,
            ),
            (
                "body_bytes",
                "Bytes of requests' bodies held, each rounded up to 16 KiB.",
                body_bytes,
            ),
            (
                "answer_bytes",
                "Bytes of answers held, each rounded up to 16 KiB.",
                answer_bytes,
            ),
        ];
        let mut gauges = gauges.into_iter();
        gauges.try_for_each(|(name, help, value)| metrics::gauge(&mut encoder, name, help, value))
    }
}

/// A connection's place in the room.
struct Seat(Arc<Connection>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.room.leave(&self.0);
    }
}

async fn attend(
    seat: Seat,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let connection = &seat.0;
    let service = service_fn(|request| {
        let connection = Arc::clone(connection);
        answer(router.clone(), connection, peer, request)
    });
    let io = TokioIo::new(Socket::new(stream, Arc::clone(connection)));
    let serving = http1::Builder::new()
        // Every bound of time is kept by the room, which knows what a connection is at.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(io, service);
    let mut serving = pin!(serving);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!(%error, "a connection ended");
                }
                return;
            }
            () = connection.close.notified() => return,
            _ = stopping.wait_for(|stopping| *stopping), if !is_stopping => {
                is_stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    mut router: Router,
    connection: Arc<Connection>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<hyper::Response<AnswerBody>, Infallible> {
    let has_body = !hyper::body::Body::is_end_stream(request.body());
    let exchange = Exchange::begin(Arc::clone(&connection), has_body);
    let receiving = Receiving(Arc::clone(&connection));
    let mut request = request.map(|body| Body::new(RequestBody::new(body, connection)));
    request.extensions_mut().insert(receiving);
    request.extensions_mut().insert(ConnectInfo(peer));
    // A router is always ready.
    let response = router.call(request).await?;
    Ok(response.map(|body| AnswerBody::new(body, exchange)))
}

/// Tells a client that there is no room. It may not hear it; nothing is waited for.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(REFUSAL);
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}
