//! `tabella validator new`: the configuration and the key of a validator that is to join a network that runs.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use tabella_files::{read_genesis, write_key};
use tabella_protocol::{Genesis, NODE_ID_BYTES_MAX, OpenBallots, SigningKey};

use crate::{
    addresses::{Ports, ValidatorAddress, check_host},
    config_file::read_config,
    layout::Layout,
    network_files::{
        Membership, ValidatorFile, backend_entry, create_directory, validator_config, write_file,
    },
    open_ballots::OpenBallotsArgument,
    output::{self, plain},
};

/// What the names of validators begin with where nobody chose others; a number follows.
const NAME_PREFIX: &str = "validator-";

/// Write the configuration and the key of a validator that is to join a running network
///
/// It is named, placed and told of the others after the files in DIRECTORY, as `tabella init` wrote them. On
/// another machine genesis.json is enough there, with --bootnode. The network hears nothing: what comes next is
/// printed.
///
/// Example: tabella validator new --network network --host d.example
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct NewArguments {
    /// The directory that holds genesis.json; the files are written there
    #[arg(long, value_name = "DIRECTORY")]
    network: PathBuf,
    /// Its name [default: validator-N, one more than those that are known]
    #[arg(long, value_name = "NAME")]
    node_id: Option<String>,
    /// Where it is reached [default: the host of the others, where all have the same one]
    #[arg(long)]
    host: Option<String>,
    /// The port of its JSON-RPC [default: the next one on its host]
    #[arg(long, value_name = "PORT")]
    rpc_port: Option<u16>,
    /// The port where the other validators connect [default: the next one on its host]
    #[arg(long, value_name = "PORT")]
    p2p_port: Option<u16>,
    /// URL of a bootnode, once for each [default: those of the others]
    #[arg(long, value_name = "URL")]
    bootnode: Vec<String>,
    /// Who may read the ballots of elections that show counts at their close, before it [default: as the others]
    #[arg(long, value_enum)]
    open_ballots: Option<OpenBallotsArgument>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &NewArguments) -> Result<()> {
    let layout = Layout::new(&arguments.network);
    let genesis = read_genesis(&layout.genesis())?;
    let known = Known::read(&layout, &genesis)?;
    let node_id = name(arguments.node_id.as_deref(), &known.names)?;
    let address = known.place(&node_id, arguments)?;
    let bootnodes = match (&*arguments.bootnode, &*known.bootnodes) {
        ([], []) => bail!(
            "expected --bootnode URL: no configuration of a validator in {} names one",
            layout.root().display()
        ),
        ([], known) => known.to_vec(),
        (given, _) => given.to_vec(),
    };
    let config = layout.config(&node_id);
    let key_file = layout.validator_key(&node_id);
    for file in [&config, &key_file, &layout.data(&node_id)] {
        ensure!(
            !file.exists(),
            "{} exists; nothing was written, choose another --node-id",
            file.display()
        );
    }

    let text = validator_config(&ValidatorFile {
        address: &address,
        shares_host: known.addresses.iter().any(|at| at.host == address.host),
        bootnodes: &bootnodes,
        open_ballots: match arguments.open_ballots {
            Some(chosen) => chosen.into(),
            None => known.open_ballots.unwrap_or_default(),
        },
        membership: Membership::Joins,
    });
    let key = SigningKey::generate();
    create_directory(&layout.keys())?;
    write_key(&key_file, &key)?;
    write_file(&config, &text)?;
    let is_in_backend = name_in_backend(&layout.config("backend"), &address)?;
    let public_key = key.public();
    if arguments.json {
        output::json(&json!({
            "node_id": node_id,
            "public_key": public_key,
            "config": config,
            "key": key_file,
            "rpc_url": address.rpc_url(),
            "p2p_address": address.p2p_address(),
            "backend_names_it": is_in_backend,
        }));
        return Ok(());
    }

    let directory = arguments.network.display();
    let directory = plain(&directory.to_string()).to_string();
    let (rpc_url, p2p_address) = (address.rpc_url(), address.p2p_address());
    say!(
        "{node_id}, with the key {public_key}\n\
         written to {directory}/{node_id}.toml and {directory}/keys/{node_id}.key, which is a secret\n\n\
         Where it is going to run, beside genesis.json, once and then always:\n  \
         tabella validator --config {directory}/{node_id}.toml --first-start\n  \
         tabella validator --config {directory}/{node_id}.toml\n\
         While it runs, with the key of an authority and the --rpc of a validator:\n  \
         tabella validator add {node_id} {public_key} \\\n    \
         --p2p {p2p_address} --rpc-url {rpc_url} --authority {directory}/keys/authority.key"
    );
    match is_in_backend {
        true => say!(
            "{directory}/backend.toml names it from now on: restart the backend once it is a validator."
        ),
        false => say!(
            "In backend.toml, before the backend is restarted:\n{}",
            backend_entry(&address).trim_end()
        ),
    }
    Ok(())
}

/// The name that was asked for, or the next number.
fn name(given: Option<&str>, names: &BTreeSet<String>) -> Result<String> {
    let Some(given) = given else {
        let numbers = names.iter().filter_map(|name| {
            let digits = name.strip_prefix(NAME_PREFIX)?;
            digits.parse::<u32>().ok()
        });
        let next = numbers.max().unwrap_or_default().saturating_add(1);
        return Ok(format!("{NAME_PREFIX}{next}"));
    };
    // It names files as well, and stands in TOML.
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ensure!(
        given.len() <= NODE_ID_BYTES_MAX
            && given.bytes().all(is_plain)
            && given.starts_with(|first: char| first.is_ascii_alphanumeric()),
        "expected a name of at most {NODE_ID_BYTES_MAX} letters, digits and -_. that begins with a letter or a \
         digit, got {given:?}"
    );
    ensure!(
        !names.contains(given) && !["backend", "bootnode"].contains(&given),
        "{given} is taken; nothing was written, choose another --node-id"
    );
    Ok(given.to_owned())
}

/// What the files of a network say of those that are there.
#[derive(Debug, Default)]
struct Known {
    names: BTreeSet<String>,
    addresses: Vec<ValidatorAddress>,
    bootnodes: Vec<String>,
    open_ballots: Option<OpenBallots>,
}

impl Known {
    fn read(layout: &Layout, genesis: &Genesis) -> Result<Self> {
        let mut known = Self::default();
        let named = genesis.validators.iter();
        known.names.extend(named.map(|v| v.node_id.clone()));
        let backend = layout.config("backend");
        if backend.exists() {
            let (config, _) = read_config::<tabella_backend::Config>(&backend)?;
            let named = config.validators.into_iter().map(|v| v.node_id);
            known.names.extend(named);
            known.bootnodes = config.bootnodes;
            known.open_ballots = Some(config.open_ballots);
        }
        for file in configs(layout.root())? {
            let (config, _) = read_config::<tabella_validator::Config>(&file)?;
            let stem = file.file_stem().unwrap_or_default().to_string_lossy();
            let node_id = config.node_id.unwrap_or_else(|| stem.into_owned());
            let (host, _) = config.p2p_address.rsplit_once(':').with_context(|| {
                let (file, got) = (file.display(), &config.p2p_address);
                format!("in {file}: expected a p2p_address host:port, got {got:?}")
            })?;
            known.names.insert(node_id.clone());
            known.addresses.push(ValidatorAddress {
                host: host.to_owned(),
                rpc_port: config.rpc_listen.port(),
                p2p_port: config.p2p_listen.port(),
                node_id,
                front: None,
            });
            known.bootnodes = config.bootnodes;
            known.open_ballots = Some(config.open_ballots);
        }
        Ok(known)
    }

    /// Where the newcomer listens: beside the others on its host, or on the ports of the others elsewhere.
    fn place(&self, node_id: &str, arguments: &NewArguments) -> Result<ValidatorAddress> {
        let hosts: BTreeSet<&str> = self.addresses.iter().map(|at| at.host.as_str()).collect();
        let host = match &arguments.host {
            Some(host) => host.clone(),
            None if hosts.len() > 1 => bail!(
                "expected --host HOST: the validators are on {}",
                Vec::from_iter(hosts).join(", ")
            ),
            None => hosts.first().copied().unwrap_or("127.0.0.1").to_owned(),
        };
        check_host(&host)?;
        let usual = Ports::new(None)?;
        let port = |given: Option<u16>, usual: u16, of: fn(&ValidatorAddress) -> u16| {
            let there = self.addresses.iter().filter(|at| at.host == host).map(of);
            let elsewhere = self.addresses.iter().map(of).min();
            given.map_or_else(
                || match there.max() {
                    Some(last) => last
                        .checked_add(1)
                        .context("expected --rpc-port and --p2p-port: the last port is taken"),
                    None => Ok(elsewhere.unwrap_or(usual)),
                },
                Ok,
            )
        };
        Ok(ValidatorAddress {
            node_id: node_id.to_owned(),
            rpc_port: port(arguments.rpc_port, usual.rpc_first, |at| at.rpc_port)?,
            p2p_port: port(arguments.p2p_port, usual.p2p_first, |at| at.p2p_port)?,
            host,
            front: None,
        })
    }
}

/// The configurations of validators in a directory, as `tabella init` and this command name them.
fn configs(directory: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(NAME_PREFIX) && name.ends_with(".toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Adds a validator at the end of a backend's configuration. Returns whether the file is here and names it now.
fn name_in_backend(file: &Path, address: &ValidatorAddress) -> Result<bool> {
    if !file.exists() {
        return Ok(false);
    }
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let before = text.strip_suffix('\n').unwrap_or(&text);
    let entry = backend_entry(address);
    // A list on one line, as people may write it, cannot be continued so.
    let Ok(config) = toml::from_str::<tabella_backend::Config>(&format!("{before}\n{entry}"))
    else {
        return Ok(false);
    };
    ensure!(
        config
            .validators
            .iter()
            .any(|named| named.node_id == address.node_id),
        "{} would not name {}",
        file.display(),
        address.node_id
    );
    let missing_end = if text.ends_with('\n') { "" } else { "\n" };
    let appended = File::options()
        .append(true)
        .open(file)
        .and_then(|mut file| file.write_all(format!("{missing_end}{entry}").as_bytes()));
    appended.with_context(|| format!("cannot write {}", file.display()))?;
    Ok(true)
}
