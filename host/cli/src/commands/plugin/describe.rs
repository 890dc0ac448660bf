//! `tabella plugin describe`: what a plugin says of itself.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::source::{PluginSource, hash};
use crate::exit::Exit;
use crate::output::{self, plain};

/// Show what a plugin says of itself: ballots, parameters, definition
///
/// Example: tabella plugin describe instant-runoff
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DescribeArguments {
    #[command(flatten)]
    plugin: PluginSource,
    /// Answer in JSON, with the schemas of options and parameters
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &DescribeArguments) -> Result<Exit> {
    let source = arguments.plugin.load()?;
    let plugin = super::runtime()?.load(&source.wasm)?;
    let manifest = plugin.manifest();
    if arguments.json {
        let mut answer = manifest.to_json();
        answer["sha256"] = json!(hash(&plugin.sha256()));
        answer["bytes"] = json!(source.wasm.len());
        output::json(&answer);
        return Ok(Exit::Success);
    }
    say!(
        "{} {}: {}",
        plain(&manifest.name),
        plain(&manifest.version),
        plain(&manifest.summary)
    );
    if !manifest.definition.is_empty() {
        say!("definition  {}", plain(&manifest.definition));
    }
    say!("licence     {}", plain(&manifest.licence));
    say!("ballot      {}", manifest.ballot.name());
    say!("sha256      {}", hash(&plugin.sha256()));
    say!("bytes       {}", source.wasm.len());
    let schema = manifest.params_schema();
    for param in &manifest.params {
        let mut about = schema["properties"][&param.name].clone();
        let sentence = about["description"].as_str().unwrap_or_default().to_owned();
        if let Value::Object(about) = &mut about {
            about.remove("description");
        }
        say!(
            "parameter   {}: {} {about}",
            plain(&param.name),
            plain(&sentence)
        );
    }
    Ok(Exit::Success)
}
