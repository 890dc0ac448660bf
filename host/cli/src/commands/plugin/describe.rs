//! `tabella plugin describe`: what a plugin says of itself.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::source::{PluginSource, hash};
use crate::exit::Exit;

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
        println!("{answer}");
        return Ok(Exit::Success);
    }
    println!(
        "{} {}: {}",
        manifest.name, manifest.version, manifest.summary
    );
    if !manifest.definition.is_empty() {
        println!("definition  {}", manifest.definition);
    }
    println!("licence     {}", manifest.licence);
    println!("ballot      {}", manifest.ballot.name());
    println!("sha256      {}", hash(&plugin.sha256()));
    println!("bytes       {}", source.wasm.len());
    let schema = manifest.params_schema();
    for param in &manifest.params {
        let mut about = schema["properties"][&param.name].clone();
        let sentence = about["description"].as_str().unwrap_or_default().to_owned();
        if let Value::Object(about) = &mut about {
            about.remove("description");
        }
        println!("parameter   {}: {sentence} {about}", param.name);
    }
    Ok(Exit::Success)
}
