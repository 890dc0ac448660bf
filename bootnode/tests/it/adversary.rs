//! Clients that mean harm: the bootnode goes on handing out records.

use std::time::{Duration, Instant};

use tabella_bootnode::Bounds;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Server, record};

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(server: &Server) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// The number after a metric's name.
async fn metric(server: &Server, name: &str) -> u64 {
    let text = reqwest::get(format!("{}/metrics", server.url)).await;
    let text = text.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .trim()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn idle_connections_do_not_shut_the_port() {
    let server = Server::within(Bounds {
        connections_max: 16,
        ..Bounds::default()
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..100 {
        idle.push(connect(&server).await);
    }
    assert_eq!(server.post_record(&record(1, 1)).await, 201);
    assert_eq!(server.peers().await.len(), 1);
    assert!(metric(&server, "tabella_bootnode_http_connections ").await <= 16);
    let evicted = "tabella_bootnode_http_cut_off_total{bound=\"evicted\"}";
    assert!(metric(&server, evicted).await >= 84);
}

#[tokio::test]
async fn heads_and_bodies_that_do_not_come_are_not_waited_for() {
    let server = Server::within(Bounds {
        head_timeout_ms: 200,
        body_timeout_ms: 200,
        idle_timeout_ms: 400,
        ..Bounds::default()
    })
    .await;
    let started = Instant::now();
    for (sent, answer) in [
        ("", ""),
        ("POST /peers HTTP/1.1\r\nho", ""),
        (
            "POST /peers HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
            "HTTP/1.1 400",
        ),
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut text = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
        let _ = read.expect("it is cut off");
        assert!(String::from_utf8_lossy(&text).starts_with(answer), "{sent}");
    }
    assert!(started.elapsed() < PATIENCE);
    assert_eq!(server.post_record(&record(1, 1)).await, 201);
}
