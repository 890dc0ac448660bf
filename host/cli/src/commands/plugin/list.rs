//! `tabella plugin list`: the rules that this program brings.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tabella_protocol::Hash;

use crate::exit::Exit;
use crate::output;

/// List the built-in rules; `describe` tells about one
///
/// Example: tabella plugin list
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ListArguments {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &ListArguments) -> Result<Exit> {
    let rules = tabella_plugins::all().iter();
    let rules: Vec<(&str, usize, String)> = rules
        .map(|rule| (rule.name, rule.wasm.len(), Hash::of(rule.wasm).to_string()))
        .collect();
    if arguments.json {
        let rules = rules.iter();
        let rules: Value = rules
            .map(|(name, bytes, sha256)| json!({"name": name, "bytes": bytes, "sha256": sha256}))
            .collect();
        output::json(&rules);
        return Ok(Exit::Success);
    }
    for (name, bytes, sha256) in rules {
        say!("{name:<17}  {bytes:>6} bytes  sha256 {sha256}");
    }
    Ok(Exit::Success)
}
