//! `tabella plugin`: tools for the authors and users of rules.

mod bench;
mod build;
mod check;
mod describe;
pub(crate) mod files;
mod list;
mod new;
mod publish;
mod run;
mod source;
mod test;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use tabella_runtime::{Compiler, Plugin, Runtime, RuntimeConfig};

use crate::exit::Exit;

/// Write, check, run and publish rule plugins
#[derive(Debug, Args)]
pub(crate) struct PluginArguments {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    New(new::NewArguments),
    Build(build::BuildArguments),
    Check(check::CheckArguments),
    List(list::ListArguments),
    Describe(describe::DescribeArguments),
    Run(run::RunArguments),
    Test(test::TestArguments),
    Bench(bench::BenchArguments),
    Publish(publish::PublishArguments),
}

impl PluginArguments {
    /// Runs the command.
    pub(crate) async fn run(&self) -> Result<Exit> {
        match &self.command {
            PluginCommand::New(arguments) => new::run(arguments),
            PluginCommand::Build(arguments) => build::run(arguments),
            PluginCommand::Check(arguments) => check::run(arguments),
            PluginCommand::List(arguments) => list::run(arguments),
            PluginCommand::Describe(arguments) => describe::run(arguments),
            PluginCommand::Run(arguments) => run::run(arguments),
            PluginCommand::Test(arguments) => test::run(arguments),
            PluginCommand::Bench(arguments) => bench::run(arguments),
            PluginCommand::Publish(arguments) => publish::run(arguments).await,
        }
    }
}

/// A runtime with the limits that `tabella init` writes into a genesis. It compiles in this process:
/// a plugin that takes long keeps only its author waiting.
fn runtime() -> Result<Runtime> {
    runtime_of(0)
}

/// The same, with so many threads for a tally; 0 for as many as the machine has processors.
fn runtime_of(tally_threads: usize) -> Result<Runtime> {
    let config = RuntimeConfig {
        compiler: Compiler::InProcess,
        tally_threads,
        ..RuntimeConfig::default()
    };
    Runtime::new(config).context("cannot set up the sandbox")
}

/// The rule of that name, file or folder.
pub(crate) fn loaded(rule: &str, tally_threads: usize) -> Result<Plugin> {
    let source = source::load(rule)?;
    let loaded = runtime_of(tally_threads)?.load(&source.wasm);
    loaded.with_context(|| rule.to_owned())
}
