//! `tabella validator`: runs one, or asks a running one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tabella_files::{read_genesis, read_key};
use tabella_protocol::{
    Payload, PeerRecord,
    rpc::{EvidenceView, NodeStatus, Standing, ValidatorsView},
};

use super::{
    membership::{self, MembershipCommand},
    role::{self, RoleArguments},
};
use crate::{exit::Exit, http::Client, json_rpc, quorum::survives};

/// Run a validator (with --config), or ask a running one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ValidatorArguments {
    #[command(subcommand)]
    command: Option<ValidatorCommand>,
    #[command(flatten)]
    role: Option<RoleArguments>,
    /// Say that this key has never signed anything, and make its empty data directory; then start the
    /// validator without this. One whose directory is empty, and of which nobody said so, follows the
    /// others before it signs
    #[arg(long, requires = "config")]
    first_start: bool,
}

#[derive(Debug, Subcommand)]
enum ValidatorCommand {
    /// Where it stands: height, peers, mempool, and which faults the network survives
    Status(Asked),
    /// The validators it knows of, and where they are
    Peers(Asked),
    /// Contradictions of validators that it holds; exits 1 where there are any
    ///
    /// Example: tabella validator evidence --rpc http://127.0.0.1:8001 --out evidence
    #[command(verbatim_doc_comment)]
    Evidence {
        #[command(flatten)]
        asked: Asked,
        /// Write each into a file of this directory, for `tabella verify evidence`
        #[arg(long)]
        out: Option<PathBuf>,
        /// Put on the chain what is not there yet, signed with this key file of an authority
        #[arg(long, value_name = "AUTHORITY")]
        submit: Option<PathBuf>,
    },
    #[command(flatten)]
    Membership(MembershipCommand),
}

#[derive(Debug, Args)]
struct Asked {
    /// The validator's JSON-RPC URL
    #[arg(long, default_value = "http://127.0.0.1:8001")]
    rpc: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &ValidatorArguments) -> Result<Exit> {
    match &arguments.command {
        None => {
            let role = arguments.role.as_ref();
            let role = role.context("expected --config FILE or a subcommand")?;
            match arguments.first_start {
                true => first_start(role),
                false => role::validator(role).await,
            }
        }
        Some(ValidatorCommand::Status(asked)) => status(asked).await,
        Some(ValidatorCommand::Peers(asked)) => peers(asked).await,
        Some(ValidatorCommand::Evidence { asked, out, submit }) => {
            evidence(asked, out.as_deref(), submit.as_deref()).await
        }
        Some(ValidatorCommand::Membership(command)) => membership::run(command).await,
    }
}

/// Makes the data directory of a key that has never signed.
fn first_start(role: &RoleArguments) -> Result<Exit> {
    let config = role::validator_config(role)?;
    let genesis = read_genesis(&config.genesis)?;
    let key = read_key(&config.key)?;
    tabella_validator::first_start(&config.data, genesis.hash(), key.public())?;
    println!(
        "{} is ready for the first start of {}; start it now, without --first-start",
        config.data.display(),
        key.public()
    );
    Ok(Exit::Success)
}

impl Asked {
    async fn call<T: DeserializeOwned>(&self, method: &str) -> Result<T> {
        let mut client = Client::new(&self.rpc)?;
        Ok(json_rpc::call(&mut client, method, json!([])).await?)
    }
}

async fn status(asked: &Asked) -> Result<Exit> {
    let status: NodeStatus = asked.call("tabella_nodeStatus").await?;
    let set: ValidatorsView = asked.call("tabella_getValidators").await?;
    let ready = Client::new(&asked.rpc)?.get("/health/ready").await?;
    if asked.json {
        let answer = json!({"status": status, "validators": set, "health": ready.json()});
        println!("{answer}");
        return Ok(Exit::Success);
    }
    let state = match (status.standing, ready.is_success()) {
        (Standing::Halted, _) => "has stopped signing: see `tabella validator evidence`",
        (Standing::Outside, _) => "is not a validator: it does not vote, and serves reads",
        (Standing::Joining, _) => "is about to become a validator",
        (Standing::Leaving, _) => "is about to leave the validators",
        (Standing::Validator, true) => "ready",
        (Standing::Validator, false) => "not ready: no new blocks come",
    };
    println!(
        "{}  {state}\nheight     {} ({})\nblock      {}\nstate      {}\npeers      {} of {}\n\
         mempool    {} transactions\nkey        {}\nnetwork    {} (chain id {})\nversion    {}",
        status.node_id,
        status.height,
        age(&ready.json()),
        status.block_hash,
        status.state_root,
        status.peers,
        set.validators.len().saturating_sub(1),
        status.mempool,
        status.public_key,
        status.genesis,
        status.chain_id,
        status.version
    );
    print!("{}", soundness(&status));
    print!("{}", survives(set.quorum, set.validators.len()));
    for validator in &set.validators {
        println!("{:<14}{}", validator.node_id, validator.public_key);
    }
    for later in &set.scheduled {
        let names: Vec<_> = later
            .validators
            .iter()
            .map(|v| v.node_id.as_str())
            .collect();
        println!(
            "from block {}: {} under {}",
            later.from_height,
            names.join(", "),
            later.quorum.name()
        );
    }
    Ok(Exit::Success)
}

/// What the node found of damaged data and of outcomes that differ, a line each.
fn soundness(status: &NodeStatus) -> String {
    let damage = status.damage.iter();
    let damage = damage.map(|damage| format!("damaged    {damage}\n"));
    let own = status.dissents.iter();
    let own =
        own.map(|id| format!("dissents   it counted election {id} otherwise than the others\n"));
    let others = status.dissenters.iter();
    let others = others.map(|of| {
        let (name, id) = (&of.node_id, of.election_id);
        format!("dissenter  {name} attested another outcome of election {id} than the others\n")
    });
    damage.chain(own).chain(others).collect()
}

fn age(health: &Value) -> String {
    match health["block_age_ms"].as_u64() {
        Some(age_ms) => format!("{:.1} s old", age_ms as f64 / 1e3),
        None => "age unknown".to_owned(),
    }
}

async fn peers(asked: &Asked) -> Result<Exit> {
    let peers: Vec<PeerRecord> = asked.call("tabella_getPeers").await?;
    if asked.json {
        println!("{}", json!(peers));
        return Ok(Exit::Success);
    }
    let status: NodeStatus = asked.call("tabella_nodeStatus").await?;
    println!(
        "{} validators are connected, the addresses of {} are known",
        status.peers,
        peers.len()
    );
    for peer in peers {
        println!(
            "{:<14}{:<28}{:<32}{}",
            peer.node_id, peer.p2p_address, peer.rpc_url, peer.public_key
        );
    }
    Ok(Exit::Success)
}

async fn evidence(asked: &Asked, out: Option<&Path>, submit: Option<&Path>) -> Result<Exit> {
    let mut evidence: Vec<EvidenceView> = asked.call("tabella_getEvidence").await?;
    if let Some(directory) = out {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        for found in &evidence {
            let name = format!("evidence-{}-{}.json", found.height, found.id.short());
            let path = directory.join(name);
            std::fs::write(&path, found.file.to_json())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    if let Some(authority) = submit {
        let authority = read_key(authority)?;
        let mut client = Client::new(&asked.rpc)?;
        for found in evidence.iter_mut().filter(|found| !found.on_chain) {
            let payload = Payload::SubmitEvidence(Box::new(found.file.evidence.clone()));
            membership::send(&mut client, &authority, payload).await?;
            found.on_chain = true;
        }
    }
    if asked.json {
        println!("{}", json!(evidence));
    } else if evidence.is_empty() {
        println!("no validator contradicted itself or this one");
    } else {
        for found in &evidence {
            let liars = match found.liars.as_slice() {
                [] => "proves that someone lied, but not who".to_owned(),
                liars => {
                    let keys: Vec<_> = liars.iter().map(ToString::to_string).collect();
                    format!("proves that {} lied", keys.join(" and "))
                }
            };
            let place = if found.on_chain {
                "on the chain"
            } else {
                "not on the chain"
            };
            println!(
                "{} at height {}: {liars} ({place})\n  {}",
                found.kind, found.height, found.id
            );
        }
    }
    Ok(match evidence.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
