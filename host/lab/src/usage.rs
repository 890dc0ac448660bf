//! What a process has used so far, from /proc.

use std::{fs, path::Path, time::Duration};

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
    // The second field is the program's name in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("unexpected /proc stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let field = |index: usize| -> Result<u64> {
        let text = fields.get(index).context("unexpected /proc stat")?;
        text.parse().context("unexpected /proc stat")
    };
    // proc(5): utime and stime are fields 14 and 15, rss is field 24; the state is field 3.
    let ticks = field(11)? + field(12)?;
    let resident_pages = field(21)?;
    let ticks_per_second = system(SysconfVar::CLK_TCK)?;
    Ok(Usage {
        cpu: Duration::from_secs_f64(ticks as f64 / ticks_per_second as f64),
        resident_bytes: resident_pages * system(SysconfVar::PAGE_SIZE)?,
    })
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
