//! `tabella plugin test`: the rule's own tests, and the promises that every plugin keeps.

use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tabella_plugin_tools::conformance;

use super::source::{PluginSource, Trial};
use crate::exit::Exit;
use crate::output::{self, set_in};

/// Run a crate's own tests, then examine its module: any split and merge, order, malformed ballots,
/// limits, and the same answers natively; exits 1 when a promise is broken
///
/// Example: cd my-rule && tabella plugin test
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TestArguments {
    #[command(flatten)]
    plugin: PluginSource,
    #[command(flatten)]
    trial: Trial,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &TestArguments) -> Result<Exit> {
    let source = arguments.plugin.load()?;
    let mut own_tests = None;
    if let Some(folder) = &source.folder {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--quiet"]).current_dir(folder);
        // What they print belongs to people, not into the answer.
        cargo.stdout(std::io::stderr());
        let status = cargo.status().context("cannot start cargo")?;
        own_tests = Some(status.success());
    }
    let plugin = super::runtime()?.load(&source.wasm)?;
    let (config, ballots) = arguments.trial.prepare(&source, plugin.manifest())?;
    let seed = arguments.trial.seed;
    let mut report = conformance::examine(&source.wasm, &config, &ballots, seed)?;
    if let Some(folder) = &source.folder {
        let native = conformance::compare_native(&source.wasm, folder, &config, &ballots, seed)?;
        report.checks.extend(native);
    }
    let passed = report.passed() && own_tests != Some(false);
    if arguments.json {
        output::json(
            &json!({"passed": passed, "own_tests": own_tests, "checks": report.checks,
                "ballots": report.ballots, "seed": report.seed}),
        );
    } else {
        for check in &report.checks {
            match &check.broken {
                None => say!("ok      {}", check.name),
                Some(how) => say!("BROKEN  {}: {}", check.name, set_in(how)),
            }
        }
        match own_tests {
            Some(true) => say!("ok      the crate's own tests"),
            Some(false) => say!("BROKEN  the crate's own tests"),
            None => {}
        }
        say!("{} valid ballots, seed {}", report.ballots, report.seed);
    }
    Ok(match passed {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
