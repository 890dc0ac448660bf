//! An honest client, and what it and the process notice of a flood.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{sleep, timeout},
};

use super::GROWTH_MAX;
use crate::hostile_client::resident;

/// How long an honest client waits before it asks again.
const WAIT: Duration = Duration::from_secs(15);
/// How often it asks for one answer: while connections are cut off, its own may be among them.
const ATTEMPTS_MAX: usize = 3;
const PAUSE: Duration = Duration::from_millis(50);
/// Requests in one measurement; the 99th in the order of time is the percentile,
const REQUESTS: usize = 100;
/// and so many are under way at once.
const AT_ONCE: usize = 4;
/// A percentile below this counts as quick, however quick it was in a quiet time: the flood's clients
/// share the machine with the process.
const QUICK: Duration = Duration::from_secs(2);
/// So many times longer than in a quiet time an honest client may wait.
const TIMES_MAX: u32 = 3;

/// One request on a connection of its own; nothing where no answer comes in time or it is no success.
pub(super) async fn ask(from: Ipv4Addr, port: u16, request: &str) -> Option<String> {
    let asking = async {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).ok()?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = socket.connect(to).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(WAIT, asking).await.ok()??;
    answer.starts_with("HTTP/1.1 20").then_some(answer)
}

/// What an honest client asks for.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// The text of the next request.
    pub(super) request: Box<dyn Fn() -> String>,
}

/// An honest client of one process, which knows how long answers take in a quiet time.
pub(super) struct Honest {
    pid: u32,
    from: Ipv4Addr,
    port: u16,
    kinds: Vec<Kind>,
    quiet: Vec<Duration>,
}

/// A flood that has begun.
pub(super) struct Flood {
    name: &'static str,
    resident_before: u64,
}

impl Honest {
    /// Measures a quiet time of the process `pid`, asked from an address at a port.
    pub(super) async fn of(pid: u32, from: Ipv4Addr, port: u16, kinds: Vec<Kind>) -> Self {
        let mut honest = Self {
            pid,
            from,
            port,
            kinds,
            quiet: vec![],
        };
        honest.quiet = honest.measure("in a quiet time").await;
        honest
    }

    /// A flood begins: the process's growth is counted from here.
    pub(super) fn meets(&self, name: &'static str) -> Flood {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5")
            .expect("its peak is forgotten");
        Flood {
            name,
            resident_before: resident(self.pid, "VmRSS"),
        }
    }

    /// Is served while the flood goes on; the process has not grown beyond its bounds.
    pub(super) async fn is_served_in(&self, flood: &Flood) {
        let flood_name = flood.name;
        let found = self.measure(flood_name).await;
        let grown = resident(self.pid, "VmHWM").saturating_sub(flood.resident_before);
        println!("{flood_name}: the process grew by {} MiB", grown >> 20);
        for ((kind, quiet), found) in self.kinds.iter().zip(&self.quiet).zip(found) {
            let name = kind.name;
            println!("{flood_name}: {name} {found:?}, in a quiet time {quiet:?}");
            assert!(
                found <= QUICK.max(TIMES_MAX * *quiet),
                "{flood_name}: {name} takes {found:?}, in a quiet time {quiet:?}"
            );
        }
        assert!(
            grown < GROWTH_MAX,
            "{flood_name}: the process grew by {grown} bytes"
        );
    }

    async fn measure(&self, when: &str) -> Vec<Duration> {
        join_all(self.kinds.iter().map(|kind| self.percentile(kind, when))).await
    }

    /// How long the 99th of a hundred answers took. Each must come.
    async fn percentile(&self, kind: &Kind, when: &str) -> Duration {
        let taken = join_all((0..AT_ONCE).map(async |_| {
            let mut taken = Vec::new();
            for _ in 0..REQUESTS / AT_ONCE {
                taken.push(self.once(kind, when).await);
            }
            taken
        }));
        let mut taken = taken.await.concat();
        taken.sort_unstable();
        taken[REQUESTS - 2]
    }

    /// How long one answer took, all attempts together.
    async fn once(&self, kind: &Kind, when: &str) -> Duration {
        let request = (kind.request)();
        let asked = Instant::now();
        let mut attempts = 1;
        while ask(self.from, self.port, &request).await.is_none() {
            let name = kind.name;
            assert!(attempts < ATTEMPTS_MAX, "{when}: {name} is not answered");
            attempts += 1;
            sleep(PAUSE).await;
        }
        asked.elapsed()
    }
}
