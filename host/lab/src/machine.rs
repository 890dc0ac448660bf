//! How fast this machine signs, verifies, judges a ballot, exchanges a request and makes data durable: the floor
//! under every figure.

use std::{
    fs::File,
    hint::black_box,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::json;
use tabella_contest::{ContestConfig, ContestOption};
use tabella_protocol::SigningKey;
use tabella_runtime::{Runtime, RuntimeConfig, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::usage;

/// The machine's own speed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MachineSpeed {
    /// Cores that the processes share.
    pub(crate) cores: usize,
    /// Ed25519 signatures made per second on one core.
    pub(crate) sign_per_second: f64,
    /// Ed25519 signatures strictly verified per second on one core.
    pub(crate) verify_per_second: f64,
    /// Ballots judged per second by a rule in the sandbox, on one core.
    pub(crate) sandbox_per_second: f64,
    /// Exchanges of a vote's size over loopback per second of processor time, the work
    /// of both ends counted and nothing done with them.
    pub(crate) exchanges_per_second: f64,
    /// Median time to append 4 KiB and fsync, in milliseconds.
    pub(crate) fsync_p50_ms: f64,
}

const MEASURE_FOR: Duration = Duration::from_millis(300);
const FSYNCS: usize = 50;
/// Connections over which requests are exchanged.
const EXCHANGES_AT_ONCE: usize = 64;
const EXCHANGES: usize = 20_000;
/// Bytes of a request that casts a vote, and of its answer.
const REQUEST_BYTES: usize = 420;
const ANSWER_BYTES: usize = 900;

impl MachineSpeed {
    /// The time of one strict verification, in microseconds: the unit in which costs of different machines
    /// compare.
    pub(crate) fn unit_us(&self) -> f64 {
        1e6 / self.verify_per_second
    }

    /// What a vote costs at least that the registrar signs and so many validators take, in microseconds.
    pub(crate) fn floor_us(&self, validators: u8) -> f64 {
        let validators = f64::from(validators);
        1e6 / self.sign_per_second
            + validators * self.unit_us()
            + (validators + 1.0) * 1e6 / self.sandbox_per_second
            + 1e6 / self.exchanges_per_second
    }
}

/// Measures on one core, and in `directory` for the disk.
pub(crate) async fn measure(directory: &Path) -> Result<MachineSpeed> {
    let key = SigningKey::from_seed([1; 32]);
    let public = key.public();
    let message = [7u8; 256];
    let signature = key.sign(&message);
    Ok(MachineSpeed {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        sign_per_second: rate(|| {
            black_box(key.sign(black_box(&message)));
        }),
        verify_per_second: rate(|| {
            black_box(public.verify(black_box(&message), &signature));
        }),
        sandbox_per_second: sandbox()?,
        exchanges_per_second: exchanges().await?,
        fsync_p50_ms: fsync_p50(directory)?.as_secs_f64() * 1e3,
    })
}

fn rate(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut done = 0u32;
    while started.elapsed() < MEASURE_FOR {
        work();
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}

fn sandbox() -> Result<f64> {
    let rule = tabella_plugins::get("instant-runoff").context("a built-in rule")?;
    let runtime = Runtime::new(RuntimeConfig::default())?;
    let option = |id: &str| ContestOption {
        id: id.to_owned(),
        title: String::new(),
    };
    let contest = runtime.load(rule.wasm)?.contest(&ContestConfig {
        options: ["a", "b", "c", "d", "e"].map(option).to_vec(),
        params: json!({}),
    })?;
    let ballot = contest.encode_ballot(&json!({"ranking": ["b", "c", "a"]}))?;
    ensure!(
        contest.validate(&ballot)? == Verdict::Accept,
        "a valid ballot is refused"
    );
    Ok(rate(|| {
        // Judged above, and the same each time.
        drop(black_box(contest.validate(black_box(&ballot))));
    }))
}

/// Exchanges requests with a server that reads them whole and answers with fixed bytes.
async fn exchanges() -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_each(stream));
        }
    });
    let own = std::process::id();
    let before = usage::of_process(own)?.cpu;
    let exchanging = (0..EXCHANGES_AT_ONCE).map(|_| async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut answer = [0; ANSWER_BYTES];
        for _ in 0..EXCHANGES / EXCHANGES_AT_ONCE {
            stream.write_all(&[b'r'; REQUEST_BYTES]).await?;
            stream.read_exact(&mut answer).await?;
        }
        std::io::Result::Ok(())
    });
    futures::future::try_join_all(exchanging).await?;
    let used = usage::of_process(own)?.cpu.saturating_sub(before);
    serving.abort();
    Ok(EXCHANGES as f64 / used.as_secs_f64().max(f64::EPSILON))
}

async fn answer_each(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = [0; REQUEST_BYTES];
    loop {
        stream.read_exact(&mut request).await?;
        stream.write_all(&[b'a'; ANSWER_BYTES]).await?;
    }
}
fn fsync_p50(directory: &Path) -> Result<Duration> {
    let path = directory.join("fsync-speed");
    let measure = || -> std::io::Result<Vec<Duration>> {
        let mut file = File::create(&path)?;
        (0..FSYNCS)
            .map(|_| {
                let started = Instant::now();
                file.write_all(&[0; 4096])?;
                file.sync_data()?;
                Ok(started.elapsed())
            })
            .collect()
    };
    let times = measure().with_context(|| format!("cannot write in {}", directory.display()));
    let _ = std::fs::remove_file(&path);
    let mut times = times?;
    times.sort();
    Ok(times[FSYNCS / 2])
}
