//! `tabella-lab bench`: how many votes a second the whole path confirms on this machine, how long each takes,
//! and at what cost.
//!
//! - `drive`: casts the votes, over the connections of `wire`; `cost`: what they cost.
//! - `reference`: what other databases do in the same run; `report`: all of it in words and in JSON.

mod cost;
mod drive;
mod reference;
mod report;
mod wire;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::Signal;
use serde_json::json;
use tabella_cli::{
    addresses::Ports,
    backend_api::BackendApi,
    dev::{DevNetwork, Ready},
    shutdown::{self, Lifetime},
};
use tabella_files::read_secret;

use self::{
    cost::Process,
    drive::{Driven, Pace, Plan, drive},
    report::{Baseline, BenchReport, Latency, Measurement, OneDown, Tried, svg},
    wire::Target,
};
use crate::{machine, product, scene};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// Ports far from the documented ones, so that a bench does not disturb a running network.
const PORT_BASE: u16 = 27_000;
/// Rates that a search tries, and for how long votes are due at each, in seconds.
const TRIES: u32 = 7;
const TRY_SECONDS: f64 = 10.0;
/// A rate holds while at least this share of it is confirmed.
const CONFIRMED_SHARE_MIN: f64 = 0.97;

/// Measure confirmed votes per second through REST, latency, and what a vote costs.
///
/// Starts a network of its own in a temporary directory, unless --backend names one. Every vote is of another
/// voter. Without --rate each connection casts the next vote when the last is answered; with it votes are due at
/// that rate, and a vote's time counts from when it was due. Connections are open before the clock starts. Every
/// vote is confirmed before the clock stops.
///
/// Example: tabella-lab bench --rate 1500 --seconds 60 --connections 1500 --svg latency.svg
#[derive(Debug, Args)]
pub(crate) struct BenchArguments {
    /// How many votes
    #[arg(long, default_value_t = 20_000, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    votes: u64,
    /// How many connections are open, each with one vote under way at most
    #[arg(long, alias = "concurrency", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Votes due each second, whatever becomes of those before
    #[arg(long, value_name = "R", value_parser = positive)]
    rate: Option<f64>,
    /// How long votes are due at that rate
    #[arg(long, value_name = "S", requires = "rate", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// Search for the highest rate that is confirmed in time, with ten seconds for each rate
    #[arg(long, conflicts_with_all = ["rate", "kill_one", "baseline"])]
    find_rate: bool,
    /// In time is where all but a hundredth of the votes take less, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 250.0, value_parser = positive)]
    p99: f64,
    /// Votes before the clock starts
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    warm_up: u64,
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
    /// Measure another `tabella` binary in turns with this one, and compare
    #[arg(long, value_name = "BINARY", conflicts_with_all = ["backend", "kill_one"])]
    baseline: Option<PathBuf>,
    /// With --baseline, how often each is measured
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    rounds: u8,
    /// Measure etcd (three members) and PostgreSQL on this machine too, where they are installed
    #[arg(long)]
    reference: bool,
    /// Draw the times of all votes into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .parse()
        .map_err(|_| format!("expected a number, got {text:?}"))?;
    match number > 0.0 && number.is_finite() {
        true => Ok(number),
        false => Err(format!("expected a number above 0, got {text}")),
    }
}

/// Runs the command.
pub(crate) async fn run(arguments: &BenchArguments) -> Result<()> {
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let machine = machine::measure(&parent).await?;
    let mut tried = Vec::new();
    let mut one_down = None;
    let mut baseline = None;
    let measured = match (
        &arguments.backend,
        &arguments.token_file,
        &arguments.baseline,
    ) {
        (Some(url), Some(token_file), _) => {
            let token = read_secret(token_file)?;
            let site = Site::running(url, &token);
            measure_as_asked(arguments, &site, &mut tried).await?
        }
        (_, _, Some(other)) => {
            let (measured, compared) = compare(arguments, &parent, other).await?;
            baseline = Some(compared);
            measured
        }
        _ => {
            on_own_network(arguments, &parent, product::binary()?, async |site| {
                let measured = measure_as_asked(arguments, site, &mut tried).await?;
                if arguments.kill_one {
                    one_down = Some(measure_one_down(arguments, site, &measured).await?);
                }
                Ok(measured)
            })
            .await?
        }
    };
    let references = match arguments.reference {
        true => measure_references(arguments, &parent).await?,
        false => Vec::new(),
    };
    if let Some(path) = &arguments.svg {
        let title = format!("{} votes, {}", measured.votes, measured.way());
        std::fs::write(path, svg(&measured.histogram, &title))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let report = BenchReport {
        rule: arguments.rule.clone(),
        validators: arguments.backend.is_none().then_some(arguments.validators),
        measured,
        tried,
        one_down,
        baseline,
        references,
        machine,
    };
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", report.describe()),
    }
    Ok(())
}

/// A network that is measured.
struct Site<'a> {
    url: String,
    token: String,
    processes: Vec<Process>,
    /// Where it was started here.
    network: Option<(&'a DevNetwork, Ready)>,
}

impl Site<'_> {
    /// One that runs already; what its processes cost is not known.
    fn running(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            processes: Vec::new(),
            network: None,
        }
    }
}

/// Starts a network of `binary` in a directory of its own, measures, and removes it.
async fn on_own_network<T>(
    arguments: &BenchArguments,
    parent: &Path,
    binary: PathBuf,
    measure: impl AsyncFnOnce(&Site<'_>) -> Result<T>,
) -> Result<T> {
    let mut shutdown = Box::pin(shutdown::requested(Lifetime::Independent)?);
    let directory = parent.join(format!("tabella-bench-{}", std::process::id()));
    let ports = Ports::new(Some(arguments.port_base))?;
    let mut plan = scene::network(&directory, usize::from(arguments.validators), ports)?;
    plan.program = binary;
    let network = DevNetwork::start(&plan).await?;
    let measuring = async {
        let ready = network.wait_ready().await?;
        let data = network.layout().root().join("data");
        let site = Site {
            url: ready.backend.clone(),
            token: ready.admin_token.clone(),
            processes: cost::processes(&ready, &data),
            network: Some((&network, ready)),
        };
        measure(&site).await
    };
    let outcome = tokio::select! {
        outcome = measuring => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    network.stop().await;
    std::fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    outcome
}

/// Measures in the way that the command line says.
async fn measure_as_asked(
    arguments: &BenchArguments,
    site: &Site<'_>,
    tried: &mut Vec<Tried>,
) -> Result<Measurement> {
    if arguments.find_rate {
        let (measured, all) = search(arguments, site).await?;
        *tried = all;
        return Ok(measured);
    }
    let (votes, pace) = match arguments.rate {
        Some(rate) => {
            let of_seconds = arguments
                .seconds
                .map(|seconds| (rate * seconds as f64) as u64);
            (
                of_seconds.unwrap_or(arguments.votes).max(1),
                Pace::Open(rate),
            )
        }
        None => (arguments.votes, Pace::Closed),
    };
    measure(arguments, site, votes, pace).await
}

/// Casts so many votes in an election of their own, and waits until the last of them is confirmed.
async fn measure(
    arguments: &BenchArguments,
    site: &Site<'_>,
    votes: u64,
    pace: Pace,
) -> Result<Measurement> {
    let mut api = BackendApi::new(&site.url, Some(&site.token))?;
    let title = format!("bench of {votes} votes");
    let election = scene::election(&title, &arguments.rule, &["a", "b", "c", "d", "e"]);
    let election_id = api.create_election(&election).await?.election_id;
    api.open(election_id).await?;

    let ballot = ballots(&arguments.rule)?;
    let id = |number: u64| format!("bench-{election_id}-{number}");
    let first = arguments.warm_up;
    let body = |number: u64| {
        json!({
            "election_id": election_id,
            "transaction_id": id(number),
            "voter_id": format!("voter-{number}"),
            "ballot": ballot(number),
        })
        .to_string()
    };
    let target = Target::new(&site.url, &site.token)?;
    let plan = |votes, pace| Plan {
        target: &target,
        connections: usize::from(arguments.connections),
        votes,
        pace,
        body: &body,
        progress: &|_| {},
    };
    if first > 0 {
        drive(&plan(first, Pace::Closed)).await?;
    }
    let bar = ProgressBar::new(votes).with_style(ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} votes, {per_sec}",
    )?);
    let later = |number| body(first + number);
    let progress = |count| bar.set_position(count);
    let plan = Plan {
        body: &later,
        progress: &progress,
        ..plan(votes, pace)
    };
    let before = cost::look(&site.processes).await?;
    let driven = drive(&plan).await?;
    let started = std::time::Instant::now();
    for number in &driven.unconfirmed {
        let id = id(first + number);
        api.wait_confirmed(&id, election_id, PATIENCE).await?;
    }
    let Driven {
        latency,
        elapsed,
        unconfirmed,
        repetitions,
    } = driven;
    let seconds = match unconfirmed.is_empty() {
        true => elapsed.as_secs_f64(),
        false => (elapsed + started.elapsed()).as_secs_f64(),
    };
    let (processes, kernel) = cost::since(&before, &site.processes, votes).await?;
    bar.finish_and_clear();
    Ok(Measurement {
        votes,
        connections: arguments.connections,
        offered_per_second: match pace {
            Pace::Open(rate) => Some(rate),
            Pace::Closed => None,
        },
        seconds,
        confirmed_votes_per_second: votes as f64 / seconds,
        latency_ms: Latency::of(&latency),
        pending_at_first: unconfirmed.len(),
        repetitions,
        processes,
        kernel: site.network.is_some().then_some(kernel),
        histogram: latency,
    })
}

/// The ballot of the vote with a number, under a rule.
fn ballots(rule: &str) -> Result<fn(u64) -> serde_json::Value> {
    const RANKINGS: [[&str; 3]; 4] = [
        ["a", "b", "c"],
        ["b", "c", "e"],
        ["c", "a", "d"],
        ["e", "d", "b"],
    ];
    match rule {
        "plurality" => Ok(|number| json!({"choice": RANKINGS[(number % 4) as usize][0]})),
        "instant-runoff" => Ok(|number| json!({"ranking": RANKINGS[(number % 4) as usize]})),
        other => bail!("expected the rule plurality or instant-runoff, got {other:?}"),
    }
}

/// The highest rate at which votes are confirmed in time, and what was tried: between a fifth of what a closed
/// loop reaches and a little more than that, halving what is left.
async fn search(arguments: &BenchArguments, site: &Site<'_>) -> Result<(Measurement, Vec<Tried>)> {
    let closed = measure(arguments, site, arguments.votes, Pace::Closed).await?;
    let most = closed.confirmed_votes_per_second;
    let (mut low, mut high) = (most * 0.2, most * 1.1);
    let mut tried = Vec::new();
    let mut best = None;
    for _ in 0..TRIES {
        let rate = ((low + high) / 2.0).round();
        let votes = ((rate * TRY_SECONDS) as u64).max(1);
        let measured = measure(arguments, site, votes, Pace::Open(rate)).await?;
        let confirmed = measured.confirmed_votes_per_second;
        let p99_ms = measured.latency_ms.p99;
        let holds = p99_ms < arguments.p99 && confirmed >= rate * CONFIRMED_SHARE_MIN;
        tried.push(Tried {
            offered_per_second: rate,
            confirmed_votes_per_second: confirmed,
            p99_ms,
            holds,
        });
        match holds {
            true => {
                best = Some(measured);
                low = rate;
            }
            false => high = rate,
        }
    }
    let best = best.with_context(|| {
        let rates: Vec<_> = tried
            .iter()
            .map(|t| format!("{:.0}", t.offered_per_second))
            .collect();
        format!(
            "no rate holds a p99 of {} ms here: tried {} votes/s; allow more with --p99",
            arguments.p99,
            rates.join(", ")
        )
    })?;
    Ok((best, tried))
}

/// Kills the last validator and measures at once, while the others still find out.
async fn measure_one_down(
    arguments: &BenchArguments,
    site: &Site<'_>,
    all_up: &Measurement,
) -> Result<OneDown> {
    let (network, ready) = site.network.as_ref().context("a network of its own")?;
    let killed = ready.validators.last().context("no validator")?;
    let process = network
        .process(&killed.node_id)
        .context("no such process")?;
    process.signal(Signal::SIGKILL);
    let without = Site {
        url: site.url.clone(),
        token: site.token.clone(),
        // The killed one has no cost any more.
        processes: Vec::new(),
        network: None,
    };
    let pace = arguments.rate.map_or(Pace::Closed, Pace::Open);
    let measured = measure(arguments, &without, all_up.votes, pace).await?;
    Ok(OneDown {
        killed: killed.node_id.clone(),
        ratio: measured.confirmed_votes_per_second / all_up.confirmed_votes_per_second,
        measured,
    })
}

/// Measures this binary and another in turns, each on new networks.
async fn compare(
    arguments: &BenchArguments,
    parent: &Path,
    other: &Path,
) -> Result<(Measurement, Baseline)> {
    ensure!(
        other.is_file(),
        "expected a tabella binary at {}",
        other.display()
    );
    let once = async |binary: PathBuf| {
        on_own_network(arguments, parent, binary, async |site| {
            measure_as_asked(arguments, site, &mut Vec::new()).await
        })
        .await
    };
    let (mut own, mut others, mut middle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        others.push(once(other.to_owned()).await?.confirmed_votes_per_second);
        let measured = once(product::binary()?).await?;
        own.push(measured.confirmed_votes_per_second);
        middle.push(measured);
    }
    middle.sort_by(|a, b| {
        a.confirmed_votes_per_second
            .total_cmp(&b.confirmed_votes_per_second)
    });
    let baseline = Baseline {
        binary: other.display().to_string(),
        ratio: median(&own) / median(&others),
        own,
        others,
    };
    Ok((middle.swap_remove(middle.len() / 2), baseline))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

async fn measure_references(
    arguments: &BenchArguments,
    parent: &Path,
) -> Result<Vec<reference::Reference>> {
    let directory = parent.join(format!("tabella-reference-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let connections = usize::from(arguments.connections);
    let measured = reference::measure(&directory, connections, arguments.votes).await;
    std::fs::remove_dir_all(&directory)?;
    measured
}
