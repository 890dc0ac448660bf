//! `tabella dev`: a whole network as separate processes on this machine.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use tabella_protocol::Genesis;

use crate::{
    addresses::Ports,
    dev::{DevNetwork, DevPlan, Ready, Start},
    exit::Exit,
    open_ballots::OpenBallotsArgument,
    output,
    quorum::{QuorumArgument, survives},
    shutdown::{self, Lifetime},
};

/// A process that dies again and again is not started faster than this.
const RESTART_DELAY: Duration = Duration::from_secs(1);

/// Run a whole network on this machine: bootnode, validators and backend, a process each.
///
/// Keys and genesis are made at the first start; later starts go on from the same data. While the
/// network runs, DATA/ready.json says where everything is; logs are in DATA/logs. Ctrl-C stops all.
#[derive(Debug, Args)]
pub(crate) struct DevArguments {
    /// How many validators [default: 3]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=Genesis::VALIDATORS_MAX as i64))]
    validators: Option<u8>,
    /// How many of them must agree [default: majority]
    #[arg(long, value_enum)]
    quorum: Option<QuorumArgument>,
    /// Who may read the ballots of elections that show counts at their close, before it
    #[arg(long, value_enum, default_value = "anyone")]
    open_ballots: OpenBallotsArgument,
    /// An origin whose pages may call the backend, such as http://localhost:5173; once for each
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// The directory of keys, chain, logs and ready.json
    #[arg(long, default_value = ".data/dev")]
    data: PathBuf,
    /// Backend at P, validators from P + 1, bootnode at P + 65, p2p from P + 100
    /// [default: 8000, 8001.., 8546, 30303..]
    #[arg(long, value_name = "P")]
    port_base: Option<u16>,
    /// Start a process again that died
    #[arg(long)]
    restart: bool,
    /// Stop when standard input, a pipe, closes
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

/// Runs the command until it is told to stop.
pub(crate) async fn run(arguments: &DevArguments) -> Result<Exit> {
    let lifetime = match arguments.exit_with_parent {
        true => Lifetime::WithParent,
        false => Lifetime::Independent,
    };
    output::outlive_readers();
    let mut shutdown = Box::pin(shutdown::requested(lifetime)?);
    let plan = DevPlan {
        program: std::env::current_exe().context("cannot find this binary")?,
        data: arguments.data.clone(),
        validators: arguments.validators.map(usize::from),
        quorum: arguments.quorum.map(Into::into),
        open_ballots: arguments.open_ballots.into(),
        cors_origins: arguments.cors_origin.clone(),
        ports: Ports::new(arguments.port_base)?,
        start: Start::Continue,
        host: None,
        sites: Vec::new(),
    };
    let mut network = tokio::select! {
        started = DevNetwork::start(&plan) => started?,
        () = &mut shutdown => return Ok(Exit::Success),
    };
    let ready = tokio::select! {
        ready = network.wait_ready() => ready,
        () = &mut shutdown => return stop(network).await,
    };
    match ready {
        Ok(ready) => announce(&network, &ready),
        Err(error) => {
            network.stop().await;
            return Err(error);
        }
    }
    loop {
        let (name, status) = tokio::select! {
            death = network.next_death() => death,
            () = &mut shutdown => return stop(network).await,
        };
        if let Some(process) = network.process(&name) {
            tell!("{}", process.obituary(status).trim_end());
        }
        if arguments.restart {
            tokio::time::sleep(RESTART_DELAY).await;
            let pid = network.restart(&name)?;
            tell!("{name} started again (pid {pid})");
        } else {
            tell!("{name} stays down; with --restart it would be started again");
        }
    }
}

async fn stop(network: DevNetwork) -> Result<Exit> {
    let killed = network.stop().await;
    if !killed.is_empty() {
        bail!("had to kill {}: see the logs", killed.join(", "));
    }
    say!("stopped");
    Ok(Exit::Success)
}

fn announce(network: &DevNetwork, ready: &Ready) {
    let genesis = network.genesis();
    say!("page         {}/", ready.backend);
    say!("backend      {}", ready.backend);
    for validator in &ready.validators {
        say!("{}  {}", validator.node_id, validator.rpc_url);
    }
    say!(
        "bootnode     {}\nchain id     {}\ngenesis      {}\nadmin token  {}\nlogs         {}",
        ready.bootnode.url,
        genesis.chain_id,
        ready.genesis,
        network.layout().admin_token().display(),
        network.layout().root().join("logs").display()
    );
    output::text(&survives(genesis.quorum, genesis.validators.len()));
    say!(
        "registration is open: whoever reaches the backend may register an account, and vote in elections that say open_to = \"accounts\"; `tabella init` writes a network where it is closed"
    );
    say!(
        "ready: {} says where everything is; Ctrl-C stops it",
        network.layout().ready().display()
    );
}
