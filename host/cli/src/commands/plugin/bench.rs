//! `tabella plugin bench`: fuel and time per ballot.

use anyhow::{Context, Result};
use clap::Args;
use tabella_plugin_tools::{bench, sample};

use super::source::{PluginSource, Trial};
use crate::exit::Exit;
use crate::output;

/// Ballots of the measured validations.
const VALIDATIONS: usize = 20_000;

/// Measure fuel and time per ballot against the limits
///
/// Example: tabella plugin bench instant-runoff --tally 1000000
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BenchArguments {
    #[command(flatten)]
    plugin: PluginSource,
    #[command(flatten)]
    trial: Trial,
    /// How many ballots to tally
    #[arg(long, default_value_t = 100_000)]
    tally: usize,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &BenchArguments) -> Result<Exit> {
    let source = arguments.plugin.load()?;
    let runtime = super::runtime()?;
    let plugin = runtime.load(&source.wasm)?;
    let (config, given) = arguments.trial.prepare(&source, plugin.manifest())?;
    let contest = plugin.contest(&config);
    let contest =
        contest.context("the rule does not take the contest; give one with --election")?;
    let mut numbers = sample::Numbers::new(arguments.trial.seed);
    let made = (0..VALIDATIONS).map(|_| sample::ballot(plugin.manifest(), &config, &mut numbers));
    let mut ballots = sample::encode(&contest, &given)?;
    ballots.extend(made.filter_map(|ballot| contest.encode_ballot(&ballot).ok()));
    let figures = bench::measure(&contest, &ballots, arguments.tally, runtime.limits())?;
    if arguments.json {
        output::json(&figures.to_json());
        return Ok(Exit::Success);
    }
    say!(
        "validate  fuel {} on average, {} at most, limit {}; {} ns, {} a second on one thread",
        figures.validate_fuel,
        figures.validate_fuel_most,
        figures.validate_fuel_max,
        figures.validate_ns,
        bench::per_second(figures.validate_ns)
    );
    say!(
        "tally     fuel {} a ballot, {} a batch, limit {}; {} ns a ballot over {} ballots",
        figures.tally_fuel,
        figures.batch_fuel,
        figures.batch_fuel_max,
        figures.tally_ns,
        figures.tally_ballots
    );
    Ok(Exit::Success)
}
