//! `tabella init`: the files of a new network.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use tabella_protocol::{Genesis, Quorum};

use crate::{
    addresses::{Addresses, Ports},
    layout::Layout,
    network_files::{DataDirectories, Web, create_network, write_configs},
    open_ballots::OpenBallotsArgument,
    output,
    quorum::{QuorumArgument, survives},
};

/// Write genesis, keys and one configuration per process for a new network.
///
/// Copy to each machine genesis.json, its own configuration and its own key, and nothing else.
///
/// Example: tabella init --validators 3 --quorum majority --out network
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct InitArguments {
    /// How many validators
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=Genesis::VALIDATORS_MAX as i64))]
    validators: u8,
    /// How many of them must agree
    #[arg(long, value_enum, default_value = "majority")]
    quorum: QuorumArgument,
    /// The directory to write; it must not hold a network
    #[arg(long)]
    out: PathBuf,
    /// Where a validator is reached: once for all of them, or once for each, in order
    /// [default: 127.0.0.1]
    #[arg(long)]
    host: Vec<String>,
    /// Where the backend is reached [default: the first validator's host]
    #[arg(long, value_name = "HOST")]
    backend_host: Option<String>,
    /// Where the bootnode is reached [default: the first validator's host]
    #[arg(long, value_name = "HOST")]
    bootnode_host: Option<String>,
    /// Backend at P, validators from P + 1, bootnode at P + 65, p2p from P + 100
    /// [default: 8000, 8001.., 8546, 30303..]
    #[arg(long, value_name = "P")]
    port_base: Option<u16>,
    /// A name for people
    #[arg(long, default_value = "tabella")]
    name: String,
    /// Who may read the ballots of elections that show counts at their close, before it
    #[arg(long, value_enum, default_value = "anyone")]
    open_ballots: OpenBallotsArgument,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &InitArguments) -> Result<()> {
    let layout = Layout::new(&arguments.out);
    if arguments.out.exists() && arguments.out.read_dir()?.next().is_some() {
        bail!(
            "{} is not empty; nothing was written, choose another directory",
            arguments.out.display()
        );
    }
    let count = usize::from(arguments.validators);
    let ports = Ports::new(arguments.port_base)?;
    let addresses = Addresses::new(count, &arguments.host, ports)?.place(
        arguments.backend_host.as_ref(),
        arguments.bootnode_host.as_ref(),
    )?;
    let quorum = Quorum::from(arguments.quorum);
    let genesis = create_network(
        &layout,
        &arguments.name,
        quorum,
        &addresses,
        DataDirectories::Later,
    )?;
    let open_ballots = arguments.open_ballots.into();
    write_configs(&layout, &addresses, &Web::default(), open_ballots)?;
    if arguments.json {
        let answer = json!({
            "network": genesis.network,
            "chain_id": genesis.chain_id,
            "genesis": genesis.hash(),
            "out": arguments.out,
            "survives": {
                "crashed": quorum.tolerates_crashed(count),
                "byzantine": quorum.tolerates_byzantine(count),
            },
        });
        output::json(&answer);
        return Ok(());
    }

    say!(
        "network {:?}, chain id {}, genesis {}\nwritten to {}\n",
        genesis.network,
        genesis.chain_id,
        genesis.hash(),
        arguments.out.display()
    );
    output::text(&survives(quorum, count));
    if !arguments.host.is_empty() {
        output::text(&who_needs_what(&addresses));
    }
    say!(
        "\nOnce for each validator, where it is going to run, because its key has never signed:\n\
         `tabella validator --config {0}/validator-1.toml --first-start` and so on.\n\
         Then: `tabella validator --config {0}/validator-1.toml` and so on,\n\
         `tabella bootnode --config {0}/bootnode.toml`, `tabella backend --config {0}/backend.toml`.\n\
         The files in {0}/keys are secrets; the administrator's token is {0}/keys/admin-token.",
        arguments.out.display()
    );
    Ok(())
}

/// Which files go to which host, and none but these.
fn who_needs_what(addresses: &Addresses) -> String {
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut needs = |host, more: &[&str]| {
        let of_host = files.entry(host).or_default();
        of_host.extend(more.iter().map(|file| (*file).to_owned()));
    };
    for validator in &addresses.validators {
        let (config, key) = (
            format!("{}.toml", validator.node_id),
            format!("keys/{}.key", validator.node_id),
        );
        needs(&validator.host, &[&config, &key]);
    }
    needs(&addresses.bootnode_host, &["bootnode.toml"]);
    needs(
        &addresses.backend_host,
        &[
            "backend.toml",
            "keys/registrar.key",
            "keys/authority.key",
            "keys/admin-token",
            "keys/master-secret",
        ],
    );
    let mut text =
        "\nCopy to each host, keeping the directories, and nothing else to it:\n".to_owned();
    for (host, files) in files {
        text.push_str(&format!("  {host}: genesis.json {}\n", files.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_gets_its_own_files_and_no_other_key() {
        let hosts = ["a.example", "b.example"].map(str::to_owned);
        let backend = "front.example".to_owned();
        let ports = Ports::new(None).unwrap();
        let addresses = Addresses::new(2, &hosts, ports).unwrap();
        let addresses = addresses.place(Some(&backend), None).unwrap();
        let told = who_needs_what(&addresses);
        let expected = "\nCopy to each host, keeping the directories, and nothing else to it:
  a.example: genesis.json validator-1.toml keys/validator-1.key bootnode.toml
  b.example: genesis.json validator-2.toml keys/validator-2.key
  front.example: genesis.json backend.toml keys/registrar.key keys/authority.key keys/admin-token keys/master-secret
";
        assert_eq!(told, expected);
    }
}
