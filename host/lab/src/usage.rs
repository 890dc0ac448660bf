//! What a process has used so far, from /proc.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Processor time and memory of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// User and system time of all its threads since it started.
    pub(crate) cpu: Duration,
    /// Resident memory, in bytes.
    pub(crate) resident_bytes: u64,
}

/// What the process `pid` has used.
pub(crate) fn of_process(pid: u32) -> Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone"))?;
    let stat = Stat::of(&stat)?;
    Ok(Usage {
        cpu: stat.cpu()?,
        resident_bytes: stat.field(24)? * system(SysconfVar::PAGE_SIZE)?,
    })
}

/// A line of /proc/PID/stat, behind the program's name.
struct Stat<'a>(Vec<&'a str>);

impl<'a> Stat<'a> {
    fn of(line: &'a str) -> Result<Self> {
        // The second field is the program's name in parentheses and may hold anything.
        let (_, fields) = line.rsplit_once(')').context("unexpected /proc stat")?;
        Ok(Self(fields.split_whitespace().collect()))
    }

    /// A field by its number in proc(5).
    fn field(&self, number: usize) -> Result<u64> {
        let text = self.0.get(number - 3).context("unexpected /proc stat")?;
        text.parse().context("unexpected /proc stat")
    }

    /// User and system time.
    fn cpu(&self) -> Result<Duration> {
        let ticks = self.field(14)? + self.field(15)?;
        let ticks_per_second = system(SysconfVar::CLK_TCK)?;
        Ok(Duration::from_secs_f64(
            ticks as f64 / ticks_per_second as f64,
        ))
    }
}

/// Processor time of a process's threads since it started, by their names without numbers, in seconds.
pub(crate) fn by_thread(pid: u32) -> Result<BTreeMap<String, f64>> {
    let tasks = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&tasks).with_context(|| format!("process {pid} is gone"))?;
    let mut threads = BTreeMap::new();
    for entry in entries.flatten() {
        // One that has ended since.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let name = stat
            .split_once('(')
            .and_then(|(_, rest)| rest.rsplit_once(')'));
        let (name, _) = name.context("unexpected /proc stat")?;
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == ' ');
        *threads.entry(name.to_owned()).or_default() += Stat::of(&stat)?.cpu()?.as_secs_f64();
    }
    Ok(threads)
}

/// Bytes that a process has given to the disk (`write_bytes` of proc(5)).
pub(crate) fn bytes_written(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes: "));
    value
        .and_then(|value| value.parse().ok())
        .with_context(|| format!("unexpected {path}"))
}

/// Bytes that the files under `directory` take on disk.
pub(crate) fn disk_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
            // A sparse file takes fewer blocks than its length says.
            Ok(metadata) => metadata.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

fn system(name: SysconfVar) -> Result<u64> {
    let value = sysconf(name).ok().flatten().unwrap_or_default();
    u64::try_from(value)
        .ok()
        .filter(|v| *v > 0)
        .context("the system does not tell its clock ticks")
}
