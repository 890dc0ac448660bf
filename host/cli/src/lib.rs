//! The `tabella` command: every role and every tool of a Tabella network in one binary.
//!
//! - `commands`: one file per subcommand; each parses its arguments and runs.
//! - `layout`, `addresses`, `network_files`: the files of a network and how they are first written.
//! - [`dev`]: a network of separate processes on one machine; `ready.json`.
//! - [`http`], [`json_rpc`]: how the tools call the processes; [`chain`]: what validators serve.
//! - `output`: all that is printed, with text from others made harmless to a terminal.
//! - [`load`]: casts many ballots as many voters would; used by `demo`, the laboratory and the tests.
//!
//! The roles themselves are libraries of their own; this crate only starts them.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tabella_cli::{http::Client, json_rpc};
//!
//! let mut validator = Client::new("http://127.0.0.1:8001")?;
//! let height: String =
//!     json_rpc::call(&mut validator, "eth_blockNumber", serde_json::json!([])).await?;
//! # Ok(())
//! # }
//! ```

// See `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod output;

pub mod addresses;
mod authority;
pub mod backend_api;
mod ballot_file;
pub mod chain;
mod commands;
mod config_file;
pub mod dev;
pub mod election_file;
pub mod exit;
pub mod http;
pub mod json_rpc;
pub mod layout;
pub mod load;
mod logging;
pub mod network_files;
mod open_ballots;
pub mod quorum;
mod results;
pub mod shutdown;
mod spool;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit::Exit;

/// Elections whose rules are WebAssembly plugins, on a network of validators.
#[derive(Debug, Parser)]
#[command(name = "tabella", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(commands::init::InitArguments),
    Backend(commands::backend::BackendArguments),
    Dev(commands::dev::DevArguments),
    Demo(commands::demo::DemoArguments),
    Election(commands::election::ElectionArguments),
    Validator(commands::validator::ValidatorArguments),
    /// Run the bootnode, where validators find each other
    Bootnode(commands::role::RoleArguments),
    Backup(commands::backup::BackupArguments),
    Restore(commands::backup::RestoreArguments),
    Health(commands::health::HealthArguments),
    Plugin(commands::plugin::PluginArguments),
    Ballots(commands::ballots::BallotsArguments),
    Verify(commands::verify::VerifyArguments),
    Keys(commands::keys::KeysArguments),
    /// Compile a plugin for the process that started this one
    #[command(hide = true)]
    CompilePlugin,
}

/// Parses the command line, runs the command, answers the exit code: 0 for done or valid, 1 for
/// failed or not valid, 2 for a command line that cannot be understood, 3 where something is missing to decide, 141 where the reader of the output went away. A failure is told on the error
/// output, and with `--json` on the output as `{"error": ...}` too.
pub fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let wants_json = exit::wants_json(&matches);
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments.command) {
        Ok(exit) => exit.into(),
        Err(error) => exit::failure("tabella", &error, wants_json),
    }
}

fn run(command: Command) -> Result<Exit> {
    commands::compile_plugin::use_child_processes()?;
    match command {
        Command::CompilePlugin => commands::compile_plugin::run()?,
        Command::Init(arguments) => commands::init::run(&arguments)?,
        Command::Backup(arguments) => commands::backup::backup(&arguments)?,
        Command::Restore(arguments) => commands::backup::restore(&arguments)?,
        Command::Keys(arguments) => commands::keys::run(&arguments)?,
        Command::Verify(arguments) => return block_on(commands::verify::run(&arguments)),
        Command::Plugin(arguments) => return block_on(arguments.run()),
        Command::Ballots(arguments) => return arguments.run(),
        Command::Validator(arguments) => return block_on(commands::validator::run(&arguments)),
        Command::Health(arguments) => return block_on(commands::health::run(&arguments)),
        Command::Bootnode(arguments) => return block_on(commands::role::bootnode(&arguments)),
        Command::Backend(arguments) => return block_on(commands::backend::run(&arguments)),
        Command::Dev(arguments) => return block_on(commands::dev::run(&arguments)),
        Command::Demo(arguments) => return block_on(commands::demo::run(&arguments)),
        Command::Election(arguments) => return block_on(commands::election::run(&arguments)),
    }
    Ok(Exit::Success)
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}
