//! `tabella validator add | remove | readdress | quorum`: changes of the validator set, signed by an
//! authority and sent to a validator.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_files::read_key;
use tabella_protocol::{
    Hash, HexBytes, NodeAddress, Payload, PublicKey, SigningKey, Transaction, TransactionBody,
    VALIDATOR_CHANGE_DELAY, ValidatorChange, ValidatorInfo,
    rpc::{NodeStatus, Standing, TransactionStatus, ValidatorsView},
};

use crate::{chain, exit::Exit, http::Client, json_rpc, output, quorum::QuorumArgument};

/// How many heights such a transaction stays valid.
const EXPIRY_HEIGHTS: u64 = 100;
/// How long the network may take to put it into a block.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a newcomer may stay at one height below the network's.
const STANDSTILL_MAX: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Subcommand)]
pub(crate) enum MembershipCommand {
    /// Add a validator, which must run already: it follows the chain and votes from then on
    ///
    /// It is asked at --rpc-url before anything is signed.
    ///
    /// Example: tabella validator add validator-4 0x8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c
    ///   --p2p d.example:30303 --rpc-url http://d.example:8001 --authority network/keys/authority.key
    #[command(verbatim_doc_comment)]
    Add {
        /// Its name
        node_id: String,
        /// Its public key, as `tabella keys generate` showed it
        public_key: PublicKey,
        #[command(flatten)]
        address: AddressArguments,
        /// Add it though it does not answer here: until it has started and caught up, it counts as crashed
        #[arg(long)]
        without_asking: bool,
        #[command(flatten)]
        sender: Sender,
    },
    /// Remove a validator: it stops voting and still serves reads
    ///
    /// Example: tabella validator remove validator-4 --authority network/keys/authority.key
    #[command(verbatim_doc_comment)]
    Remove {
        /// Its name or public key
        validator: String,
        #[command(flatten)]
        sender: Sender,
    },
    /// Tell the network that a validator is at another address
    ///
    /// Example: tabella validator readdress validator-2 --p2p e.example:30303
    ///   --rpc-url http://e.example:8001 --authority network/keys/authority.key
    #[command(verbatim_doc_comment)]
    Readdress {
        /// Its name or public key
        validator: String,
        #[command(flatten)]
        address: AddressArguments,
        #[command(flatten)]
        sender: Sender,
    },
    /// Change how many validators must agree; bft needs at least four
    ///
    /// Example: tabella validator quorum bft --authority network/keys/authority.key
    #[command(verbatim_doc_comment)]
    Quorum {
        /// The rule
        quorum: QuorumArgument,
        #[command(flatten)]
        sender: Sender,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddressArguments {
    /// Where the other validators connect, host:port
    #[arg(long)]
    p2p: String,
    /// Where its JSON-RPC is reached
    #[arg(long)]
    rpc_url: String,
}

/// Who signs, and to whom it is sent.
#[derive(Debug, Args)]
pub(crate) struct Sender {
    /// The key file of an authority that genesis names
    #[arg(long)]
    authority: PathBuf,
    /// JSON-RPC URL of any validator
    #[arg(long, default_value = "http://127.0.0.1:8001")]
    rpc: String,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(command: &MembershipCommand) -> Result<Exit> {
    let sender = match command {
        MembershipCommand::Add { sender, .. }
        | MembershipCommand::Remove { sender, .. }
        | MembershipCommand::Readdress { sender, .. }
        | MembershipCommand::Quorum { sender, .. } => sender,
    };
    let mut client = Client::new(&sender.rpc)?;
    let set: ValidatorsView =
        json_rpc::call(&mut client, "tabella_getValidators", json!([])).await?;
    let address = |address: &AddressArguments| NodeAddress {
        p2p_address: address.p2p.clone(),
        rpc_url: address.rpc_url.clone(),
    };
    let change = match command {
        MembershipCommand::Add {
            node_id,
            public_key,
            address: arguments,
            without_asking,
            ..
        } => {
            let validator = ValidatorInfo {
                node_id: node_id.clone(),
                public_key: *public_key,
            };
            if !without_asking {
                require_running(&mut client, &validator, &arguments.rpc_url).await?;
            }
            ValidatorChange::Add {
                validator,
                address: address(arguments),
            }
        }
        MembershipCommand::Remove { validator, .. } => ValidatorChange::Remove {
            public_key: find(&set, validator)?,
        },
        MembershipCommand::Readdress {
            validator,
            address: arguments,
            ..
        } => ValidatorChange::Readdress {
            public_key: find(&set, validator)?,
            address: address(arguments),
        },
        MembershipCommand::Quorum { quorum, .. } => ValidatorChange::SetQuorum {
            quorum: (*quorum).into(),
        },
    };
    let payload = Payload::ChangeValidators {
        changes: vec![change],
    };
    let (id, height) = send(&mut client, &read_key(&sender.authority)?, payload).await?;
    let from_height = height + VALIDATOR_CHANGE_DELAY;
    match sender.json {
        true => output::json(
            &json!({"transaction_id": id, "height": height, "from_height": from_height}),
        ),
        false => say!("decided in block {height}; it holds from block {from_height} on"),
    }
    Ok(Exit::Success)
}

/// Requires that the newcomer runs, with this key and for this network, and has the network's chain: one that does
/// not counts as crashed from the first height of the new set on.
async fn require_running(
    network: &mut Client,
    newcomer: &ValidatorInfo,
    rpc_url: &str,
) -> Result<()> {
    let node_id = &newcomer.node_id;
    let asked = chain::node_status(rpc_url).await;
    let status = asked.with_context(|| {
        format!(
            "{node_id} does not answer, and was not added: from then on it would count as crashed, so that one crash \
             more could stop the network; start it first, or, where it runs and {rpc_url} cannot be reached from \
             here, say --without-asking"
        )
    })?;
    let known: NodeStatus = json_rpc::call(network, "tabella_nodeStatus", json!([])).await?;
    let wrong = |what: &str, expected: String, got: String| {
        anyhow!(
            "the node at {rpc_url} has another {what}: expected {expected}, got {got}; {node_id} was not added: \
             compare its configuration with what this command says"
        )
    };
    if status.genesis != known.genesis {
        let (expected, got) = (known.genesis.to_string(), status.genesis.to_string());
        return Err(wrong("genesis", expected, got));
    }
    if status.public_key != newcomer.public_key {
        let (expected, got) = (
            newcomer.public_key.to_string(),
            status.public_key.to_string(),
        );
        return Err(wrong("key", expected, got));
    }
    if status.standing == Standing::Halted || !status.damage.is_empty() {
        bail!(
            "{node_id} runs and is not fit to vote, and was not added: its chain is damaged or another than this \
             network's; its log and `tabella validator status --rpc {rpc_url}` say more"
        );
    }
    require_following(newcomer, rpc_url, known.height).await
}

/// Waits for a newcomer that fetches the chain, and refuses one that does not come to `height`.
async fn require_following(newcomer: &ValidatorInfo, rpc_url: &str, height: u64) -> Result<()> {
    let node_id = &newcomer.node_id;
    let (mut at, mut since) = (0, Instant::now());
    loop {
        let asked = chain::node_status(rpc_url).await;
        let status = asked.with_context(|| format!("{node_id} stopped, and was not added"))?;
        if status.height >= height {
            return Ok(());
        }
        if status.height > at {
            (at, since) = (status.height, Instant::now());
        } else if since.elapsed() >= STANDSTILL_MAX {
            bail!(
                "{node_id} does not follow the network, and was not added: it stays at block {at} and the network is \
                 at {height}; in the set it would count as crashed. Its log says which bootnodes it cannot reach; \
                 `bootnodes` and `[[peers]]` in its configuration say where the others are"
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The key of a validator, now or of a set decided for later, by its name or key.
fn find(set: &ValidatorsView, validator: &str) -> Result<PublicKey> {
    if let Ok(key) = validator.parse() {
        return Ok(key);
    }
    let scheduled = set.scheduled.iter().flat_map(|set| &set.validators);
    let known: Vec<_> = set.validators.iter().chain(scheduled).collect();
    let found = known.iter().rev().find(|known| known.node_id == validator);
    found.map(|known| known.public_key).ok_or_else(|| {
        let names: Vec<_> = set.validators.iter().map(|v| v.node_id.as_str()).collect();
        anyhow!(
            "expected the name or the public key of a validator, got {validator:?}; there are: {}",
            names.join(", ")
        )
    })
}

/// Signs `payload`, sends it, and waits for the block that takes it. Returns its id and the height.
pub(crate) async fn send(
    client: &mut Client,
    authority: &SigningKey,
    payload: Payload,
) -> Result<(Hash, u64)> {
    let status: NodeStatus = json_rpc::call(client, "tabella_nodeStatus", json!([])).await?;
    let body = TransactionBody::new(status.chain_id, status.height + EXPIRY_HEIGHTS, payload);
    let bytes = Transaction::sign(body, authority).to_bytes();
    let params = json!([HexBytes(bytes)]);
    let id: Hash = json_rpc::call(client, "eth_sendRawTransaction", params).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status: TransactionStatus =
            json_rpc::call(client, "tabella_getTransactionStatus", json!([id])).await?;
        match status {
            TransactionStatus::Confirmed { height, .. } => return Ok((id, height)),
            TransactionStatus::Rejected { code, reason } => {
                bail!("refused as {}: {reason}", code.as_str())
            }
            TransactionStatus::Unknown | TransactionStatus::Pending
                if Instant::now() < deadline =>
            {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            TransactionStatus::Unknown | TransactionStatus::Pending => bail!(
                "transaction {id} is in no block after {PATIENCE:?}; it stays valid for \
                 {EXPIRY_HEIGHTS} blocks: ask `tabella validator status` whether the network decides"
            ),
        }
    }
}
