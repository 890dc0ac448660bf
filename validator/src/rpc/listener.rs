//! Accepts connections, but not more at once than there is room for.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// A listener that leaves connections in the system's queue while too many are open.
pub(crate) struct Listener {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

/// A connection that makes room when it is closed.
pub(crate) struct Connection {
    stream: TcpStream,
    _room: OwnedSemaphorePermit,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener, connections_max: usize) -> Self {
        let connections_max = connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(connections_max));
        Self { listener, room }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.expect("nobody closes the semaphore");
        // It waits and tries again where the system has no file left for the connection.
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            stream,
            _room: room,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn one_connection_too_many_waits_for_another_to_close() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut listener = Listener::new(listener, 2);
        let accept =
            async |listener: &mut Listener| axum::serve::Listener::accept(listener).await.0;
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let first = accept(&mut listener).await;
        let _second = accept(&mut listener).await;
        let mut third = Box::pin(accept(&mut listener));
        let early = futures::poll!(&mut third);
        assert!(early.is_pending(), "there is room for two");
        drop(first);
        let _third = third.await;
        // What was accepted and closed is closed for the client too.
        let mut end = Vec::new();
        assert_eq!(clients[0].read_to_end(&mut end).await.unwrap(), 0);
    }
}
