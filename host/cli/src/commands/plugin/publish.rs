//! `tabella plugin publish`: puts a module on the chain through a backend.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use serde_json::json;
use tabella_files::read_secret;
use tabella_protocol::Hash;

use super::source::PluginSource;

use crate::{
    authority::Authority,
    backend_api::BackendApi,
    exit::Exit,
    output::{self, plain},
};

/// Publish a module on the chain through a backend, after checking it
///
/// Example: tabella plugin publish my-rule.wasm --token-file network/keys/admin-token
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct PublishArguments {
    #[command(flatten)]
    plugin: PluginSource,
    /// URL of the backend
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    backend: String,
    /// An administrator's token
    #[arg(long, env = "TABELLA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the token, such as keys/admin-token of `tabella init`; it goes before --token
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// Sign here with an authority's key, where the backend holds none
    #[arg(long, requires = "genesis")]
    authority: Option<PathBuf>,
    /// The genesis document of the network that --authority administers
    #[arg(long, requires = "authority")]
    genesis: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &PublishArguments) -> Result<Exit> {
    let token = match &arguments.token_file {
        Some(file) => Some(read_secret(file)?),
        None => arguments.token.clone(),
    };
    if token.is_none() {
        bail!("expected an administrator's token: give --token-file, --token or TABELLA_TOKEN");
    }
    let source = arguments.plugin.load()?;
    // Every reason at once, before anything is sent.
    let plugin = super::runtime()?.load(&source.wasm)?;
    let mut api = BackendApi::new(&arguments.backend, token.as_deref())?;
    let signer = arguments
        .authority
        .as_deref()
        .zip(arguments.genesis.as_deref());
    let hash = Hash::of(&source.wasm);
    let answer = match signer {
        Some((key, genesis)) => {
            let authority = Authority::read(key, genesis)?;
            authority.publish(&mut api, source.wasm).await?
        }
        None => json!(api.publish(source.wasm).await?),
    };
    match arguments.json {
        true => output::json(&answer),
        false => say!(
            "{} {} is published as {}",
            plain(&plugin.manifest().name),
            plain(&plugin.manifest().version),
            hash
        ),
    }
    Ok(Exit::Success)
}
