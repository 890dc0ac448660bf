//! Clients that mean harm, against real processes: none grows beyond the bounds that its configuration
//! names, and an honest client is served meanwhile.

use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    network::eventually,
    processes::{Bare, first_start},
};

/// Bytes by which a process may grow: what its bodies and its answers may hold at once (256 MiB each by
/// default, of which this attack fills the first), and as much again for what is made of it.
const GROWTH_MAX: u64 = 512 << 20;
/// Bytes of a request's body that comes to a halt just before its end.
const BODY_BYTES: usize = 4 << 20;
/// Such bodies.
const BODIES: usize = 200;
/// Connections that do nothing: more than a process with [`FILES`] open files can hold.
const IDLE: usize = 1_500;
/// The limit of open files that a shell's children often have.
const FILES: u64 = 1_024;
/// How long an honest client waits for one answer.
const HONEST_WAIT: Duration = Duration::from_secs(5);
/// An answer that comes faster counts as fast, however fast those of a quiet time were.
const FAST: Duration = Duration::from_secs(1);
/// Requests of an honest client in a row.
const HONEST: usize = 60;

/// A connection to a port of this machine.
async fn connect(port: u16) -> TcpStream {
    let connecting = timeout(HONEST_WAIT, TcpStream::connect(("127.0.0.1", port)));
    connecting.await.expect("in time").expect("a listener")
}

/// One request of an honest client on a connection of its own; nothing where no answer comes in time.
async fn ask(port: u16, request: &str) -> Option<String> {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(HONEST_WAIT, asking).await.ok()??;
    answer.starts_with("HTTP/1.1 200 ").then_some(answer)
}

pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
}

pub(crate) fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// How long the slowest of an honest client's answers took. Each must come; right after a flood one
/// may be asked for again.
async fn slowest_answer(port: u16, request: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    let mut repeated = 0;
    for _ in 0..HONEST {
        loop {
            let asked = Instant::now();
            if ask(port, request).await.is_some() {
                slowest = slowest.max(asked.elapsed());
                break;
            }
            repeated += 1;
            assert!(repeated <= 2, "an honest client is shut out");
        }
    }
    slowest
}

/// Resident bytes of a process: now, or the most so far.
pub(crate) fn resident(pid: u32, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let kib = line.and_then(|rest| rest.trim_start_matches(':').trim().split(' ').next());
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a size in KiB")
        * 1_024
}

/// Lets this process hold the other ends of all those connections.
pub(crate) fn raise_file_limit() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
}

/// Connections that do nothing.
async fn idle(port: u16) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        streams.push(connect(port).await);
    }
    streams
}

/// Requests whose bodies stop just before their end.
async fn unfinished_bodies(port: u16) -> Vec<TcpStream> {
    let most = vec![b' '; BODY_BYTES - 1];
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    let mut streams = Vec::with_capacity(BODIES);
    for _ in 0..BODIES {
        let mut stream = connect(port).await;
        let sending = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&most).await
        };
        // It may be cut off in the middle, or not be read any further.
        let _ = timeout(HONEST_WAIT, sending).await;
        streams.push(stream);
    }
    streams
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_stays_within_its_bounds_and_serves_an_honest_client() {
    raise_file_limit();
    let mut network = Bare::new(1, "majority");
    first_start(&network.path("validator-1.toml"));
    network.start("validator", "validator-1");
    let rpc = network.rpc(1);
    let started = network.until("blocks come", &rpc, |status| status.height >= 8);
    started.await;
    let port = network.ports.base + 1;
    let pid = network.processes.id("validator-1");
    let honest = post(&call("eth_blockNumber", &json!([])));
    let quiet = slowest_answer(port, &honest).await;
    let before = resident(pid, "VmRSS");

    let percentiles: Vec<f64> = (0..400_000).map(|n| f64::from(n) / 4_000.0).collect();
    let history = post(&call(
        "eth_feeHistory",
        &json!(["0x400", "latest", percentiles]),
    ));
    let histories = futures::future::join_all((0..4).map(|_| ask(port, &history)));
    let (_, slowest) = tokio::join!(histories, slowest_answer(port, &honest));
    println!("quiet {quiet:?}, during fee histories {slowest:?}");
    let grown = resident(pid, "VmHWM").saturating_sub(before);
    assert!(
        grown < GROWTH_MAX,
        "grew by {grown} bytes for fee histories"
    );

    let bodies = unfinished_bodies(port).await;
    let idle = idle(port).await;
    let slowest = slowest_answer(port, &honest).await;
    let grown = resident(pid, "VmHWM").saturating_sub(before);
    println!("with everything held {slowest:?}, grew by {grown} bytes");
    assert!(grown < GROWTH_MAX, "grew by {grown} bytes for bodies");
    assert!(
        slowest <= FAST.max(3 * quiet),
        "the slowest took {slowest:?}, in a quiet time {quiet:?}"
    );
    drop((bodies, idle));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_use_up_the_files_of_a_process() {
    raise_file_limit();
    let mut network = Bare::new(1, "majority");
    first_start(&network.path("validator-1.toml"));
    network.start_with_files("bootnode", "bootnode", FILES);
    network.start_with_files("validator", "validator-1", FILES);
    network.start_with_files("backend", "backend", FILES);
    let rpc = network.rpc(1);
    let started = network.until("blocks come", &rpc, |status| status.height >= 2);
    started.await;
    let base = network.ports.base;
    let elections = get("/api/elections");
    let [backend, validator, bootnode] =
        ["backend", "validator-1", "bootnode"].map(|name| network.listen_port(name));
    assert_eq!(validator, base + 1);
    eventually("the backend is there", async || {
        ask(backend, &elections).await
    })
    .await;

    let mut held = Vec::new();
    for port in [backend, validator, bootnode] {
        held.push(idle(port).await);
    }
    let slowest = slowest_answer(backend, &elections).await;
    println!("backend {slowest:?}");
    let number = post(&call("eth_blockNumber", &json!([])));
    println!("validator {:?}", slowest_answer(validator, &number).await);
    let peers = get("/peers");
    println!("bootnode {:?}", slowest_answer(bootnode, &peers).await);
    // Their own connections go on: the backend still hears of new blocks.
    let height = network.until("it answers", &rpc, |_| true).await.height;
    eventually("the backend follows", async || {
        let metrics = ask(backend, &get("/metrics")).await?;
        let name = "tabella_backend_chain_height ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name))?;
        (line.trim().parse::<u64>().ok()? > height).then_some(())
    })
    .await;
    drop(held);
}
