//! What a command line means by a plugin, and by a contest to try it in.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use tabella_contest::{ContestConfig, Manifest, StrictJson};
use tabella_election_files::{Election, rule_bytes};
use tabella_plugin_tools::{build, sample};

/// A module and where it comes from.
pub(crate) struct Source {
    pub(crate) wasm: Vec<u8>,
    /// The crate that it was built from.
    pub(crate) folder: Option<PathBuf>,
}

/// Which plugin.
#[derive(Debug, Args)]
pub(crate) struct PluginSource {
    /// A built-in rule's name, a .wasm file, or the folder of a crate, which is built first
    #[arg(default_value = ".")]
    plugin: String,
}

impl PluginSource {
    /// Reads or builds it.
    pub(crate) fn load(&self) -> Result<Source> {
        load(&self.plugin)
    }
}

/// Reads or builds a plugin. A built-in rule comes before a folder of its name, which `./name` means.
pub(crate) fn load(plugin: &str) -> Result<Source> {
    let folder = Path::new(plugin);
    if tabella_plugins::get(plugin).is_none() && folder.is_dir() {
        let built = build::build(folder)?;
        return Ok(Source {
            wasm: built.wasm,
            folder: Some(folder.to_owned()),
        });
    }
    Ok(Source {
        wasm: rule_bytes(plugin)?,
        folder: None,
    })
}

/// A contest and ballots to try a plugin with.
#[derive(Debug, Args)]
pub(crate) struct Trial {
    /// Options and parameters; by default election.json of the crate, else four options
    #[arg(long)]
    election: Option<PathBuf>,
    /// Ballots as JSON lines, besides those that are made from the seed; by default ballots.jsonl
    /// of the crate
    #[arg(long)]
    ballots: Option<PathBuf>,
    /// Where the made ballots start from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl Trial {
    /// The contest and the ballots.
    pub(crate) fn prepare(
        &self,
        source: &Source,
        manifest: &Manifest,
    ) -> Result<(ContestConfig, Vec<Value>)> {
        let of_crate = |name: &str| {
            let path = source.folder.as_ref()?.join(name);
            path.is_file().then_some(path)
        };
        let election = self.election.clone().or_else(|| of_crate("election.json"));
        let config = match election {
            None => sample::contest(manifest.options_min.max(4)),
            Some(path) => {
                let election = Election::read(&path, None)?;
                ContestConfig {
                    options: election.options,
                    params: Value::Object(election.params),
                }
            }
        };
        let ballots = self.ballots.clone().or_else(|| of_crate("ballots.jsonl"));
        let ballots = match ballots {
            None => Vec::new(),
            Some(path) => read_ballots(&path)?,
        };
        Ok((config, ballots))
    }
}

fn read_ballots(path: &Path) -> Result<Vec<Value>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut ballots = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let StrictJson(mut ballot) = serde_json::from_str(line)
            .with_context(|| format!("{}:{number}: cannot read the ballot", path.display()))?;
        if let Some(ballot) = ballot.as_object_mut() {
            ballot.remove("weight");
        }
        ballots.push(ballot);
    }
    Ok(ballots)
}

/// A hash as people and chains write it.
pub(crate) fn hash(bytes: &[u8; 32]) -> String {
    tabella_protocol::Hash(*bytes).to_string()
}
