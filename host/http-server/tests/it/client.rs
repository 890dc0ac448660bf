//! A server with small bounds, and raw clients of it.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use futures::{StreamExt, stream};
use tabella_http_server::{BodyError, Bounds, Counts, Receiving, Server, listen};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) server: Server,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

async fn length(
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> (StatusCode, String) {
    match body {
        Ok(body) => (StatusCode::OK, body.len().to_string()),
        Err(rejection) => match BodyError::among(&rejection) {
            Some(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "slow".to_owned()),
            Some(BodyError::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy".to_owned()),
            _ => (StatusCode::BAD_REQUEST, "broken".to_owned()),
        },
    }
}

/// Counts a body as it comes, and holds none of it.
async fn passed_on(request: Request) -> String {
    request.extensions().get::<Receiving>().unwrap().passes_on();
    let mut chunks = request.into_body().into_data_stream();
    let mut bytes = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        bytes += chunk.len();
    }
    bytes.to_string()
}

/// Chunks without end, as long as somebody reads.
async fn endless() -> impl IntoResponse {
    let chunks = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![7; 64 << 10])));
    Body::from_stream(chunks)
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "here\n"))
        .route("/length", post(length))
        .route("/passed-on", post(passed_on))
        .route("/large", get(async || vec![7_u8; 16 << 20]))
        .route("/endless", get(endless))
        .route(
            "/slow",
            get(async || {
                sleep(Duration::from_millis(300)).await;
                "done\n"
            }),
        )
        .layer(axum::extract::DefaultBodyLimit::max(4 << 20))
}

impl Running {
    pub(crate) fn start(bounds: Bounds) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(bounds);
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn({
            let server = server.clone();
            async move {
                let stopped = async { drop(stopped.await) };
                server
                    .serve(listener, router(), stopped, PATIENCE / 4)
                    .await
            }
        });
        Self {
            address,
            server,
            stop,
            task,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has sent `text`.
    pub(crate) async fn sent(&self, text: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text).await.unwrap();
        stream
    }

    /// What an honest client is answered, as its status and body.
    pub(crate) async fn honest(&self) -> String {
        let mut stream = self
            .sent(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        read_to_end(&mut stream).await
    }

    /// Polls the server's counts until they `hold`.
    pub(crate) async fn until(&self, holds: impl Fn(&Counts) -> bool) -> Counts {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.server.counts();
            if holds(&counts) {
                return counts;
            }
            assert!(Instant::now() < deadline, "still {counts:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn begin_stop(self) -> JoinHandle<std::io::Result<()>> {
        self.stop.send(()).unwrap();
        self.task
    }
}

/// All that comes until the other side closes; an abrupt end is an end.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}
