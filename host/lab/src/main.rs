//! The `tabella-lab` command: measures and torments networks of real processes.
//!
//! - `bench`: votes per second, and what each costs; `soak`: whether anything grows.
//! - `chaos`: a network under faults, liars and floods, and what must hold at the end.
//! - `long_chain`: what a long history costs.
//! - `scene`: the network and the election that are tried, of the `product`'s binary; `machine`, `usage`: what
//!   this machine can do, and what processes have used.

mod bench;
mod chaos;
mod long_chain;
mod machine;
mod product;
mod scene;
mod soak;
mod usage;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tabella_cli::exit;

/// Measure and torment Tabella networks of real processes on this machine.
#[derive(Debug, Parser)]
#[command(name = "tabella-lab", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(bench::BenchArguments),
    Soak(soak::SoakArguments),
    Chaos(chaos::command::ChaosArguments),
    LongChain(long_chain::LongChainArguments),
}

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure("tabella-lab", &error, exit::wants_json(&matches)),
    }
}

fn run(command: Command) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(async {
            match command {
                Command::Bench(arguments) => bench::run(&arguments).await,
                Command::Soak(arguments) => soak::run(&arguments).await,
                Command::Chaos(arguments) => chaos::command::run(&arguments).await,
                Command::LongChain(arguments) => long_chain::run(&arguments).await,
            }
        })
}
