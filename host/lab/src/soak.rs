//! `tabella-lab soak`: whether memory and open files grow while a network runs for long.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::{scene, usage};
use tabella_cli::{
    addresses::Ports,
    backend_api::BackendApi,
    dev::{DevNetwork, Ready},
    load::{LoadPlan, Submission, Voter, cast_all},
    shutdown::{self, Lifetime},
};

const PORT_BASE: u16 = 25_000;
const PATIENCE: Duration = Duration::from_secs(120);
const CONCURRENCY: usize = 32;
/// Votes are cast in rounds of so many seconds; what a round was answered is forgotten after it.
const ROUND_SECONDS: u32 = 10;
/// At each end of the time after warm-up, the median of so many samples counts, or of a third.
const SAMPLES_AT_AN_END: usize = 7;

/// Run a network under steady load, and watch the memory and open files of its processes.
///
/// Samples every process after each round of votes and prints what grew after the warm-up.
#[derive(Debug, Args)]
pub(crate) struct SoakArguments {
    /// How long
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=7 * 24 * 60))]
    minutes: u64,
    /// How much of that does not count yet [default: a quarter]
    #[arg(long)]
    warm_up_minutes: Option<u64>,
    /// How many votes are cast each second at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    votes_per_second: u32,
    /// How many validators
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    validators: u8,
    /// The first port of the network to start
    #[arg(long, value_name = "P", default_value_t = PORT_BASE)]
    port_base: u16,
    /// Where to make the temporary directory [default: the system's]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Answer in JSON, with every sample
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct SoakReport {
    minutes: f64,
    warm_up_minutes: f64,
    votes: u64,
    processes: Vec<ProcessGrowth>,
}

#[derive(Debug, Serialize)]
struct ProcessGrowth {
    process: String,
    resident_mb_after_warm_up: f64,
    resident_mb_at_the_end: f64,
    open_files_after_warm_up: u64,
    open_files_at_the_end: u64,
    /// Resident bytes and open files, in the order of time.
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    seconds: f64,
    resident_bytes: u64,
    open_files: u64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &SoakArguments) -> Result<()> {
    let mut shutdown = Box::pin(shutdown::requested(Lifetime::Independent)?);
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("tabella-soak-{}", std::process::id()));
    let ports = Ports::new(Some(arguments.port_base))?;
    let plan = scene::network(&directory, usize::from(arguments.validators), ports)?;
    let network = DevNetwork::start(&plan).await?;
    let outcome = tokio::select! {
        outcome = soak(arguments, &network) => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    network.stop().await;
    fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    let report = outcome?;
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", describe(&report)),
    }
    Ok(())
}

async fn soak(arguments: &SoakArguments, network: &DevNetwork) -> Result<SoakReport> {
    let ready = network.wait_ready().await?;
    let mut api = BackendApi::new(&ready.backend, Some(&ready.admin_token))?;
    let election = scene::election("a long election", "plurality", &["a", "b"]);
    let election_id = api.create_election(&election).await?.election_id;
    api.open(election_id).await?;
    let load = LoadPlan {
        backend: ready.backend.clone(),
        election_id,
        concurrency: CONCURRENCY,
        patience: PATIENCE,
        per_second: Some(arguments.votes_per_second),
    };
    let processes = processes(&ready);
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); processes.len()];
    let lasts = Duration::from_secs(arguments.minutes * 60);
    let round = u64::from(arguments.votes_per_second * ROUND_SECONDS);
    let started = Instant::now();
    let mut votes = 0;
    while started.elapsed() < lasts {
        let submissions = (votes..votes + round).map(|index| Submission {
            voter: Voter::CastFor {
                voter_id: format!("voter-{index}"),
                token: ready.admin_token.clone(),
            },
            transaction_id: format!("soak-{index}"),
            ballot: json!({"choice": if index % 2 == 0 { "a" } else { "b" }}),
        });
        let report = cast_all(&load, submissions, |_| ()).await?;
        report.require_all_acknowledged(round as usize)?;
        votes += round;
        for ((name, pid), samples) in processes.iter().zip(&mut samples) {
            let sample = sample(*pid, started.elapsed()).with_context(|| name.clone())?;
            samples.push(sample);
        }
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let warm_up_minutes = arguments
        .warm_up_minutes
        .map_or(minutes / 4.0, |minutes| minutes as f64);
    let grown = processes
        .into_iter()
        .zip(samples)
        .map(|((process, _), samples)| growth(process, samples, warm_up_minutes));
    Ok(SoakReport {
        minutes,
        warm_up_minutes,
        votes,
        processes: grown.collect(),
    })
}

fn processes(ready: &Ready) -> Vec<(String, u32)> {
    let validators = ready.validators.iter();
    let mut processes: Vec<_> = validators.map(|v| (v.node_id.clone(), v.pid)).collect();
    processes.push(("backend".to_owned(), ready.backend_pid));
    processes.push(("bootnode".to_owned(), ready.bootnode.pid));
    processes
}

fn sample(pid: u32, elapsed: Duration) -> Result<Sample> {
    let open_files = fs::read_dir(format!("/proc/{pid}/fd")).context("cannot count open files")?;
    Ok(Sample {
        seconds: elapsed.as_secs_f64(),
        resident_bytes: usage::of_process(pid)?.resident_bytes,
        open_files: open_files.count() as u64,
    })
}

fn growth(process: String, samples: Vec<Sample>, warm_up_minutes: f64) -> ProcessGrowth {
    let warm: Vec<Sample> = samples
        .iter()
        .copied()
        .filter(|sample| sample.seconds >= warm_up_minutes * 60.0)
        .collect();
    // The ends must not overlap: a median of the same samples grows by nothing.
    let count = (warm.len() / 3).clamp(1, SAMPLES_AT_AN_END).min(warm.len());
    let (first, last) = (&warm[..count], &warm[warm.len() - count..]);
    ProcessGrowth {
        process,
        resident_mb_after_warm_up: median(first, |s| s.resident_bytes) as f64 / 1e6,
        resident_mb_at_the_end: median(last, |s| s.resident_bytes) as f64 / 1e6,
        open_files_after_warm_up: median(first, |s| s.open_files),
        open_files_at_the_end: median(last, |s| s.open_files),
        samples,
    }
}

fn median(samples: &[Sample], of: fn(&Sample) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn describe(report: &SoakReport) -> String {
    let mut text = format!(
        "{} votes in {:.1} minutes; growth after the first {:.1} minutes:\n\n\
         {:<14}{:>16}{:>12}{:>12}{:>16}{:>12}\n",
        report.votes,
        report.minutes,
        report.warm_up_minutes,
        "process",
        "resident MB",
        "at the end",
        "grown",
        "open files",
        "at the end"
    );
    for process in &report.processes {
        text.push_str(&format!(
            "{:<14}{:>16.1}{:>12.1}{:>12.1}{:>16}{:>12}\n",
            process.process,
            process.resident_mb_after_warm_up,
            process.resident_mb_at_the_end,
            process.resident_mb_at_the_end - process.resident_mb_after_warm_up,
            process.open_files_after_warm_up,
            process.open_files_at_the_end
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_the_end_of_the_warm_up_and_ignores_outliers() {
        let sample = |minute: u64, resident_mb: u64| Sample {
            seconds: (minute * 60) as f64,
            resident_bytes: resident_mb * 1_000_000,
            open_files: 20 + resident_mb / 100,
        };
        let mut samples: Vec<_> = (0..5).map(|m| sample(m, 10 * m)).collect();
        samples.extend((5..30).map(|m| sample(m, 100)));
        samples.push(sample(30, 900));
        let grown = growth("validator-1".into(), samples.clone(), 5.0);
        assert_eq!(grown.resident_mb_after_warm_up, 100.0);
        assert_eq!(grown.resident_mb_at_the_end, 100.0);
        assert_eq!(
            (grown.open_files_after_warm_up, grown.open_files_at_the_end),
            (21, 21)
        );
        let leaking = growth(
            "backend".into(),
            (0..31).map(|m| sample(m, 10 * m)).collect(),
            5.0,
        );
        assert_eq!(leaking.resident_mb_after_warm_up, 80.0);
        assert_eq!(leaking.resident_mb_at_the_end, 270.0);
        let short = growth(
            "backend".into(),
            (0..4).map(|m| sample(m, 10 * m)).collect(),
            1.0,
        );
        assert_eq!(short.resident_mb_after_warm_up, 10.0);
        assert_eq!(short.resident_mb_at_the_end, 30.0);
        let none = growth("backend".into(), Vec::new(), 1.0);
        assert_eq!(none.resident_mb_at_the_end, 0.0);
    }
}
