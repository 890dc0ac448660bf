//! A client that means harm, from an address of its own.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{timeout, timeout_at},
};

use super::pulse::Pulse;

/// Connections that do nothing, or send their heads slowly, to each process under attack.
const IDLE: usize = 400;
/// Between two bytes of a slow head.
const TRICKLE: Duration = Duration::from_millis(500);
/// Requests to each process whose bodies stop just before their end, and the size of a body.
const BODIES: usize = 100;
const BODY_BYTES: usize = 4 << 20;
/// Costly requests and logins that are under way at once.
const COSTLY: usize = 8;
const LOGINS: usize = 48;
/// Exports, boards and event streams that nobody reads.
const UNREAD: usize = 150;
/// What the sockets of unread streams take.
const UNREAD_BUFFER_BYTES: u32 = 16 << 10;
/// Numbers in one costly request, and calls in one batch.
const PERCENTILES: u32 = 30_000;
const BATCH_CALLS: u32 = 400;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time in which no honest voter may get an answer meanwhile.
const HONEST_STALL_MAX: Duration = Duration::from_secs(15);

/// What a stranger sends, or holds back, in a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flood {
    IdleConnections,
    SlowHeads,
    UnfinishedBodies,
    CostlyReads,
    UnreadStreams,
    Logins,
}

impl Flood {
    pub(super) const ALL: [Self; 6] = [
        Self::IdleConnections,
        Self::SlowHeads,
        Self::UnfinishedBodies,
        Self::CostlyReads,
        Self::UnreadStreams,
        Self::Logins,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::IdleConnections => "flood of idle connections",
            Self::SlowHeads => "flood of slow heads",
            Self::UnfinishedBodies => "flood of unfinished bodies",
            Self::CostlyReads => "flood of costly reads",
            Self::UnreadStreams => "flood of unread streams",
            Self::Logins => "flood of logins",
        }
    }
}

/// One flood: its kind, and the process that it is aimed at.
pub(super) struct Attack {
    /// The address that the attacker has to itself.
    pub(super) source: IpAddr,
    pub(super) backend: SocketAddr,
    pub(super) validator: SocketAddr,
    pub(super) election_id: u64,
}

/// The address of a URL such as `http://10.77.0.1:8001`.
pub(super) fn address_of(url: &str) -> Result<SocketAddr> {
    let authority = url.strip_prefix("http://").unwrap_or(url);
    authority
        .parse()
        .with_context(|| format!("expected an address and a port, got {url:?}"))
}

/// Floods for as long as it lasts; honest votes must be acknowledged meanwhile.
pub(super) async fn flood(
    attack: &Attack,
    flood: Flood,
    lasts: Duration,
    pulse: &Pulse,
) -> Result<()> {
    raise_file_limit()?;
    let acknowledged = pulse.count();
    let end = Instant::now() + lasts;
    let both = [attack.backend, attack.validator];
    let connections = match flood {
        Flood::IdleConnections => attack.hold(&both, IDLE, b"", end).await,
        Flood::SlowHeads => {
            attack
                .hold(&both, IDLE, b"GET / HTTP/1.1\r\nx: ", end)
                .await
        }
        Flood::UnfinishedBodies => attack.unfinished_bodies(&both, end).await,
        Flood::CostlyReads => {
            let requests = [fee_history(), boards(attack.election_id)];
            attack
                .repeat(attack.validator, COSTLY, &requests, end)
                .await
        }
        Flood::UnreadStreams => attack.unread_streams(end).await,
        Flood::Logins => attack.repeat(attack.backend, LOGINS, &logins(), end).await,
    };
    ensure!(
        connections > 0,
        "{}: no connection was let in",
        flood.name()
    );
    let stalled = pulse.longest();
    ensure!(
        stalled <= HONEST_STALL_MAX && pulse.count() > acknowledged,
        "{}: {connections} connections; no honest voter was answered for {stalled:?}, expected {HONEST_STALL_MAX:?} at most",
        flood.name()
    );
    Ok(())
}

/// Lets this process hold its ends of all those connections.
fn raise_file_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the file limit")?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the file limit")
}

impl Attack {
    async fn connect(&self, target: SocketAddr, buffer: Option<u32>) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(SocketAddr::new(self.source, 0))?;
        timeout(CONNECT_TIMEOUT, socket.connect(target)).await?
    }

    /// Holds connections that send `start` and, where that is not empty, a byte now and then.
    async fn hold(
        &self,
        targets: &[SocketAddr],
        count: usize,
        start: &[u8],
        end: Instant,
    ) -> usize {
        let mut held = Vec::new();
        for target in (0..count).flat_map(|_| targets) {
            if Instant::now() > end {
                break;
            }
            if let Ok(mut stream) = self.connect(*target, None).await
                && stream.write_all(start).await.is_ok()
            {
                held.push(stream);
            }
        }
        while Instant::now() < end {
            tokio::time::sleep(TRICKLE.min(end.saturating_duration_since(Instant::now()))).await;
            for stream in held.iter().filter(|_| !start.is_empty()) {
                // It may be cut off by now.
                let _ = stream.try_write(b"x");
            }
        }
        held.len()
    }

    async fn unfinished_bodies(&self, targets: &[SocketAddr], end: Instant) -> usize {
        let most = vec![b' '; BODY_BYTES - 1];
        let sending = (0..BODIES).flat_map(|_| targets).map(|target| async {
            let path = match *target == self.backend {
                true => "/api/votes/submit",
                false => "/",
            };
            let head =
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
            let mut stream = self.connect(*target, None).await.ok()?;
            let sending = async {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&most).await
            };
            // It may be cut off in the middle, or not be read any further.
            let _ = timeout_at(end.into(), sending).await;
            Some(stream)
        });
        let held: Vec<_> = join_all(sending).await.into_iter().flatten().collect();
        tokio::time::sleep_until(end.into()).await;
        held.len()
    }

    async fn unread_streams(&self, end: Instant) -> usize {
        let id = self.election_id;
        let requests = [
            get(&format!("/api/elections/{id}/export"), "*/*"),
            get(
                &format!("/api/elections/{id}/board"),
                "application/x-ndjson",
            ),
            get("/api/events", "text/event-stream"),
        ];
        let mut held = Vec::new();
        for request in (0..UNREAD / requests.len()).flat_map(|_| &requests) {
            let stream = self.connect(self.backend, Some(UNREAD_BUFFER_BYTES)).await;
            if let Ok(mut stream) = stream
                && stream.write_all(request.as_bytes()).await.is_ok()
            {
                held.push(stream);
            }
        }
        tokio::time::sleep_until(end.into()).await;
        held.len()
    }

    /// Asks again and again on connections that are each used once; returns how many there were.
    async fn repeat(
        &self,
        target: SocketAddr,
        at_once: usize,
        requests: &[String],
        end: Instant,
    ) -> usize {
        let asking = (0..at_once).map(|start| async move {
            let mut connections = 0;
            for request in requests.iter().cycle().skip(start) {
                if Instant::now() > end {
                    break;
                }
                let asked = async {
                    let mut stream = self.connect(target, None).await?;
                    stream.write_all(request.as_bytes()).await?;
                    let mut part = [0; 16 << 10];
                    while stream.read(&mut part).await? > 0 {}
                    std::io::Result::Ok(())
                };
                match timeout_at(end.into(), asked).await {
                    Ok(Ok(())) | Err(_) => connections += 1,
                    Ok(Err(_)) => tokio::time::sleep(TRICKLE).await,
                }
            }
            connections
        });
        join_all(asking).await.into_iter().sum()
    }
}

fn get(path: &str, accept: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\n\r\n")
}

fn post(path: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
}

fn call(id: u32, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn fee_history() -> String {
    let percentiles: Vec<f64> = (0..PERCENTILES)
        .map(|n| f64::from(n) * 100.0 / f64::from(PERCENTILES))
        .collect();
    let params = json!(["0x400", "latest", percentiles]);
    post("/", &call(1, "eth_feeHistory", &params))
}

fn boards(election_id: u64) -> String {
    let params = json!([election_id, 0, 500]);
    let calls = (0..BATCH_CALLS).map(|id| call(id, "tabella_getBoard", &params));
    post("/", &calls.collect())
}

fn logins() -> Vec<String> {
    let login = |n| json!({"username": format!("nobody-{n}"), "password": "a wrong horse"});
    (0..LOGINS)
        .map(|n| post("/api/auth/login", &login(n)))
        .collect()
}
