//! Floods against real processes, one kind after the other on one network for each role: while a flood
//! goes on, the process grows by no more than its bounds, and an honest client is served as in a quiet
//! time.
//!
//! All clients are of this machine. The backend trusts a proxy here, which names other addresses; before
//! validators and the bootnode, clients come from other addresses of the loopback network.

mod backend;
mod bootnode;
mod honest;
mod scene;
mod validator;

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::processes::Bare;

/// Bytes of bodies, and as many of answers, that a process may hold here: small, so that a flood fills
/// them at once.
const HELD_MAX: u32 = 32 << 20;
/// Connections that a process may hold here.
const CONNECTIONS_MAX: u32 = 3_000;
/// Bytes by which a process may grow in a flood: what it holds by its bounds, as much again for what is
/// made of it, and again for the blocks that are being read and the allocator's slack.
const GROWTH_MAX: u64 = 6 * HELD_MAX as u64;
/// How long one step of a flood's client may take before it continues with the next.
const STEP_MAX: Duration = Duration::from_secs(3);
/// Pause of a client between two requests of a flood.
const PAUSE: Duration = Duration::from_millis(50);
/// The receive buffer of a client that reads nothing, so that little of an answer leaves the process.
const UNREAD_BUFFER_BYTES: u32 = 16 << 10;

/// Writes the bounds of these tests into a configuration.
fn bound(network: &Bare, name: &str, also: impl FnOnce(&mut toml::Table)) {
    network.configure(name, name, |config| {
        let mut http = toml::Table::new();
        for bound in ["body_bytes_in_all_max", "answer_bytes_in_all_max"] {
            http.insert(bound.into(), i64::from(HELD_MAX).into());
        }
        http.insert("connections_max".into(), i64::from(CONNECTIONS_MAX).into());
        config.insert("http".into(), http.into());
        also(config);
    });
}

/// The `n`th address of a stranger.
fn stranger(n: usize) -> String {
    format!("192.0.2.{}", n % 250 + 1)
}

/// A connection that has sent `request`, as far as it was taken, and reads nothing.
async fn send(port: u16, request: &[u8]) -> Option<TcpStream> {
    send_from(Ipv4Addr::LOCALHOST, port, request).await
}

/// As [`send`], from another address of the loopback network.
async fn send_from(from: Ipv4Addr, port: u16, request: &[u8]) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .set_recv_buffer_size(UNREAD_BUFFER_BYTES)
        .expect("a small buffer");
    socket
        .bind(SocketAddr::new(IpAddr::V4(from), 0))
        .expect("an address of this machine");
    let sending = async {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = socket.connect(to).await.ok()?;
        // It may be cut off in the middle, or not be read any further.
        let _ = timeout(STEP_MAX, stream.write_all(request)).await;
        Some(stream)
    };
    timeout(STEP_MAX * 2, sending).await.ok()?
}

/// The connections of so many clients that send at the same time and read nothing.
async fn unread(clients: usize, send: impl AsyncFn(usize) -> Option<TcpStream>) -> Vec<TcpStream> {
    let sent = join_all((0..clients).map(|n| send(n))).await;
    sent.into_iter().flatten().collect()
}

/// What `work` comes to while so many clients ask again and again.
async fn during<T>(clients: usize, ask: impl AsyncFn(usize), work: impl Future<Output = T>) -> T {
    let flood = join_all((0..clients).map(async |n| {
        for turn in 0.. {
            ask(n + turn * clients).await;
            sleep(PAUSE).await;
        }
    }));
    tokio::select! {
        result = work => result,
        _ = flood => unreachable!("a flood has no end"),
    }
}
