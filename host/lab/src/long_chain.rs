//! `tabella-lab long-chain`: what a long history costs: start-up, also after a crash, memory, catching up.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::signal::Signal;
use serde::Serialize;
use serde_json::json;
use tabella_files::{read_genesis, read_key};
use tabella_ledger::{BuildLimits, Ledger};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Hash, OpenBallots,
    OpenTo, OptionSpec, Payload, Quorum, Revote, SigningKey, Transaction, TransactionBody, VoterId,
    rpc::NodeStatus,
};

use crate::{product, usage};
use tabella_cli::{
    addresses::{Addresses, Ports},
    dev::{Process, ProcessPlan, Site},
    http::Client,
    json_rpc,
    layout::Layout,
    network_files::{DataDirectories, Web, create_network, write_configs},
};

/// Ports far from the documented ones.
const PORT_BASE: u16 = 27_400;
/// How long a validator may take to answer, and to catch up by another thousand blocks.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
const LIMITS: BuildLimits = BuildLimits {
    bytes_max: 1 << 20,
    transactions_max: 1_000,
};

/// Write a synthetic history through the real ledger, and measure what its length costs
///
/// Every block holds a ballot of another voter and a certificate of all three validators. Two of them
/// get the history; one is started, killed and started again; the third has to catch up.
#[derive(Debug, Args)]
pub(crate) struct LongChainArguments {
    /// How many blocks
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    blocks: u64,
    /// The first port
    #[arg(long, value_name = "P", default_value_t = PORT_BASE)]
    port_base: u16,
    /// Where to make the temporary directory [default: the system's]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct LongChainReport {
    blocks: u64,
    /// Writing the history.
    written_seconds: f64,
    disk_mb: f64,
    /// From the start of the process to the first answer that names the height.
    start_seconds: f64,
    start_after_kill_seconds: f64,
    resident_mb: f64,
    synced_blocks_per_second: f64,
    /// Of the validator that caught up.
    synced_resident_mb: f64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &LongChainArguments) -> Result<()> {
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("tabella-long-chain-{}", std::process::id()));
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let outcome = measure(arguments, &Layout::new(&directory)).await;
    fs::remove_dir_all(&directory)
        .with_context(|| format!("cannot remove {}", directory.display()))?;
    let report = outcome?;
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", describe(&report)),
    }
    Ok(())
}

async fn measure(arguments: &LongChainArguments, layout: &Layout) -> Result<LongChainReport> {
    let addresses = Addresses::new(3, &[], Ports::new(Some(arguments.port_base))?)?;
    create_network(
        layout,
        "long-chain",
        Quorum::Majority,
        &addresses,
        DataDirectories::Later,
    )?;
    write_configs(layout, &addresses, &Web::default(), OpenBallots::Anyone)?;
    let data = layout.root().join("data");
    fs::create_dir_all(layout.root().join("logs")).context("cannot create the logs directory")?;

    let started = Instant::now();
    write_history(arguments.blocks, layout)?;
    let written_seconds = started.elapsed().as_secs_f64();
    let [first, second, third] = ["validator-1", "validator-2", "validator-3"];
    fs::create_dir_all(data.join(second)).context("cannot create a data directory")?;
    let chain = data.join(first).join("chain.redb");
    fs::copy(&chain, data.join(second).join("chain.redb")).context("cannot copy the chain")?;
    for name in [first, second] {
        let path = layout.config(name);
        let text = fs::read_to_string(&path).context("cannot read a configuration")?;
        // They never signed, and so have no log to lose.
        fs::write(&path, format!("accept_missing_wal = true\n{text}"))
            .context("cannot write a configuration")?;
    }

    let _bootnode = plan(layout, "bootnode", "bootnode")?.start()?;
    let url = |index: usize| addresses.validators[index].rpc_url();
    let (one, start_seconds) = start(layout, first, &url(0), arguments.blocks).await?;
    let resident_mb = resident_mb(&one)?;
    one.signal(Signal::SIGKILL);
    one.ended().await;
    let (_one, start_after_kill_seconds) = start(layout, first, &url(0), arguments.blocks).await?;
    let (_two, _) = start(layout, second, &url(1), arguments.blocks).await?;
    let (three, _) = start(layout, third, &url(2), 0).await?;
    // The first blocks include finding the others.
    let begin = wait_height(&three, &url(2), 10).await?;
    let from = Instant::now();
    let end = wait_height(&three, &url(2), arguments.blocks).await?;
    let synced_blocks_per_second = (end - begin) as f64 / from.elapsed().as_secs_f64();
    Ok(LongChainReport {
        blocks: arguments.blocks,
        written_seconds,
        disk_mb: usage::disk_bytes(&data.join(first)) as f64 / 1e6,
        start_seconds,
        start_after_kill_seconds,
        resident_mb,
        synced_blocks_per_second,
        synced_resident_mb: self::resident_mb(&three)?,
    })
}

fn resident_mb(process: &Process) -> Result<f64> {
    Ok(usage::of_process(process.pid())?.resident_bytes as f64 / 1e6)
}

fn plan(layout: &Layout, name: &str, role: &'static str) -> Result<ProcessPlan> {
    Ok(ProcessPlan {
        program: product::binary()?,
        name: name.to_owned(),
        role,
        config: layout.config(name),
        log: layout.log(name),
        site: Site::default(),
    })
}

/// Starts a validator; returns it once it tells a height of at least `height`, and how long that took.
async fn start(layout: &Layout, name: &str, url: &str, height: u64) -> Result<(Process, f64)> {
    let started = Instant::now();
    let process = plan(layout, name, "validator")?.start()?;
    wait_height(&process, url, height).await?;
    Ok((process, started.elapsed().as_secs_f64()))
}

/// Waits until a validator tells a height of at least `height`.
async fn wait_height(process: &Process, url: &str, height: u64) -> Result<u64> {
    let mut client = Client::new(url)?;
    let mut progress = (0, Instant::now());
    loop {
        if let Some(status) = process.exit_status() {
            bail!("{}", process.obituary(status));
        }
        let status = json_rpc::call::<NodeStatus>(&mut client, "tabella_nodeStatus", json!([]));
        if let Ok(status) = status.await {
            if status.height >= height {
                return Ok(status.height);
            }
            if status.height >= progress.0 + 1_000 {
                progress = (status.height, Instant::now());
            }
        }
        if progress.1.elapsed() > PATIENCE {
            bail!(
                "{} does not get beyond height {}\n{}",
                process.plan().name,
                progress.0,
                tabella_cli::dev::log_tail(&process.plan().log)
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Commits the history to the ledger of the first validator.
fn write_history(blocks: u64, layout: &Layout) -> Result<()> {
    let genesis = read_genesis(&layout.genesis())?;
    let authority = read_key(&layout.authority_key())?;
    let keys = genesis
        .validators
        .iter()
        .map(|validator| read_key(&layout.validator_key(&validator.node_id)))
        .collect::<Result<Vec<_>, _>>()?;
    let data = layout.root().join("data/validator-1");
    let (chain_id, genesis_hash) = (genesis.chain_id, genesis.hash());
    let ledger = Ledger::open(&data, genesis)?;
    let bar = ProgressBar::new(blocks).with_style(ProgressStyle::with_template(
        "{bar:40} {human_pos}/{human_len} blocks, {per_sec}",
    )?);
    for height in 1..=blocks {
        let payload = payload(&ledger, height, &authority)?;
        let body = TransactionBody {
            chain_id,
            expiry_height: height,
            nonce: height,
            sequence: None,
            payload,
        };
        let bytes = Transaction::sign(body, &authority).to_bytes();
        let vetted = ledger.vet(&bytes)?;
        let proposer = ledger.proposers()[0];
        let now_ms = ledger.tip().timestamp_ms + 1;
        let built = ledger.build(proposer, now_ms, [&vetted], LIMITS)?;
        if let Some((_, refusal)) = built.refused.first() {
            bail!("a transaction of the history is refused: {refusal}");
        }
        let certificate = CommitCertificate::sign(&genesis_hash, &keys, height, built.block.hash());
        // Nobody needs what a crash would leave.
        if height % 100 == 0 || height == blocks {
            ledger.commit(built.block, &certificate)?;
            bar.set_position(height);
        } else {
            ledger.commit_unsynced(built.block, &certificate)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// An election first, then a ballot in every block.
fn payload(ledger: &Ledger, height: u64, authority: &SigningKey) -> Result<Payload> {
    let wasm = tabella_plugins::get("plurality")
        .context("plurality is built in")?
        .wasm;
    let option = |id: &str| OptionSpec {
        id: id.to_owned(),
        title: id.to_owned(),
    };
    Ok(match height {
        1 => Payload::PublishPlugin {
            wasm: wasm.to_vec(),
        },
        2 => Payload::CreateElection(ElectionSpec {
            title: "A long history".to_owned(),
            contests: vec![ContestSpec {
                id: "contest".to_owned(),
                title: "Contest".to_owned(),
                plugin: Hash::of(wasm),
                options: ["a", "b"].map(option).to_vec(),
                params: "{}".to_owned(),
            }],
            eligibility: Eligibility::Registrar {
                registrar: authority.public(),
                open_to: OpenTo::Named,
            },
            revote: Revote::Refuse,
            disclosure: Disclosure::AtClose,
        }),
        3 => Payload::OpenElection { election_id: 1 },
        _ => {
            let election = ledger.election(1).context("the election stands")?;
            let ballot = election.contests()[0].encode_ballot(&json!({ "choice": "a" }))?;
            Payload::CastBallot {
                election_id: 1,
                voter: VoterId(Hash::of(&height.to_be_bytes()).0),
                ballots: vec![ballot],
            }
        }
    })
}

fn describe(report: &LongChainReport) -> String {
    format!(
        "{} blocks, {:.0} MB on disk, written in {:.0} s\n\
         start-up: {:.2} s, after a kill {:.2} s\n\
         resident: {:.0} MB, after catching up {:.0} MB\n\
         catching up: {:.0} blocks a second\n",
        report.blocks,
        report.disk_mb,
        report.written_seconds,
        report.start_seconds,
        report.start_after_kill_seconds,
        report.resident_mb,
        report.synced_resident_mb,
        report.synced_blocks_per_second,
    )
}
