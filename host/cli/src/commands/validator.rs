//! `tabella validator`: runs one, or asks a running one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tabella_files::{read_genesis, read_key};
use tabella_protocol::{
    EvidenceFile, Payload, PeerRecord,
    rpc::{EvidenceView, NodeStatus, Standing, ValidatorsView},
};

use super::{
    membership::{self, MembershipCommand},
    newcomer::{self, NewArguments},
    role::{self, RoleArguments},
};
use crate::{
    exit::Exit,
    http::Client,
    json_rpc,
    output::{self, plain},
    quorum::survives,
};

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
        /// With --submit: what this file holds, as --out wrote it, instead of what the validator holds; may be repeated
        #[arg(
            long = "file",
            value_name = "FILE",
            requires = "submit",
            conflicts_with = "out"
        )]
        files: Vec<PathBuf>,
    },
    New(NewArguments),
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
        Some(ValidatorCommand::Evidence {
            asked,
            out,
            submit,
            files,
        }) => match submit {
            Some(authority) if !files.is_empty() => submit_files(asked, authority, files).await,
            _ => evidence(asked, out.as_deref(), submit.as_deref()).await,
        },
        Some(ValidatorCommand::New(arguments)) => {
            newcomer::run(arguments)?;
            Ok(Exit::Success)
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
    say!(
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
        output::json(&answer);
        return Ok(Exit::Success);
    }
    // One that is not in the set has all of it as its peers.
    let others = set.validators.iter();
    let others = others.filter(|other| other.public_key != status.public_key);
    let state = state(status.standing, status.signing, ready.is_success());
    say!(
        "{}  {state}\nheight     {} ({})\nblock      {}\nstate      {}\npeers      {} of {}\n\
         mempool    {} transactions\nkey        {}\nnetwork    {} (chain id {})\nversion    {}",
        plain(&status.node_id),
        status.height,
        age(&ready.json()),
        status.block_hash,
        status.state_root,
        status.peers,
        others.count(),
        status.mempool,
        status.public_key,
        status.genesis,
        status.chain_id,
        plain(&status.version)
    );
    output::text(&soundness(&status));
    output::text(&survives(set.quorum, set.validators.len()));
    for validator in &set.validators {
        say!("{:<14}{}", plain(&validator.node_id), validator.public_key);
    }
    for later in &set.scheduled {
        let names: Vec<_> = later
            .validators
            .iter()
            .map(|v| v.node_id.as_str())
            .collect();
        say!(
            "from block {}: {} under {}",
            later.from_height,
            plain(&names.join(", ")),
            later.quorum.name()
        );
    }
    Ok(Exit::Success)
}

/// What a node is doing, for people.
fn state(standing: Standing, is_signing: bool, is_ready: bool) -> &'static str {
    match standing {
        Standing::Halted => "has stopped signing: see `tabella validator evidence`",
        Standing::Outside => "is not a validator: it does not vote, and serves reads",
        Standing::Joining => "is about to become a validator",
        Standing::Validator | Standing::Leaving if !is_signing => {
            "follows the chain without signing: it catches up, or its data was restored and it waits until it \
             hears from a quorum of the others"
        }
        Standing::Leaving => "is about to leave the validators",
        Standing::Validator if is_ready => "ready",
        Standing::Validator => "not ready: no new blocks come",
    }
}

/// What the node found of damaged data and of outcomes that differ, a line each.
fn soundness(status: &NodeStatus) -> String {
    let damage = status.damage.iter();
    let damage = damage.map(|damage| format!("damaged    {}\n", plain(&damage.to_string())));
    let own = status.dissents.iter();
    let own =
        own.map(|id| format!("dissents   it counted election {id} otherwise than the others\n"));
    let others = status.dissenters.iter();
    let others = others.map(|of| {
        let (name, id) = (plain(&of.node_id), of.election_id);
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
        output::json(&json!(peers));
        return Ok(Exit::Success);
    }
    let status: NodeStatus = asked.call("tabella_nodeStatus").await?;
    say!(
        "{} validators are connected, the addresses of {} are known",
        status.peers,
        peers.len()
    );
    for peer in peers {
        say!(
            "{:<14}{:<28}{:<32}{}",
            plain(&peer.node_id),
            plain(&peer.p2p_address),
            plain(&peer.rpc_url),
            peer.public_key
        );
    }
    Ok(Exit::Success)
}

/// Puts on the chain the evidence that files hold. All are read before the first goes out.
async fn submit_files(asked: &Asked, authority: &Path, files: &[PathBuf]) -> Result<Exit> {
    let authority = read_key(authority)?;
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let read = EvidenceFile::from_json(&text);
        read.with_context(|| format!("in {}", file.display()))
    };
    let held = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut client = Client::new(&asked.rpc)?;
    let mut done = Vec::new();
    for (file, held) in files.iter().zip(held) {
        let id = held.evidence.subject();
        let payload = Payload::SubmitEvidence(Box::new(held.evidence));
        let sent = membership::send(&mut client, &authority, payload).await;
        let (_, height) = sent.with_context(|| format!("the evidence in {}", file.display()))?;
        done.push(json!({"file": file, "id": id, "on_chain": true, "block": height}));
        if !asked.json {
            let file = file.display().to_string();
            say!(
                "{}: evidence {id} is on the chain, in block {height}",
                plain(&file)
            );
        }
    }
    if asked.json {
        output::json(&json!(done));
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
        output::json(&json!(evidence));
    } else if evidence.is_empty() {
        say!("no validator contradicted itself or this one");
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
            say!(
                "{} at height {}: {liars} ({place})\n  {}",
                plain(&found.kind),
                found.height,
                found.id
            );
        }
    }
    Ok(match evidence.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_does_not_sign_yet_is_not_said_to_lack_blocks() {
        for standing in [Standing::Validator, Standing::Leaving] {
            let told = state(standing, false, false);
            assert!(
                told.starts_with("follows the chain without signing"),
                "{told}"
            );
        }
        assert_eq!(state(Standing::Validator, true, true), "ready");
        assert!(state(Standing::Validator, true, false).starts_with("not ready"));
    }
}
