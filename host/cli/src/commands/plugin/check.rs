//! `tabella plugin check`: whether validators would load a module.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tabella_runtime::LoadError;

use super::source::{PluginSource, hash};
use crate::exit::Exit;
use crate::output::{self, plain};

/// Say everything for which validators would refuse a module; exits 1 when there is anything
///
/// Example: tabella plugin check my-rule.wasm
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    plugin: PluginSource,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &CheckArguments) -> Result<Exit> {
    let source = arguments.plugin.load()?;
    let violations: Vec<(Option<String>, String)> = match super::runtime()?.load(&source.wasm) {
        Ok(plugin) => {
            let manifest = plugin.manifest();
            let (bytes, sha256) = (source.wasm.len(), hash(&plugin.sha256()));
            match arguments.json {
                true => output::json(
                    &json!({"valid": true, "name": manifest.name, "version": manifest.version,
                        "bytes": bytes, "sha256": sha256, "violations": []}),
                ),
                false => say!(
                    "{} {} is a plugin: {bytes} bytes, sha256 {sha256}",
                    plain(&manifest.name),
                    plain(&manifest.version)
                ),
            }
            return Ok(Exit::Success);
        }
        Err(LoadError::Refused(report)) => {
            let violations = report.violations.into_iter();
            violations.map(|v| (v.function, v.message)).collect()
        }
        Err(LoadError::Host(fault)) => return Err(fault.into()),
        Err(error) => vec![(None, error.to_string())],
    };
    if arguments.json {
        let violations = violations.iter();
        let violations: Value = violations
            .map(|(function, message)| json!({"function": function, "message": message}))
            .collect();
        output::json(&json!({"valid": false, "violations": violations}));
        return Ok(Exit::Refused);
    }
    say!("REFUSED for {} reasons:", violations.len());
    for (function, message) in &violations {
        match function {
            Some(function) => say!("- function {} {}", plain(function), plain(message)),
            None => say!("- {}", plain(message)),
        }
    }
    Ok(Exit::Refused)
}
