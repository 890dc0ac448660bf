//! `tabella-lab chaos`: a network under load and under faults, and a check that nothing was lost.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use tabella_protocol::Quorum;

use super::ChaosPlan;
use tabella_cli::{
    addresses::Ports,
    quorum::QuorumArgument,
    shutdown::{self, Lifetime},
};

/// Ports far from the documented ones, where the network shares this machine's.
const PORT_BASE: u16 = 26_000;
/// Says that the process was started again inside namespaces of its own.
const ISOLATED: &str = "--isolated";

/// Torment a network of real processes, and check that it lost nothing.
///
/// Starts bootnode, validators and backend, casts votes through REST, and meanwhile brings about faults,
/// by a schedule that follows from the seed and is printed as it goes:
///
///   processes        killed with SIGKILL (one, several, all), stopped and continued
///   links            cut, slow, flapping
///   disks            full, wiped: the validator must observe before it signs again
///   clocks           wrong by up to two hours
///   lying validator  one at a time lies to the backend about each thing in turn
///   hostile client   floods with costly reads, slow heads, unfinished bodies, idle connections, unread
///                    streams, logins
///
/// After each fault the network must recover by itself. A validator whose lie contradicts a certificate
/// must be named by the backend, no other lie may have an effect, nobody honest may be named. No process
/// may hold more than a gibibyte of memory. In the end every acknowledged ballot must be on every validator
/// exactly once and of the choice that was cast, and all blocks must be equal.
///
/// Example: tabella-lab chaos --minutes 10 --seed 7
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ChaosArguments {
    /// How long
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
    /// What the schedule follows from [default: a random one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// How many validators
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    validators: u8,
    /// How many of them must agree
    #[arg(long, value_enum, default_value = "majority")]
    quorum: QuorumArgument,
    /// How many votes are cast each second at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    votes_per_second: u32,
    /// How many submissions are under way at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    concurrency: u16,
    /// The size of each validator's disk, in memory
    #[arg(long, default_value_t = 512)]
    disk_mb: u32,
    /// The first port
    #[arg(long, value_name = "P", default_value_t = PORT_BASE)]
    port_base: u16,
    /// Where to make the network's directory, which is kept where something failed [default: the
    /// system's directory for temporary files]
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Answer in JSON, after the progress
    #[arg(long)]
    json: bool,
    /// Set by the command itself
    #[arg(long, hide = true)]
    isolated: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &ChaosArguments) -> Result<()> {
    if !arguments.isolated {
        super::isolate(ISOLATED)?;
    }
    let mut shutdown = Box::pin(shutdown::requested(Lifetime::Independent)?);
    let seed = arguments
        .seed
        .unwrap_or_else(|| rand::random_range(1..=u64::from(u32::MAX)));
    let plan = ChaosPlan {
        seed,
        lasts: Duration::from_secs(arguments.minutes * 60),
        validators: usize::from(arguments.validators),
        quorum: Quorum::from(arguments.quorum),
        votes_per_second: arguments.votes_per_second,
        concurrency: usize::from(arguments.concurrency),
        disk_mb: arguments.disk_mb,
        ports: Ports::new(Some(arguments.port_base))?,
        isolated: arguments.isolated,
    };
    let parent = arguments
        .directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("tabella-chaos-{}", std::process::id()));
    println!(
        "seed {seed}, {} minutes, {} validators, in {}",
        arguments.minutes,
        plan.validators,
        directory.display()
    );
    let outcome = tokio::select! {
        outcome = super::run(&plan, &directory) => outcome,
        () = &mut shutdown => Err(anyhow::anyhow!("interrupted")),
    };
    let report = outcome.with_context(|| {
        format!(
            "seed {seed}; logs are in {}",
            directory.join("logs").display()
        )
    })?;
    remove(&directory)?;
    match arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", report.describe()),
    }
    Ok(())
}

/// Removes the directory; mounts in it go with this process.
fn remove(directory: &std::path::Path) -> Result<()> {
    for index in 1.. {
        let disk = directory.join("data").join(format!("validator-{index}"));
        if !disk.exists() {
            break;
        }
        // Not a mount where the machine did not let the run make one.
        let _ = std::process::Command::new("umount").arg(&disk).output();
    }
    std::fs::remove_dir_all(directory)
        .with_context(|| format!("cannot remove {}", directory.display()))
}
