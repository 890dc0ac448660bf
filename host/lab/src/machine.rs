//! How fast this machine signs, verifies and makes data durable: the floor under every figure.

use std::{
    fs::File,
    hint::black_box,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde::Serialize;
use tabella_protocol::SigningKey;

/// The machine's own speed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MachineSpeed {
    /// Cores that the processes share.
    pub(crate) cores: usize,
    /// Ed25519 signatures made per second on one core.
    pub(crate) sign_per_second: f64,
    /// Ed25519 signatures strictly verified per second on one core.
    pub(crate) verify_per_second: f64,
    /// Median time to append 4 KiB and fsync, in milliseconds.
    pub(crate) fsync_p50_ms: f64,
}

const MEASURE_FOR: Duration = Duration::from_millis(300);
const FSYNCS: usize = 50;

/// Measures on one core, and in `directory` for the disk.
pub(crate) fn measure(directory: &Path) -> Result<MachineSpeed> {
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
