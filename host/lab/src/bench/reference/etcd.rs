//! Three members of etcd on loopback, and as many puts at once as votes, to the leader.

use std::{
    path::Path,
    process::Stdio,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use futures::future::try_join_all;
use h2::client::SendRequest;
use http::Request;
use tabella_cli::http::Client;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{Reference, VALUE_BYTES};
use crate::{bench::drive::histogram, usage};

const MEMBERS: u16 = 3;
/// Ports of the members' clients; those of their peers follow.
const PORT_BASE: u16 = 27_900;
/// Puts under way on one connection.
const PUTS_PER_CONNECTION: usize = 64;
/// How long the members may take to elect a leader.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures etcd; nothing where it is not installed.
pub(super) async fn measure(
    directory: &Path,
    at_once: usize,
    writes: u64,
) -> Result<Option<Reference>> {
    let Ok(version) = Command::new("etcd").arg("--version").output().await else {
        eprintln!("no reference: etcd is not installed (Debian: apt-get install etcd-server)");
        return Ok(None);
    };
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version
        .lines()
        .next()
        .unwrap_or_default()
        .replace("etcd Version: ", "");
    let members = (0..MEMBERS)
        .map(|member| start(directory, member))
        .collect::<Result<Vec<_>>>()?;
    let leader = leader().await?;
    let cpu = || -> Result<Duration> {
        let used = members.iter().map(|member| {
            let pid = member.id().context("a member of etcd has ended")?;
            Ok(usage::of_process(pid)?.cpu)
        });
        used.sum::<Result<Duration>>()
    };
    put_all(leader, at_once, writes / 10, "warm").await?;
    let before = cpu()?;
    let (latency, elapsed) = put_all(leader, at_once, writes, "vote").await?;
    let used = cpu()?.saturating_sub(before);
    let percentile = |percent| latency.value_at_percentile(percent) as f64 / 1e3;
    Ok(Some(Reference {
        name: format!("etcd {version}, {MEMBERS} members"),
        writes_per_second: writes as f64 / elapsed.as_secs_f64(),
        p50_ms: Some(percentile(50.0)),
        p99_ms: Some(percentile(99.0)),
        cpu_microseconds_per_write: Some(used.as_secs_f64() * 1e6 / writes as f64),
    }))
}

/// Starts a member, which ends with this process's handle to it.
fn start(directory: &Path, member: u16) -> Result<Child> {
    let client = |member| format!("http://127.0.0.1:{}", PORT_BASE + member);
    let peer = |member| format!("http://127.0.0.1:{}", PORT_BASE + MEMBERS + member);
    let cluster: Vec<_> = (0..MEMBERS)
        .map(|member| format!("m{member}={}", peer(member)))
        .collect();
    let data = directory.join(format!("etcd-{member}"));
    Command::new("etcd")
        .args(["--name", &format!("m{member}"), "--data-dir"])
        .arg(data)
        .args([
            "--listen-client-urls",
            &client(member),
            "--advertise-client-urls",
            &client(member),
        ])
        .args(["--listen-peer-urls", &peer(member)])
        .args(["--initial-advertise-peer-urls", &peer(member)])
        .args(["--initial-cluster", &cluster.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start etcd")
}

/// The client port of the leader, once there is one.
async fn leader() -> Result<u16> {
    let until = Instant::now() + PATIENCE;
    loop {
        for port in PORT_BASE..PORT_BASE + MEMBERS {
            let mut member = Client::new(&format!("http://127.0.0.1:{port}"))?;
            let Ok(answer) = member.get("/metrics").await else {
                continue;
            };
            let text = String::from_utf8_lossy(&answer.body);
            if text.lines().any(|line| line == "etcd_server_is_leader 1") {
                return Ok(port);
            }
        }
        ensure!(
            Instant::now() < until,
            "etcd elected no leader in {PATIENCE:?}; are the ports from {PORT_BASE} to {} free?",
            PORT_BASE + 2 * MEMBERS - 1
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn put_all(
    port: u16,
    at_once: usize,
    writes: u64,
    prefix: &str,
) -> Result<(hdrhistogram::Histogram<u64>, Duration)> {
    let connections = at_once.div_ceil(PUTS_PER_CONNECTION);
    let connections = try_join_all((0..connections).map(|_| connect(port))).await?;
    let (next, latency) = (AtomicU64::new(0), Mutex::new(histogram()));
    let started = Instant::now();
    let workers = (0..at_once).map(|worker| {
        let connection = &connections[worker % connections.len()];
        let (next, latency) = (&next, &latency);
        async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= writes {
                    return Ok::<_, anyhow::Error>(());
                }
                let sent = Instant::now();
                put(connection, port, &format!("{prefix}-{number}")).await?;
                let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                let mut latency = latency.lock().unwrap_or_else(PoisonError::into_inner);
                latency.saturating_record(micros.max(1));
            }
        }
    });
    try_join_all(workers).await?;
    let latency = latency.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((latency, started.elapsed()))
}

async fn connect(port: u16) -> Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = h2::client::handshake(stream).await?;
    // An error here reaches the caller through the sender.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// One put, as gRPC sends it (etcd's `rpc.proto`): `PutRequest { key = 1, value = 2 }`.
async fn put(connection: &SendRequest<Bytes>, port: u16, key: &str) -> Result<()> {
    let mut message = BytesMut::new();
    field(&mut message, 1, key.as_bytes());
    field(&mut message, 2, &[b'v'; VALUE_BYTES]);
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len())?);
    body.put(message);
    let request = Request::post(format!("http://127.0.0.1:{port}/etcdserverpb.KV/Put"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let mut connection = connection.clone().ready().await?;
    let (answer, mut sending) = connection.send_request(request, false)?;
    sending.send_data(body.freeze(), true)?;
    let answer = answer.await?;
    let early = answer.headers().get("grpc-status").cloned();
    let mut stream = answer.into_body();
    while let Some(data) = stream.data().await {
        let length = data?.len();
        stream.flow_control().release_capacity(length)?;
    }
    let late = stream.trailers().await?;
    let late = late.and_then(|trailers| trailers.get("grpc-status").cloned());
    let status = late.or(early).context("etcd gave no status")?;
    ensure!(status == "0", "etcd refused a put with status {status:?}");
    Ok(())
}

/// A field of bytes shorter than 16 KiB, as protobuf writes it.
fn field(message: &mut BytesMut, number: u8, bytes: &[u8]) {
    message.put_u8(number << 3 | 2);
    let length = bytes.len();
    if length >= 0x80 {
        message.put_u8((length & 0x7f) as u8 | 0x80);
        message.put_u8((length >> 7) as u8);
    } else {
        message.put_u8(length as u8);
    }
    message.put_slice(bytes);
}
