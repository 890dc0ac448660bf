//! What votes cost: processor time by process and kind of thread, bytes written, durable commits, and what the
//! network's kernel side lost.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tabella_cli::{dev::Ready, http::Client};

use crate::usage::{self, Usage};

/// A process whose cost is measured.
#[derive(Debug, Clone)]
pub(super) struct Process {
    name: String,
    pid: u32,
    /// Where its metrics are, if it has any.
    url: Option<String>,
    /// Where its files are, if it has any.
    data: Option<PathBuf>,
}

/// The processes of a network, and this one, which casts the votes.
pub(super) fn processes(ready: &Ready, data: &std::path::Path) -> Vec<Process> {
    let validators = ready.validators.iter().map(|validator| Process {
        name: validator.node_id.clone(),
        pid: validator.pid,
        url: Some(validator.rpc_url.clone()),
        data: Some(data.join(&validator.node_id)),
    });
    let backend = Process {
        name: "backend".to_owned(),
        pid: ready.backend_pid,
        url: Some(ready.backend.clone()),
        data: Some(data.join("backend")),
    };
    let own = Process {
        name: "load generator".to_owned(),
        pid: std::process::id(),
        url: None,
        data: None,
    };
    validators.chain([backend, own]).collect()
}

/// A look at a process.
#[derive(Debug, Clone)]
struct Look {
    usage: Usage,
    /// Processor time by the name of the thread without its number, in seconds.
    threads: BTreeMap<String, f64>,
    /// Bytes given to the disk (`write_bytes` of proc(5)).
    written: u64,
    disk: u64,
    commits: u64,
}

/// A look at everything.
#[derive(Debug)]
pub(super) struct Before {
    looks: Vec<Look>,
    kernel: Kernel,
}

/// Looks at every process.
pub(super) async fn look(processes: &[Process]) -> Result<Before> {
    let mut looks = Vec::new();
    for process in processes {
        looks.push(Look {
            usage: usage::of_process(process.pid)?,
            threads: usage::by_thread(process.pid)?,
            written: usage::bytes_written(process.pid)?,
            disk: process.data.as_deref().map_or(0, usage::disk_bytes),
            commits: match &process.url {
                Some(url) => commits(url).await?,
                None => 0,
            },
        });
    }
    Ok(Before {
        looks,
        kernel: Kernel::look()?,
    })
}

/// What a process used for one vote.
#[derive(Debug, Serialize)]
pub(super) struct ProcessCost {
    pub(super) process: String,
    pub(super) cpu_microseconds_per_vote: f64,
    /// Of that, by kind of thread, most first.
    pub(super) threads: Vec<(String, f64)>,
    pub(super) resident_mb: f64,
    pub(super) written_bytes_per_vote: f64,
    pub(super) disk_bytes_per_vote: f64,
    /// Times that it made something durable, as it counts itself.
    pub(super) commits: u64,
}

/// What was lost on the way in, by the kernel's own counters (`/proc/net/netstat`).
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Kernel {
    /// Connections that came when a listen queue was full.
    pub(super) listen_overflows: u64,
    /// Beginnings of connections that had to be sent again.
    pub(super) syn_retransmissions: u64,
}

/// What was used since `before`, for each of `votes`.
pub(super) async fn since(
    before: &Before,
    processes: &[Process],
    votes: u64,
) -> Result<(Vec<ProcessCost>, Kernel)> {
    let after = look(processes).await?;
    let votes = votes as f64;
    let costs = processes.iter().zip(&before.looks).zip(&after.looks);
    let costs = costs.map(|((process, before), after)| ProcessCost {
        process: process.name.clone(),
        cpu_microseconds_per_vote: (after.usage.cpu - before.usage.cpu).as_secs_f64() * 1e6 / votes,
        threads: threads(before, after, votes),
        resident_mb: after.usage.resident_bytes as f64 / 1e6,
        written_bytes_per_vote: after.written.saturating_sub(before.written) as f64 / votes,
        disk_bytes_per_vote: after.disk.saturating_sub(before.disk) as f64 / votes,
        commits: after.commits.saturating_sub(before.commits),
    });
    let (now, then) = (after.kernel, before.kernel);
    let kernel = Kernel {
        listen_overflows: now.listen_overflows.saturating_sub(then.listen_overflows),
        syn_retransmissions: now
            .syn_retransmissions
            .saturating_sub(then.syn_retransmissions),
    };
    Ok((costs.collect(), kernel))
}

fn threads(before: &Look, after: &Look, votes: f64) -> Vec<(String, f64)> {
    let mut threads: Vec<_> = after
        .threads
        .iter()
        .map(|(name, now)| {
            let then = before.threads.get(name).copied().unwrap_or_default();
            (name.clone(), (now - then).max(0.0) * 1e6 / votes)
        })
        .filter(|(_, micros)| *micros >= 0.5)
        .collect();
    threads.sort_by(|a, b| b.1.total_cmp(&a.1));
    threads
}

/// How often a process made something durable since it started, by its own metrics.
async fn commits(url: &str) -> Result<u64> {
    const COUNTS: [&str; 3] = [
        "tabella_block_commit_seconds_count ",
        "tabella_journal_commit_seconds_count ",
        "tabella_backend_database_commit_seconds_count ",
    ];
    let answer = Client::new(url)?.get("/metrics?engine=0").await?;
    let text = String::from_utf8_lossy(&answer.body);
    let counts = text.lines().filter_map(|line| {
        let rest = COUNTS.iter().find_map(|count| line.strip_prefix(count))?;
        rest.trim().parse::<u64>().ok()
    });
    Ok(counts.sum())
}

impl Kernel {
    fn look() -> Result<Self> {
        let path = "/proc/net/netstat";
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        Ok(Self {
            listen_overflows: counter(&text, "ListenOverflows"),
            syn_retransmissions: counter(&text, "TCPSynRetrans"),
        })
    }
}

/// A counter of netstat: a line of names, and below it a line of values.
fn counter(text: &str, name: &str) -> u64 {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.chunks_exact(2).find_map(|pair| {
        let index = pair[0].split(' ').position(|found| found == name)?;
        pair[1].split(' ').nth(index)?.parse().ok()
    });
    pairs.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_the_kernel_are_found_by_name() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: X\nIpExt: 9\n";
        assert_eq!(counter(text, "ListenOverflows"), 22);
        assert_eq!(counter(text, "X"), 9);
        assert_eq!(counter(text, "Y"), 0);
        Kernel::look().unwrap();
    }
}
