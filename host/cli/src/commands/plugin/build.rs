//! `tabella plugin build`: from a crate to a module.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use tabella_plugin_tools::build;
use tabella_runtime::PluginLimits;

use super::source::hash;
use crate::exit::Exit;
use crate::output;

/// Compile a crate to the module that every machine builds alike; installs the Wasm target when missing
///
/// Example: tabella plugin build my-rule --out my-rule.wasm
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BuildArguments {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Copy the module here besides
    #[arg(long)]
    out: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &BuildArguments) -> Result<Exit> {
    let built = build::build(&arguments.folder)?;
    if built.installed_target {
        tell!("installed the target wasm32-unknown-unknown");
    }
    let mut path = built.path;
    if let Some(out) = &arguments.out {
        std::fs::write(out, &built.wasm)
            .with_context(|| format!("cannot write {}", out.display()))?;
        path.clone_from(out);
    }
    let (bytes, most) = (
        built.wasm.len() as u64,
        PluginLimits::default().module_bytes,
    );
    let sha256 = hash(&built.sha256);
    match arguments.json {
        true => output::json(
            &json!({"path": path, "bytes": bytes, "bytes_max": most, "sha256": sha256}),
        ),
        false => say!(
            "{}\n{bytes} bytes of at most {most}\nsha256 {sha256}",
            path.display()
        ),
    }
    Ok(match bytes <= most {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
