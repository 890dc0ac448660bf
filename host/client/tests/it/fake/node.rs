//! One validator's server, which can be cut off and started again.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, routing::post};
use tabella_client::ValidatorEndpoint;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{Mood, Network, Shared, answer::answer};

pub(crate) struct Node {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Node {
    /// Starts validator number `index`, from 0.
    pub(crate) async fn start(network: &Arc<Network>, index: usize, mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            network: network.clone(),
            index,
            mood: Mutex::new(mood),
            submission_requests: AtomicUsize::new(0),
            block_requests: AtomicUsize::new(0),
            status_calls: AtomicUsize::new(0),
            evidence_calls: AtomicUsize::new(0),
        });
        let task = Mutex::new(Some(serve(listener, shared.clone())));
        Self {
            index,
            address,
            shared,
            task,
        }
    }

    /// Closes its port and every connection.
    pub(crate) async fn kill(&self) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens again on the same port.
    pub(crate) async fn restart(&self) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        *self.task.lock().unwrap() = Some(serve(listener, self.shared.clone()));
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    /// HTTP requests that carried submissions.
    pub(crate) fn submission_requests(&self) -> usize {
        self.shared.submission_requests.load(Ordering::SeqCst)
    }

    /// HTTP requests that asked for whole blocks.
    pub(crate) fn block_requests(&self) -> usize {
        self.shared.block_requests.load(Ordering::SeqCst)
    }

    /// How often it was asked for its status.
    pub(crate) fn status_calls(&self) -> usize {
        self.shared.status_calls.load(Ordering::SeqCst)
    }

    /// How often it was asked for its evidence.
    pub(crate) fn evidence_calls(&self) -> usize {
        self.shared.evidence_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn endpoint(&self) -> ValidatorEndpoint {
        ValidatorEndpoint {
            node_id: format!("validator-{}", self.index + 1),
            rpc_url: format!("http://{}", self.address),
            p2p_url: format!("http://127.0.0.1:{}", 30303 + self.index),
        }
    }
}

/// Serves one connection after the other in one task tree, so that killing it cuts them all.
fn serve(listener: TcpListener, shared: Arc<Shared>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let router = Router::new().route("/", post(answer)).with_state(shared);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            let router = router.clone();
            connections.spawn(async move {
                let (listener, connection) = OneConnection::new(stream);
                let server = axum::serve(listener, router);
                tokio::select! {
                    _ = server => {}
                    () = connection.closed() => {}
                }
            });
        }
    })
}

/// A listener of one connection, which axum serves in a task of its own; dropping the guard's
/// handle would leave that task running, so the stream is cut through a shared switch.
struct OneConnection {
    stream: Option<Cut>,
    address: SocketAddr,
}

struct Guard(watch::Sender<bool>);

impl Guard {
    async fn closed(self) {
        self.0.closed().await;
    }
}

struct Cut {
    stream: tokio::net::TcpStream,
    cut: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl OneConnection {
    fn new(stream: tokio::net::TcpStream) -> (Self, Guard) {
        let address = stream.peer_addr().unwrap();
        let (sender, mut receiver) = watch::channel(false);
        let cut = Box::pin(async move {
            // Ends with an error when the guard is dropped.
            let _ = receiver.changed().await;
        });
        let connection = Self {
            stream: Some(Cut { stream, cut }),
            address,
        };
        (connection, Guard(sender))
    }
}

impl axum::serve::Listener for OneConnection {
    type Io = Cut;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Cut, SocketAddr) {
        match self.stream.take() {
            Some(stream) => (stream, self.address),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl tokio::io::AsyncRead for Cut {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        std::pin::Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl tokio::io::AsyncWrite for Cut {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
