//! `tabella plugin`: tools for the authors and users of rules.

mod run;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use tabella_runtime::{Runtime, RuntimeConfig};

use crate::exit::Exit;

/// Write, check, run and publish rule plugins
#[derive(Debug, Args)]
pub(crate) struct PluginArguments {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    Run(run::RunArguments),
}

/// Runs the command.
pub(crate) fn run(arguments: &PluginArguments) -> Result<Exit> {
    match &arguments.command {
        PluginCommand::Run(arguments) => run::run(arguments),
    }
}

/// A runtime with the limits that `tabella init` writes into a genesis.
fn runtime() -> Result<Runtime> {
    Runtime::new(RuntimeConfig::default()).context("cannot set up the sandbox")
}
