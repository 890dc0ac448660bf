//! `tabella demo`: a real election on a real network, with a validator killed while it runs.

mod checks;

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::Signal;
use serde_json::Value;

use self::checks::{
    caught_up, check_exactly_once, check_receipt, compare_rounds, confirm_all, read_published,
};
use crate::{
    addresses::{Addresses, Ports},
    backend_api::BackendApi,
    ballot_file::read_ranked_ballots,
    dev::{DevNetwork, DevPlan, Ready, Start, ports},
    election_file::ElectionFile,
    exit::Exit,
    load::{LoadPlan, LoadReport, Submission, Voter, cast_all},
    output::plain,
    shutdown::{self, Lifetime},
};

/// Submissions under way at once.
const CONCURRENCY: usize = 64;
/// How long one ballot is offered before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The validator that is killed, and between which shares of the ballots it is down.
const VICTIM: &str = "validator-2";
const KILL_AT_PERCENT: u64 = 35;
const RESTART_AT_PERCENT: u64 = 65;

/// Run a real election end to end on a network of three validators.
///
/// Casts every ballot of ELECTION through the REST API, kills one validator midway with SIGKILL
/// and starts it again, closes the election, compares the certified rounds with the published
/// ones, verifies a receipt offline, and compares every block of all validators.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// A directory with election.toml, ballots.csv and published.json
    #[arg(default_value = "examples/elections/burlington-2009")]
    election: PathBuf,
    /// The directory of the network; what an earlier demo left there is replaced
    #[arg(long, default_value = ".data/demo")]
    data: PathBuf,
    /// Backend at P, validators from P + 1, bootnode at P + 65, p2p from P + 100
    /// [default: 8000, 8001.., 8546, 30303.., or free ones where those are taken]
    #[arg(long, value_name = "P")]
    port_base: Option<u16>,
    /// Stop everything at the end instead of leaving the network up until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Runs the demo; any claim that does not hold is an error.
pub(crate) async fn run(arguments: &DemoArguments) -> Result<Exit> {
    let mut shutdown = Box::pin(shutdown::requested(Lifetime::Independent)?);
    let plan = DevPlan {
        program: std::env::current_exe().context("cannot find this binary")?,
        data: arguments.data.clone(),
        validators: Some(3),
        quorum: None,
        open_ballots: tabella_protocol::OpenBallots::Anyone,
        cors_origins: Vec::new(),
        ports: choose_ports(arguments.port_base)?,
        start: Start::Fresh,
        host: None,
        sites: Vec::new(),
    };
    say!("starting bootnode, three validators and backend, a process each ...");
    let mut network = tokio::select! {
        network = DevNetwork::start(&plan) => network?,
        () = &mut shutdown => return Ok(Exit::Refused),
    };
    let outcome = tokio::select! {
        outcome = play(arguments, &mut network) => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    if outcome.is_ok() && !arguments.exit {
        say!("\nThe network is still running; Ctrl-C stops it.");
        shutdown.await;
    }
    network.stop().await;
    outcome.map(|()| Exit::Success)
}

async fn play(arguments: &DemoArguments, network: &mut DevNetwork) -> Result<()> {
    let started = Instant::now();
    let election = ElectionFile::read(&arguments.election.join("election.toml"))?;
    let ballots = read_ranked_ballots(&arguments.election.join("ballots.csv"))?;
    let published = read_published(&arguments.election.join("published.json"))?;

    let ready = network.wait_ready().await?;
    say!(
        "network ready after {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let mut api = BackendApi::new(&ready.backend, Some(&ready.admin_token))?;
    let election_id = api.create_election(&election).await?.election_id;
    api.open(election_id).await?;
    say!("election {election_id} is open: {}", plain(&election.title));

    let voter_ids: Vec<String> = (1..=ballots.len())
        .map(|n| format!("voter-{n:05}"))
        .collect();
    let tokens = api.voter_tokens(&voter_ids).await?;
    say!(
        "casting {} ballots through POST /api/votes/submit, each as a voter of its own with that voter's token",
        ballots.len()
    );
    let plan = LoadPlan {
        backend: ready.backend.clone(),
        election_id,
        concurrency: CONCURRENCY,
        patience: PATIENCE,
        per_second: None,
    };
    let report = cast(network, &plan, tokens.into_iter().zip(ballots)).await?;
    let transactions = confirm_all(&mut api, election_id, &report, voter_ids.len()).await?;
    let ready = Ready::read(&network.layout().ready())?;
    caught_up(&ready).await?;

    api.close(election_id).await?;
    let results = api.final_results(election_id, PATIENCE).await?;
    compare_rounds(&results, &published)?;
    check_exactly_once(&ready, election_id, &transactions, &results).await?;
    check_receipt(&arguments.data, &mut api, &ready, &report).await?;
    print_urls(&ready, election_id);
    say!("\nThe demo took {:.1} s.", started.elapsed().as_secs_f64());
    Ok(())
}

fn choose_ports(port_base: Option<u16>) -> Result<Ports> {
    let ports = Ports::new(port_base)?;
    let all_free = |ports: Ports| -> Result<bool> {
        Ok(ports::all_free(&Addresses::new(3, &[], ports)?.ports()))
    };
    if port_base.is_some() || all_free(ports)? {
        return Ok(ports);
    }
    const FIRST_BASE: u16 = 18_000;
    for base in (FIRST_BASE..FIRST_BASE + 8_000).step_by(200) {
        let ports = Ports::new(Some(base))?;
        if all_free(ports)? {
            say!("the documented ports are in use; using --port-base {base}");
            return Ok(ports);
        }
    }
    bail!("no free ports found; choose them with --port-base")
}

/// Casts all ballots; meanwhile kills one validator and starts it again.
async fn cast(
    network: &mut DevNetwork,
    plan: &LoadPlan,
    ballots: impl ExactSizeIterator<Item = (String, Value)> + Send,
) -> Result<LoadReport> {
    let total = ballots.len() as u64;
    let bar = ProgressBar::new(total).with_style(progress_style()?);
    let answered = AtomicU64::new(0);
    let submissions = ballots
        .enumerate()
        .map(|(index, (token, ballot))| Submission {
            voter: Voter::Token(token),
            transaction_id: format!("demo-{:05}", index + 1),
            ballot,
        });
    let casting = cast_all(plan, submissions, |count| {
        answered.fetch_max(count, Ordering::Relaxed);
        bar.set_position(count);
    });
    let say = |text: String| match bar.is_hidden() {
        true => say!("{text}"),
        false => bar.println(text),
    };
    let (report, ()) = tokio::try_join!(casting, kill_one(network, &answered, total, say))?;
    bar.finish();
    say!(
        "{} ballots acknowledged in {:.1} s ({:.0} a second), {} repeated while a validator was down",
        report.acknowledged.len(),
        report.elapsed.as_secs_f64(),
        report.acknowledged.len() as f64 / report.elapsed.as_secs_f64(),
        report.repetitions
    );
    Ok(report)
}

async fn kill_one(
    network: &mut DevNetwork,
    answered: &AtomicU64,
    total: u64,
    say: impl Fn(String),
) -> Result<()> {
    reached(answered, total * KILL_AT_PERCENT / 100).await;
    let victim = network.process(VICTIM).context("no such validator")?;
    victim.signal(Signal::SIGKILL);
    victim.ended().await;
    say(format!(
        "kill -9 {VICTIM} (pid {}) after {} ballots",
        victim.pid(),
        answered.load(Ordering::Relaxed)
    ));
    reached(answered, total * RESTART_AT_PERCENT / 100).await;
    let pid = network.restart(VICTIM)?;
    say(format!(
        "{VICTIM} started again (pid {pid}) after {} ballots",
        answered.load(Ordering::Relaxed)
    ));
    Ok(())
}

async fn reached(answered: &AtomicU64, count: u64) {
    while answered.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn progress_style() -> Result<ProgressStyle> {
    let template = "{bar:40} {human_pos}/{human_len} ballots, {per_sec}, {eta} to go";
    Ok(ProgressStyle::with_template(template)?)
}

fn print_urls(ready: &Ready, election_id: u64) {
    say!(
        "\npage       {}/en/elections/{election_id}/results",
        ready.backend
    );
    say!(
        "results    {}/api/votes/results?election_id={election_id}",
        ready.backend
    );
    say!("health     {}/api/admin/validators/health", ready.backend);
    for validator in &ready.validators {
        say!("{}  {}", validator.node_id, validator.rpc_url);
    }
    say!("bootnode   {}/peers", ready.bootnode.url);
}
