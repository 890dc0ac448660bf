//! `tabella validator`: runs one, or asks a running one.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tabella_protocol::{
    PeerRecord,
    rpc::{EvidenceView, NodeStatus, ValidatorsView},
};

use super::role::{self, RoleArguments};
use crate::{exit::Exit, http::Client, json_rpc, quorum::survives};

/// Run a validator (with --config), or ask a running one.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ValidatorArguments {
    #[command(subcommand)]
    command: Option<ValidatorCommand>,
    #[command(flatten)]
    role: Option<RoleArguments>,
}

#[derive(Debug, Subcommand)]
enum ValidatorCommand {
    /// Where it stands: height, peers, mempool, and which faults the network survives
    Status(Asked),
    /// The validators it knows of, and where they are
    Peers(Asked),
    /// Contradictions of validators that it holds; exits 1 where there are any
    Evidence(Asked),
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
            role::validator(role.context("expected --config FILE or a subcommand")?).await
        }
        Some(ValidatorCommand::Status(asked)) => status(asked).await,
        Some(ValidatorCommand::Peers(asked)) => peers(asked).await,
        Some(ValidatorCommand::Evidence(asked)) => evidence(asked).await,
    }
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
    let state = match (status.signing, ready.is_success()) {
        (false, _) => "has stopped signing: see `tabella validator evidence`",
        (true, true) => "ready",
        (true, false) => "not ready: no new blocks come",
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
    print!("{}", survives(set.quorum, set.validators.len()));
    Ok(Exit::Success)
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
        "{} of {} known validators are connected",
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

async fn evidence(asked: &Asked) -> Result<Exit> {
    let evidence: Vec<EvidenceView> = asked.call("tabella_getEvidence").await?;
    if asked.json {
        println!("{}", json!(evidence));
    } else if evidence.is_empty() {
        println!("no validator contradicted itself or this one");
    } else {
        for found in &evidence {
            println!("{}", serde_json::to_string_pretty(found)?);
        }
    }
    Ok(match evidence.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
