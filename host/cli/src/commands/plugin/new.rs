//! `tabella plugin new`: a crate with a rule that works.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use tabella_plugin_tools::scaffold;

use crate::exit::Exit;
use crate::output;

/// Write a new crate with a rule that builds, passes its tests and passes every check
///
/// Example: tabella plugin new my-rule && cd my-rule && tabella plugin test
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct NewArguments {
    /// The rule's name: lowercase letters, digits and hyphens
    name: String,
    /// The folder in which the crate's folder is made
    #[arg(long, default_value = ".")]
    parent: PathBuf,
    /// Name the SDK in this folder, such as `sdk` of a checkout of Tabella, instead of writing one into the crate
    #[arg(long)]
    sdk_path: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &NewArguments) -> Result<Exit> {
    let sdk = arguments.sdk_path.as_deref();
    let folder = scaffold::create(&arguments.parent, &arguments.name, sdk)?;
    match arguments.json {
        true => output::json(&json!({"name": arguments.name, "path": folder})),
        false => say!(
            "{} is ready. Next:\n  cd {}\n  tabella plugin test",
            arguments.name,
            folder.display()
        ),
    }
    Ok(Exit::Success)
}
