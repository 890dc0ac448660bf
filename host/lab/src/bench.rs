//! `tabella-lab bench`: how many votes a second the whole path confirms on this machine, and at what cost.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::Signal;
use serde::Serialize;
use serde_json::json;

use tabella_files::read_secret;

use crate::{
    machine::{self, MachineSpeed},
    scene,
    usage::{self, Usage},
};
use tabella_cli::{
    addresses::Ports,
    backend_api::{BackendApi, id_of},
    dev::{DevNetwork, Ready},
    load::{LoadPlan, LoadReport, Submission, Voter, cast_all},
    shutdown::{self, Lifetime},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Ports far from the documented ones, so that a bench does not disturb a running network.
const PORT_BASE: u16 = 27_000;

/// Measure confirmed votes per second through REST, latency, and what a vote costs.
///
/// Starts a network of its own in a temporary directory, unless --backend names one.
/// Every vote is of another voter; a vote counts when the answer says confirmed with its block.
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// How many votes
    #[arg(long, default_value_t = 20_000)]
    votes: u64,
    /// How many submissions are under way at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    concurrency: u16,
    /// How many validators to start
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    validators: u8,
    /// The rule to vote under: plurality or instant-runoff
    #[arg(long, default_value = "instant-runoff")]
    rule: String,
    /// The first port of the network to start
    #[arg(long, value_name = "P", default_value_t = PORT_BASE)]
    port_base: u16,
    /// Where to make the temporary directory [default: the system's]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Measure a running network instead: URL of its backend
    #[arg(long, requires = "token_file")]
    backend: Option<String>,
    /// The administrator's token of that network
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Afterwards kill one validator with SIGKILL, cast as many votes again, and compare
    #[arg(long, conflicts_with = "backend")]
    kill_one: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct BenchReport {
    votes: u64,
    concurrency: u16,
    rule: String,
    seconds: f64,
    confirmed_votes_per_second: f64,
    latency_ms: Latency,
    /// Answers that were pending at first, and confirmed later.
    pending_at_first: usize,
    repetitions: u64,
    /// By process; empty for a network that was not started here.
    processes: Vec<ProcessCost>,
    disk_bytes_per_vote: Option<f64>,
    /// The same with one validator killed just before.
    one_down: Option<OneDown>,
    machine: MachineSpeed,
}

#[derive(Debug, Serialize)]
struct OneDown {
    killed: String,
    seconds: f64,
    confirmed_votes_per_second: f64,
    /// Of the votes a second with all validators up.
    ratio: f64,
    latency_ms: Latency,
    repetitions: u64,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct ProcessCost {
    process: String,
    cpu_microseconds_per_vote: f64,
    resident_mb: f64,
    disk_bytes_per_vote: f64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &BenchArguments) -> Result<()> {
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let machine = machine::measure(&parent)?;
    let report = match (&arguments.backend, &arguments.token_file) {
        (Some(url), Some(token_file)) => {
            let token = read_secret(token_file)?;
            let election_id = prepare(arguments, url, &token).await?;
            let report = load(arguments, url, &token, election_id).await?;
            summarise(arguments, report, machine, Vec::new(), None)
        }
        _ => on_own_network(arguments, parent, machine).await?,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", describe(&report)),
    }
    Ok(())
}

async fn on_own_network(
    arguments: &BenchArguments,
    parent: PathBuf,
    machine: MachineSpeed,
) -> Result<BenchReport> {
    let mut shutdown = Box::pin(shutdown::requested(Lifetime::Independent)?);
    let directory = parent.join(format!("tabella-bench-{}", std::process::id()));
    let ports = Ports::new(Some(arguments.port_base))?;
    let plan = scene::network(&directory, usize::from(arguments.validators), ports)?;
    let network = DevNetwork::start(&plan).await?;
    let outcome = tokio::select! {
        outcome = measure(arguments, &network, machine) => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    network.stop().await;
    std::fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    outcome
}

async fn measure(
    arguments: &BenchArguments,
    network: &DevNetwork,
    machine: MachineSpeed,
) -> Result<BenchReport> {
    let ready = network.wait_ready().await?;
    let (url, token) = (&ready.backend, &ready.admin_token);
    let election_id = prepare(arguments, url, token).await?;
    let processes = processes(&ready);
    let data = network.layout().root().join("data");
    let cost = |pid: u32, name: &str| -> Result<(Usage, u64)> {
        Ok((usage::of_process(pid)?, usage::disk_bytes(&data.join(name))))
    };
    let before = processes
        .iter()
        .map(|(name, pid)| cost(*pid, name))
        .collect::<Result<Vec<_>>>()?;
    let report = load(arguments, url, token, election_id).await?;
    let mut costs = Vec::new();
    let mut disk = 0.0;
    for ((name, pid), (usage_before, disk_before)) in processes.iter().zip(before) {
        let (usage, disk_after) = cost(*pid, name)?;
        let votes = arguments.votes as f64;
        let grown = disk_after.saturating_sub(disk_before) as f64 / votes;
        disk += grown;
        costs.push(ProcessCost {
            process: name.clone(),
            cpu_microseconds_per_vote: (usage.cpu - usage_before.cpu).as_secs_f64() * 1e6 / votes,
            resident_mb: usage.resident_bytes as f64 / 1e6,
            disk_bytes_per_vote: grown,
        });
    }
    let mut report = summarise(arguments, report, machine, costs, Some(disk));
    if arguments.kill_one {
        let all_up = report.confirmed_votes_per_second;
        report.one_down = Some(measure_one_down(arguments, network, &ready, all_up).await?);
    }
    Ok(report)
}

/// Kills the last validator and measures at once, while the others still find out.
async fn measure_one_down(
    arguments: &BenchArguments,
    network: &DevNetwork,
    ready: &Ready,
    all_up: f64,
) -> Result<OneDown> {
    let (url, token) = (&ready.backend, &ready.admin_token);
    let election_id = prepare(arguments, url, token).await?;
    let killed = ready.validators.last().context("no validator")?;
    let process = network
        .process(&killed.node_id)
        .context("no such process")?;
    process.signal(Signal::SIGKILL);
    let (report, _, elapsed) = load(arguments, url, token, election_id).await?;
    let rate = arguments.votes as f64 / elapsed.as_secs_f64();
    Ok(OneDown {
        killed: killed.node_id.clone(),
        seconds: elapsed.as_secs_f64(),
        confirmed_votes_per_second: rate,
        ratio: rate / all_up,
        latency_ms: latency(&report),
        repetitions: report.repetitions,
    })
}

fn processes(ready: &Ready) -> Vec<(String, u32)> {
    let mut processes: Vec<(String, u32)> = ready
        .validators
        .iter()
        .map(|validator| (validator.node_id.clone(), validator.pid))
        .collect();
    processes.push(("backend".to_owned(), ready.backend_pid));
    processes.push(("load generator".to_owned(), std::process::id()));
    processes
}

/// Creates and opens the election that is voted in.
async fn prepare(arguments: &BenchArguments, url: &str, token: &str) -> Result<u64> {
    let mut api = BackendApi::new(url, Some(token))?;
    let title = format!("bench of {} votes", arguments.votes);
    let election = scene::election(&title, &arguments.rule, &["a", "b", "c", "d", "e"]);
    let election_id = id_of(&api.create_election(&election).await?)?;
    api.open(election_id).await?;
    Ok(election_id)
}

/// Casts all votes and waits until the last of them is confirmed.
async fn load(
    arguments: &BenchArguments,
    url: &str,
    token: &str,
    election_id: u64,
) -> Result<(LoadReport, usize, Duration)> {
    const RANKINGS: [[&str; 3]; 4] = [
        ["a", "b", "c"],
        ["b", "c", "e"],
        ["c", "a", "d"],
        ["e", "d", "b"],
    ];
    let choose = |index: u64| RANKINGS[(index % 4) as usize];
    let ballot = match arguments.rule.as_str() {
        "plurality" => |ranking: [&str; 3]| json!({"choice": ranking[0]}),
        "instant-runoff" => |ranking: [&str; 3]| json!({"ranking": ranking}),
        other => bail!("expected the rule plurality or instant-runoff, got {other:?}"),
    };
    let plan = LoadPlan {
        backend: url.to_owned(),
        election_id,
        concurrency: usize::from(arguments.concurrency),
        patience: PATIENCE,
        per_second: None,
    };
    let submissions = (0..arguments.votes).map(|index| Submission {
        voter: Voter::CastFor {
            voter_id: format!("voter-{index}"),
            token: token.to_owned(),
        },
        transaction_id: format!("bench-{election_id}-{index}"),
        ballot: ballot(choose(index)),
    });
    let bar = ProgressBar::new(arguments.votes).with_style(ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} votes, {per_sec}",
    )?);
    let started = Instant::now();
    let report = cast_all(&plan, submissions, |count| bar.set_position(count)).await?;
    report.require_all_acknowledged(arguments.votes as usize)?;
    let mut api = BackendApi::new(url, Some(token))?;
    let mut pending = 0;
    for acknowledgement in report.acknowledged.iter().filter(|a| !a.is_confirmed()) {
        pending += 1;
        api.wait_confirmed(&acknowledgement.transaction_id, election_id, PATIENCE)
            .await?;
    }
    let elapsed = started.elapsed();
    bar.finish_and_clear();
    Ok((report, pending, elapsed))
}

fn summarise(
    arguments: &BenchArguments,
    (report, pending_at_first, elapsed): (LoadReport, usize, Duration),
    machine: MachineSpeed,
    processes: Vec<ProcessCost>,
    disk_bytes_per_vote: Option<f64>,
) -> BenchReport {
    BenchReport {
        votes: arguments.votes,
        concurrency: arguments.concurrency,
        rule: arguments.rule.clone(),
        seconds: elapsed.as_secs_f64(),
        confirmed_votes_per_second: arguments.votes as f64 / elapsed.as_secs_f64(),
        latency_ms: latency(&report),
        pending_at_first,
        repetitions: report.repetitions,
        processes,
        disk_bytes_per_vote,
        one_down: None,
        machine,
    }
}

fn latency(report: &LoadReport) -> Latency {
    let mut latencies: Vec<f64> = report
        .acknowledged
        .iter()
        .map(|acknowledgement| acknowledgement.latency.as_secs_f64() * 1e3)
        .collect();
    latencies.sort_by(f64::total_cmp);
    let percentile = |percent: usize| {
        let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
        latencies.get(index).copied().unwrap_or_default()
    };
    Latency {
        p50: percentile(50),
        p99: percentile(99),
        max: percentile(100),
    }
}

fn describe(report: &BenchReport) -> String {
    let mut text = format!(
        "{} votes ({}), {} at once, all confirmed in {:.1} s\n\
         confirmed votes/s   {:>10.0}\n\
         latency p50, p99    {:>10.1} ms {:>8.1} ms (longest {:.1} ms)\n\
         pending at first    {:>10}\n\
         repetitions         {:>10}\n",
        report.votes,
        report.rule,
        report.concurrency,
        report.seconds,
        report.confirmed_votes_per_second,
        report.latency_ms.p50,
        report.latency_ms.p99,
        report.latency_ms.max,
        report.pending_at_first,
        report.repetitions,
    );
    if !report.processes.is_empty() {
        text.push_str(&format!(
            "\n{:<16}{:>14}{:>14}{:>16}\n",
            "process", "CPU us/vote", "resident MB", "disk B/vote"
        ));
    }
    for process in &report.processes {
        text.push_str(&format!(
            "{:<16}{:>14.0}{:>14.0}{:>16.0}\n",
            process.process,
            process.cpu_microseconds_per_vote,
            process.resident_mb,
            process.disk_bytes_per_vote
        ));
    }
    if let Some(down) = &report.one_down {
        text.push_str(&format!(
            "\nwith {} killed: {:.0} votes/s, {:.2} of all up; latency p50 {:.1} ms, p99 {:.1} ms, \
             longest {:.1} ms; {} repetitions\n",
            down.killed,
            down.confirmed_votes_per_second,
            down.ratio,
            down.latency_ms.p50,
            down.latency_ms.p99,
            down.latency_ms.max,
            down.repetitions
        ));
    }
    let machine = &report.machine;
    text.push_str(&format!(
        "\nthis machine: {} cores; ed25519 on one: {:.0} verified/s, {:.0} signed/s; fsync p50 {:.2} ms\n",
        machine.cores, machine.verify_per_second, machine.sign_per_second, machine.fsync_p50_ms
    ));
    text
}
