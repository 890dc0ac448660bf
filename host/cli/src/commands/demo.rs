//! `tabella demo`: a real election on a real network, with a validator killed while it runs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_protocol::{Hash, Receipt};

use super::election::id_of;
use crate::{
    addresses::{Addresses, Ports},
    backend_api::BackendApi,
    ballot_file::read_ranked_ballots,
    chain,
    dev::{DevNetwork, DevPlan, Ready, Start, ports},
    election_file::ElectionFile,
    exit::Exit,
    load::{LoadPlan, LoadReport, Submission, Voter, cast_all},
    results::{Round, rounds, side_by_side, winners},
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
        data: arguments.data.clone(),
        validators: Some(3),
        quorum: None,
        ports: choose_ports(arguments.port_base)?,
        start: Start::Fresh,
    };
    println!("starting bootnode, three validators and backend, a process each ...");
    let mut network = tokio::select! {
        network = DevNetwork::start(&plan) => network?,
        () = &mut shutdown => return Ok(Exit::Refused),
    };
    let outcome = tokio::select! {
        outcome = play(arguments, &mut network) => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    if outcome.is_ok() && !arguments.exit {
        println!("\nThe network is still running; Ctrl-C stops it.");
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
    println!(
        "network ready after {:.1} s",
        started.elapsed().as_secs_f64()
    );
    let mut api = BackendApi::new(&ready.backend, Some(&ready.admin_token))?;
    let election_id = id_of(&api.create_election(&election).await?)?;
    api.open(election_id).await?;
    println!("election {election_id} is open: {}", election.title);

    let voter_ids: Vec<String> = (1..=ballots.len())
        .map(|n| format!("voter-{n:05}"))
        .collect();
    let tokens = api.voter_tokens(&voter_ids).await?;
    println!(
        "casting {} ballots through POST /api/votes/submit, each as a voter of its own with that voter's token",
        ballots.len()
    );
    let plan = LoadPlan {
        backend: ready.backend.clone(),
        election_id,
        concurrency: CONCURRENCY,
        patience: PATIENCE,
    };
    let report = cast(network, &plan, tokens.into_iter().zip(ballots)).await?;
    let transactions = confirm_all(&mut api, election_id, &report, voter_ids.len()).await?;
    let ready = Ready::read(&network.layout().ready())?;
    caught_up(&ready).await?;

    api.close(election_id).await?;
    let results = api.final_results(election_id, PATIENCE).await?;
    compare_rounds(&results, &published)?;
    check_exactly_once(&ready, election_id, &transactions, &results).await?;
    check_receipt(arguments, &mut api, &ready, &report).await?;
    print_urls(&ready, election_id);
    println!("\nThe demo took {:.1} s.", started.elapsed().as_secs_f64());
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
            println!("the documented ports are in use; using --port-base {base}");
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
        true => println!("{text}"),
        false => bar.println(text),
    };
    let (report, ()) = tokio::try_join!(casting, kill_one(network, &answered, total, say))?;
    bar.finish();
    println!(
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

/// Every acknowledged ballot must be confirmed in the end, and none may have been refused. Answers
/// the ids of their transactions on the chain.
async fn confirm_all(
    api: &mut BackendApi,
    election_id: u64,
    report: &LoadReport,
    ballots: usize,
) -> Result<BTreeSet<Hash>> {
    report.require_all_acknowledged(ballots)?;
    let mut transactions = BTreeSet::new();
    let mut pending = 0;
    for acknowledgement in &report.acknowledged {
        let id = &acknowledgement.transaction_id;
        let confirmed = match acknowledgement.is_confirmed() {
            true => acknowledgement.answer.clone(),
            false => {
                pending += 1;
                api.wait_confirmed(id, election_id, PATIENCE).await?
            }
        };
        let on_chain = confirmed["chain_transaction_id"].as_str();
        transactions.insert(
            on_chain
                .context("expected a chain_transaction_id")?
                .parse()?,
        );
    }
    ensure!(
        transactions.len() == ballots,
        "{ballots} ballots were confirmed as {} transactions",
        transactions.len()
    );
    println!("every acknowledged ballot is confirmed ({pending} were answered as pending first)");
    Ok(transactions)
}

/// The validator that was killed must hold the same blocks as the others.
async fn caught_up(ready: &Ready) -> Result<()> {
    let started = Instant::now();
    let mut height = 0;
    for validator in &ready.validators {
        if let Ok(status) = chain::node_status(&validator.rpc_url).await {
            height = height.max(status.height);
        }
    }
    for validator in &ready.validators {
        chain::wait_for_height(&validator.rpc_url, height, PATIENCE).await?;
    }
    let urls = rpc_urls(ready);
    chain::compare(&urls, height).await?;
    println!(
        "{VICTIM} caught up: all blocks and states equal on all validators up to height {height} ({:.1} s after the last ballot)",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn rpc_urls(ready: &Ready) -> Vec<String> {
    ready.validators.iter().map(|v| v.rpc_url.clone()).collect()
}

struct Published {
    winner: String,
    rounds: Vec<Round>,
}

fn read_published(path: &Path) -> Result<Published> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let published: Value =
        serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let winner = published["winner"].as_str();
    Ok(Published {
        winner: winner.context("expected a winner")?.to_owned(),
        rounds: rounds(&published),
    })
}

fn compare_rounds(results: &Value, published: &Published) -> Result<()> {
    let contest = &results["contests"][0];
    let ours = rounds(contest);
    println!("\ncertified result, beside the published one:\n");
    print!("{}", side_by_side(&ours, &published.rounds));
    ensure!(
        ours == published.rounds,
        "the rounds differ from the published ones"
    );
    let winners = winners(contest);
    ensure!(
        winners == [published.winner.as_str()],
        "expected {} to win, got {winners:?}",
        published.winner
    );
    println!("\nequal in every number; elected: {}", published.winner);
    Ok(())
}

/// Every acknowledged transaction stands in the chain once, and the board holds nothing else.
async fn check_exactly_once(
    ready: &Ready,
    election_id: u64,
    transactions: &BTreeSet<Hash>,
    results: &Value,
) -> Result<()> {
    let ballots = transactions.len();
    let chain = chain::compare(&rpc_urls(ready), 1).await?;
    let occurrences = chain::occurrences(&chain);
    let board = chain::board(&ready.validators[0].rpc_url, election_id).await?;
    ensure!(
        board.len() == ballots,
        "expected {ballots} ballots on the board, got {}",
        board.len()
    );
    let voters: BTreeSet<_> = board.iter().map(|entry| entry.voter).collect();
    ensure!(voters.len() == ballots, "a voter is on the board twice");
    let on_board: BTreeSet<Hash> = board.iter().map(|entry| entry.transaction_id).collect();
    ensure!(
        on_board == *transactions,
        "the board holds other transactions than those acknowledged"
    );
    for id in transactions {
        let times = occurrences.get(id).copied();
        ensure!(
            times == Some(1),
            "expected {id} once in the chain, got {times:?}"
        );
    }
    let total = results["total_votes"].as_u64();
    ensure!(
        total == Some(ballots as u64),
        "expected {ballots} votes in total, got {total:?}"
    );
    println!(
        "{ballots} acknowledged ballots stand in {} blocks exactly once; all blocks of all validators are equal",
        chain.len()
    );
    Ok(())
}

/// A receipt holds offline, and does not hold once a byte of it is changed.
async fn check_receipt(
    arguments: &DemoArguments,
    api: &mut BackendApi,
    ready: &Ready,
    report: &LoadReport,
) -> Result<()> {
    let last = report.acknowledged.last().context("no ballot was cast")?;
    let receipt = full_receipt(api, &last.transaction_id, ready.validators.len()).await?;
    let good = arguments.data.join("receipt.json");
    std::fs::write(&good, &receipt).context("cannot write the receipt")?;
    println!(
        "\n$ tabella verify receipt {} --genesis {}",
        good.display(),
        ready.genesis
    );
    ensure!(verify(&good, ready)?, "the receipt does not verify");

    let text = String::from_utf8(receipt).context("the receipt is not text")?;
    let ballot_hash = Receipt::from_json(&text)?.entry.ballot_hash.to_string();
    let forged = text.replacen(&ballot_hash, &Hash::of(b"another ballot").to_string(), 1);
    let bad = arguments.data.join("receipt-tampered.json");
    std::fs::write(&bad, forged).context("cannot write the receipt")?;
    println!(
        "$ tabella verify receipt {} --genesis {}",
        bad.display(),
        ready.genesis
    );
    ensure!(!verify(&bad, ready)?, "a tampered receipt verifies");
    Ok(())
}

/// The receipt with the acks of all validators, or with those that came in time.
async fn full_receipt(api: &mut BackendApi, transaction_id: &str, acks: usize) -> Result<Vec<u8>> {
    const ACKS_WITHIN: Duration = Duration::from_secs(5);
    let deadline = Instant::now() + ACKS_WITHIN;
    loop {
        let bytes = api.receipt(transaction_id).await?;
        let receipt = Receipt::from_json(std::str::from_utf8(&bytes)?)?;
        if receipt.acks.len() >= acks || Instant::now() > deadline {
            return Ok(bytes);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn verify(receipt: &Path, ready: &Ready) -> Result<bool> {
    let binary = std::env::current_exe().context("cannot find this binary")?;
    let status = std::process::Command::new(binary)
        .args(["verify", "receipt"])
        .arg(receipt)
        .args(["--genesis", &ready.genesis])
        .status()
        .context("cannot start tabella verify")?;
    Ok(status.success())
}

fn print_urls(ready: &Ready, election_id: u64) {
    println!(
        "\nresults    {}/api/votes/results?election_id={election_id}",
        ready.backend
    );
    println!("health     {}/api/admin/validators/health", ready.backend);
    for validator in &ready.validators {
        println!("{}  {}", validator.node_id, validator.rpc_url);
    }
    println!("bootnode   {}/peers", ready.bootnode.url);
}
