//! Writes the files of a new network: genesis, keys, secrets and one configuration per process.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tabella_backend::Registration;
use tabella_files::{write_key, write_secret};
use tabella_protocol::{
    Genesis, Hash, OpenBallots, PluginLimits, Quorum, SigningKey, ValidatorInfo,
};

use crate::{
    addresses::{Addresses, ValidatorAddress, listen_address},
    layout::Layout,
};

/// How far ahead of the chain a transaction's expiry height may lie.
const EXPIRY_HEIGHTS_MAX: u64 = 100_000;
/// Largest encoded block: a few thousand ballots, decided in tens of milliseconds on a LAN.
const BLOCK_BYTES_MAX: u32 = 1 << 20;
/// Ethereum wallets refuse chain ids above this one.
const WALLET_CHAIN_ID_MAX: u64 = 4_503_599_627_370_476;

/// What becomes of the validators' data directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataDirectories {
    /// They are made and marked: the validators start here, now, for the first time.
    FirstStart,
    /// They are left to whoever starts the validators.
    Later,
}

/// Creates keys, secrets and the genesis document. Nothing that exists is replaced.
pub fn create_network(
    layout: &Layout,
    name: &str,
    quorum: Quorum,
    addresses: &Addresses,
    data: DataDirectories,
) -> Result<Genesis> {
    if layout.genesis().exists() || layout.keys().exists() {
        bail!(
            "{} holds a network already; nothing was written, choose another directory",
            layout.root().display()
        );
    }
    let keys: Vec<SigningKey> = addresses
        .validators
        .iter()
        .map(|_| SigningKey::generate())
        .collect();
    let authority = SigningKey::generate();
    let genesis = Genesis {
        version: Genesis::VERSION,
        chain_id: rand::random_range(1..=WALLET_CHAIN_ID_MAX),
        network: name.to_owned(),
        timestamp_ms: tabella_clock::now_ms(),
        quorum,
        validators: addresses
            .validators
            .iter()
            .zip(&keys)
            .map(|(address, key)| ValidatorInfo {
                node_id: address.node_id.clone(),
                public_key: key.public(),
            })
            .collect(),
        authorities: vec![authority.public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: BLOCK_BYTES_MAX,
        expiry_heights_max: EXPIRY_HEIGHTS_MAX,
    };
    genesis.check()?;

    create_directory(layout.root())?;
    create_directory(&layout.keys())?;
    for (address, key) in addresses.validators.iter().zip(&keys) {
        write_key(&layout.validator_key(&address.node_id), key)?;
    }
    write_key(&layout.authority_key(), &authority)?;
    write_key(&layout.registrar_key(), &SigningKey::generate())?;
    write_secret(&layout.admin_token(), &random_secret())?;
    write_secret(&layout.master_secret(), &random_secret())?;
    if data == DataDirectories::FirstStart {
        for validator in &genesis.validators {
            let data = layout.data(&validator.node_id);
            tabella_validator::first_start(&data, genesis.hash(), validator.public_key)?;
        }
    }
    // Last, so that a directory with a genesis document is a complete one.
    write_file(&layout.genesis(), &genesis.to_json())?;
    Ok(genesis)
}

/// Who may call the backend, beside those whom administrators name.
#[derive(Debug, Default)]
pub struct Web {
    /// Whether anybody may register an account.
    pub registration: Registration,
    /// Origins whose pages may call it.
    pub cors_origins: Vec<String>,
}

/// Writes the configuration of every process, replacing what is there.
pub fn write_configs(
    layout: &Layout,
    addresses: &Addresses,
    web: &Web,
    open_ballots: OpenBallots,
) -> Result<()> {
    let bootnodes = [addresses.bootnode_url()];
    for address in &addresses.validators {
        let mut others = addresses.validators.iter();
        let file = ValidatorFile {
            address,
            shares_host: others
                .any(|other| other.node_id != address.node_id && other.host == address.host),
            bootnodes: &bootnodes,
            open_ballots,
            membership: Membership::Genesis,
        };
        write_file(&layout.config(&address.node_id), &validator_config(&file))?;
    }
    write_file(&layout.config("bootnode"), &bootnode_config(addresses))?;
    let backend = backend_config(addresses, web, open_ballots);
    write_file(&layout.config("backend"), &backend)
}

const HEADER: &str = "Relative paths start at this file. Unknown keys are refused.";

/// How a validator comes into its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    /// Genesis names it.
    Genesis,
    /// `tabella validator add` adds it to a network that runs.
    Joins,
}

/// What differs between the configurations of a network's validators.
#[derive(Debug)]
pub(crate) struct ValidatorFile<'a> {
    pub(crate) address: &'a ValidatorAddress,
    /// Whether another validator is reached at the same host.
    pub(crate) shares_host: bool,
    pub(crate) bootnodes: &'a [String],
    pub(crate) open_ballots: OpenBallots,
    pub(crate) membership: Membership,
}

/// The configuration file of one validator.
pub(crate) fn validator_config(file: &ValidatorFile<'_>) -> String {
    let address = file.address;
    let node_id = &address.node_id;
    let (joins, name_default) = match file.membership {
        Membership::Genesis => (String::new(), NAME_DEFAULT),
        Membership::Joins => (
            format!(
                "# Its name, under which `tabella validator add` adds it.\nnode_id = \"{node_id}\"\n\n"
            ),
            "",
        ),
    };
    format!(
        r#"# {node_id}: run it with `tabella validator --config {node_id}.toml`.
# {HEADER}

# The network, and the key that signs for this validator. One key runs on one machine only.
genesis = "genesis.json"
key = "keys/{node_id}.key"

{joins}# The chain, the mempool and the consensus log. Losing it while the key is known to the network is
# dangerous: see docs/operating.md.
data = "data/{node_id}"

# JSON-RPC, health and metrics; and consensus between validators.
rpc_listen = "{rpc_listen}"
p2p_listen = "{p2p_listen}"

# How others reach these two.
rpc_url = "{rpc_url}"
p2p_address = "{p2p_address}"

# Where validators find each other.
bootnodes = {bootnodes}

{OPEN_BALLOTS}open_ballots = "{open_ballots}"

# What follows are the defaults; remove the mark to change one.

{name_default}{VALIDATOR_DEFAULTS}{peer_limits}"#,
        open_ballots = file.open_ballots.name(),
        peer_limits = peer_limits(file.shares_host),
        rpc_listen = listen_address(&address.host, address.rpc_port),
        p2p_listen = listen_address(&address.host, address.p2p_port),
        rpc_url = address.rpc_url(),
        p2p_address = address.p2p_address(),
        bootnodes = json!(file.bootnodes),
    )
}

const OPEN_BALLOTS: &str = r#"# Who may read the ballots of elections that show counts at their close, before it: "anyone", or "readers".
# All validators and backends of a network need the same: see docs/operating.md.
"#;

/// The name of a validator that genesis names.
const NAME_DEFAULT: &str = r#"# The name of a validator that joins a running network; `tabella validator new` writes it. Those of
# genesis have theirs there.
# node_id = "validator-4"

"#;

/// Every other key with its default, for operators to change.
const VALIDATOR_DEFAULTS: &str = r#"# An idle network decides an empty block this often.
#idle_block_ms = 1000

# The mempool: most transactions and bytes that wait here; more are refused as `mempool-full`.
#mempool_transactions_max = 100000
#mempool_bytes_max = 67108864

# Most transactions in a block that this validator builds. Its bytes are bounded in genesis.
#block_transactions_max = 2000

# Most connections to rpc_listen at once. A request has at most 4 MiB and a batch at most 1000 calls,
# for all validators alike.
#rpc_connections_max = 4096

# Addresses of backends on other machines. A part of the reads and submissions is theirs, however many
# strangers ask, such as ["192.0.2.10"]; this machine is always trusted.
#rpc_trusted_addresses = []

# Keys of auditors, who may read what open_ballots keeps to readers, beside authorities, validators and
# registrars.
#auditors = []

# Start although the write-ahead log is missing and the chain is not empty. A validator that signs
# twice is evidence against itself: see docs/operating.md before you set this.
#accept_missing_wal = false

# A validator whose address is not told by a bootnode, once for each.
#[[peers]]
#public_key = "0x..."
#p2p_address = "validator-9.example:30303"

# How long the steps of a consensus round wait, and what each later round adds. These suit one local
# network; between distant machines allow several round trips.
#[timeouts]
#propose_ms = 150
#prevote_ms = 50
#precommit_ms = 50
#increase_ms = 50
#max_ms = 10000

# What connections to rpc_listen may hold, and for how long: see docs/operating.md.
#[http]
#connections_max = 16384
#connections_per_address_max = 2048
#head_timeout_ms = 10000
#body_timeout_ms = 20000
#idle_timeout_ms = 75000
#write_timeout_ms = 20000
#bytes_per_second_min = 16384
#body_bytes_in_all_max = 268435456
#answer_bytes_in_all_max = 268435456
"#;

/// What peers may ask. Validators of one host come from one address.
fn peer_limits(shares_host: bool) -> String {
    let (table, connections) = match shares_host {
        true => (
            "[peer_limits]",
            "# Validators share this machine's address; 16 where they do not.\n\
             connections_per_address_max = 128",
        ),
        false => ("#[peer_limits]", "#connections_per_address_max = 16"),
    };
    format!(
        r#"
# A validator that sends more than this is cut off and counted, and may come back.
{table}
#messages_per_second_max = 2000
#refused_per_second_max = 200
{connections}
"#
    )
}

const REGISTRATION_CLOSED: &str = r#"# Whether anybody may register an account: "open" or "closed". Where it is closed, administrators create
# accounts and registrars name voters. An account votes in elections that say open_to = "accounts", or on
# whose roll it stands as an account.
registration = "closed"
"#;

const REGISTRATION_OPEN: &str = r#"# OPEN, because `tabella dev` wrote this: anybody who reaches the backend may register an account. `tabella
# init` writes "closed". An account votes in elections that say open_to = "accounts", or on whose roll it
# stands as an account.
registration = "open"
"#;

/// Every other key of a backend with its default. It stands before the validators, which are tables.
const BACKEND_DEFAULTS: &str = r#"# What follows are the defaults; remove the mark to change one.

# A PostgreSQL database that several backends share, each with the same keys and secrets and a data
# directory of its own: see docs/operating.md. Without it, a file in the data directory.
# database = "postgres://tabella:password@db.example/tabella"

# How long a submission waits for its confirmation before it is answered as pending.
#confirmation_wait_ms = 2000

# The pause between two health checks of a validator.
#health_period_ms = 500

# How long tokens are good for, in seconds. A session ends refresh_token_s after its login.
#access_token_s = 3600
#refresh_token_s = 2592000

# Web origins whose pages may call this backend, such as "https://vote.example".
#cors_origins = []

# Reverse proxies whose x-forwarded-for is believed, such as "127.0.0.1/32" or "10.0.0.0/8". Without
# it, all who come through a proxy count as one address.
#trusted_proxies = []

# How often one address (an IPv6 network of 64 bits counts as one) and one voter may ask: so many at
# once, and so many a minute in the long run; per_minute = 0 sets no limit. This machine itself is not
# limited by address. account_logins counts wrong logins of one address into one account, revotes the
# ballots of one voter in one election that takes several.
#rate_limits.address = { burst = 50000, per_minute = 60000 }
#rate_limits.address_logins = { burst = 10000, per_minute = 1200 }
#rate_limits.account = { burst = 60, per_minute = 120 }
#rate_limits.account_logins = { burst = 10, per_minute = 10 }
#rate_limits.revotes = { burst = 20, per_minute = 2 }

# Most clients that follow /api/events at once, in all and of one address, and for how long before they
# connect again.
#event_subscribers_max = 1000
#event_subscribers_per_address_max = 200
#event_session_s = 3600

# Most exports and whole boards that are sent at once, in all and to one address.
#streams_max = 64
#streams_per_address_max = 8

# What connections may hold, and for how long: see docs/operating.md.
#http.connections_max = 16384
#http.connections_per_address_max = 2048
#http.head_timeout_ms = 10000
#http.body_timeout_ms = 20000
#http.idle_timeout_ms = 75000
#http.write_timeout_ms = 20000
#http.bytes_per_second_min = 16384
#http.body_bytes_in_all_max = 268435456
#http.answer_bytes_in_all_max = 268435456
"#;

fn bootnode_config(addresses: &Addresses) -> String {
    format!(
        r#"# The bootnode: run it with `tabella bootnode --config bootnode.toml`.
# {HEADER}

genesis = "genesis.json"
listen = "{}"

# What connections may hold, and for how long; these are the defaults: see docs/operating.md.
#[http]
#connections_max = 16384
#connections_per_address_max = 2048
#head_timeout_ms = 10000
#body_timeout_ms = 20000
#idle_timeout_ms = 75000
#write_timeout_ms = 20000
#bytes_per_second_min = 16384
#body_bytes_in_all_max = 268435456
#answer_bytes_in_all_max = 268435456
"#,
        listen_address(&addresses.bootnode_host, addresses.bootnode_port)
    )
}

fn backend_config(addresses: &Addresses, web: &Web, open_ballots: OpenBallots) -> String {
    let registration = match web.registration {
        Registration::Closed => REGISTRATION_CLOSED,
        Registration::Open => REGISTRATION_OPEN,
    };
    let defaults = match web.cors_origins.as_slice() {
        [] => BACKEND_DEFAULTS.to_owned(),
        origins => {
            let named = format!("\ncors_origins = {}\n", json!(origins));
            BACKEND_DEFAULTS.replacen("\n#cors_origins = []\n", &named, 1)
        }
    };
    let mut text = format!(
        r#"# The backend: run it with `tabella backend --config backend.toml`.
# {HEADER}

genesis = "genesis.json"

# Signs the ballots of voters whom the backend authenticated; and administers elections.
registrar_key = "keys/registrar.key"
authority_key = "keys/authority.key"

# The token of the first administrator, and the secret behind voters' pseudonyms.
admin_token_file = "keys/admin-token"
master_secret_file = "keys/master-secret"

data = "data/backend"
listen = "{}"

bootnodes = ["{}"]

{registration}
{OPEN_BALLOTS}open_ballots = "{}"

{defaults}"#,
        listen_address(&addresses.backend_host, addresses.backend_port),
        addresses.bootnode_url(),
        open_ballots.name(),
    );
    for address in &addresses.validators {
        text.push_str(&backend_entry(address));
    }
    text
}

/// What a backend's configuration says of one validator, from an empty line on.
pub(crate) fn backend_entry(address: &ValidatorAddress) -> String {
    format!(
        "\n[[validators]]\nnode_id = \"{}\"\nrpc_url = \"{}\"\np2p_url = \"{}\"\n",
        address.node_id,
        address.backend_rpc_url(),
        address.p2p_url()
    )
}

/// 32 random bytes as hex, for tokens and secrets.
pub fn random_secret() -> String {
    Hash(rand::random()).to_string()
}

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
