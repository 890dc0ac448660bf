//! The validator's configuration file.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use tabella_consensus::{PeerLimits, Timeouts};
use tabella_http_server::Bounds;
use tabella_protocol::{OpenBallots, PublicKey};

/// Everything a validator is told. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The genesis document.
    pub genesis: PathBuf,
    /// The validator's key file: one line, `0x` and the hex of the 32 secret bytes.
    pub key: PathBuf,
    /// Under which name this node is going to join; needed only where genesis does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// Where the chain, the mempool and the write-ahead log live. One validator, one directory.
    pub data: PathBuf,
    /// Where JSON-RPC, health and metrics are served.
    #[serde(default = "default_rpc_listen")]
    pub rpc_listen: SocketAddr,
    /// Where other validators connect.
    #[serde(default = "default_p2p_listen")]
    pub p2p_listen: SocketAddr,
    /// How others reach `rpc_listen`; told to the bootnodes.
    pub rpc_url: String,
    /// How others reach `p2p_listen`, `host:port`; told to the bootnodes.
    pub p2p_address: String,
    /// URLs of the bootnodes.
    #[serde(default)]
    pub bootnodes: Vec<String>,
    /// Validators whose address is known from elsewhere.
    #[serde(default)]
    pub peers: Vec<StaticPeer>,
    /// How long the steps of a consensus round wait.
    #[serde(default)]
    pub timeouts: TimeoutsConfig,
    /// An idle network decides an empty block this often, in milliseconds.
    #[serde(default = "default_idle_block_ms")]
    pub idle_block_ms: u64,
    /// Most transactions waiting in the mempool; more are refused as `mempool-full`.
    #[serde(default = "default_mempool_transactions_max")]
    pub mempool_transactions_max: usize,
    /// Most bytes of transactions waiting in the mempool.
    #[serde(default = "default_mempool_bytes_max")]
    pub mempool_bytes_max: usize,
    /// Most transactions in a block that this validator builds.
    #[serde(default = "default_block_transactions_max")]
    pub block_transactions_max: usize,
    /// Most connections to `rpc_listen` at once; no more than `http.connections_max` either.
    #[serde(default = "default_rpc_connections_max")]
    pub rpc_connections_max: usize,
    /// Whose requests strangers do not crowd out: the addresses of backends, of which none is among
    /// `peers`. This machine's own are always trusted, and an IPv6 address stands for its /64.
    #[serde(default)]
    pub rpc_trusted_addresses: Vec<IpAddr>,
    /// What connections to `rpc_listen` may hold, and for how long.
    #[serde(default)]
    pub http: Bounds,
    /// Who may read the ballots of elections that show counts at their close, before it, and so the
    /// blocks that hold them; anyone where absent.
    #[serde(default)]
    pub open_ballots: OpenBallots,
    /// Keys that may read them as well, beside authorities, validators and registrars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auditors: Vec<PublicKey>,
    /// What a peer may ask of this node.
    #[serde(default)]
    pub peer_limits: PeerLimitsConfig,
    /// Start although the write-ahead log is missing and the chain is not empty. Only safe when this
    /// key has signed nothing since the data was saved: a validator that signs twice is evidence.
    #[serde(default)]
    pub accept_missing_wal: bool,
}

fn default_rpc_listen() -> SocketAddr {
    ([127, 0, 0, 1], 8001).into()
}

fn default_p2p_listen() -> SocketAddr {
    ([127, 0, 0, 1], 30303).into()
}

fn default_idle_block_ms() -> u64 {
    1_000
}

fn default_mempool_transactions_max() -> usize {
    100_000
}

fn default_mempool_bytes_max() -> usize {
    64 << 20
}

fn default_block_transactions_max() -> usize {
    2_000
}

fn default_rpc_connections_max() -> usize {
    4_096
}

impl Config {
    /// Those whose requests others do not crowd out of a queue: that the configuration names, and
    /// validators that it knows by number.
    pub(crate) fn with_turns(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let peers = self.peers.iter();
        let peers = peers.filter_map(|peer| peer.p2p_address.parse::<SocketAddr>().ok());
        let named = self.rpc_trusted_addresses.iter().copied();
        named.chain(peers.map(|address| address.ip()))
    }

    /// Those for whom places are kept among the connections: a validator may lie, and is bounded like a
    /// stranger.
    pub(crate) fn with_places(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.rpc_trusted_addresses.iter().copied()
    }

    pub(crate) fn http_bounds(&self) -> Bounds {
        Bounds {
            connections_max: self.http.connections_max.min(self.rpc_connections_max),
            ..self.http
        }
    }
}

/// A validator at a known address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticPeer {
    /// Its key, as in genesis.
    pub public_key: PublicKey,
    /// Its consensus address, `host:port`.
    pub p2p_address: String,
}

/// What a peer may ask of this node; one that goes beyond is cut off, counted, and may come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeerLimitsConfig {
    /// Messages of one peer each second; what comes beyond is dropped.
    pub messages_per_second_max: u32,
    /// Malformed or forged messages of one peer each second.
    pub refused_per_second_max: u32,
    /// Connections to `p2p_listen` from one address.
    pub connections_per_address_max: usize,
}

impl Default for PeerLimitsConfig {
    fn default() -> Self {
        let PeerLimits {
            messages_per_second_max,
            refused_per_second_max,
            connections_per_address_max,
        } = PeerLimits::default();
        Self {
            messages_per_second_max,
            refused_per_second_max,
            connections_per_address_max,
        }
    }
}

impl From<&PeerLimitsConfig> for PeerLimits {
    fn from(config: &PeerLimitsConfig) -> Self {
        let PeerLimitsConfig {
            messages_per_second_max,
            refused_per_second_max,
            connections_per_address_max,
        } = *config;
        Self {
            messages_per_second_max,
            refused_per_second_max,
            connections_per_address_max,
        }
    }
}

/// How long the steps of a consensus round wait, in milliseconds. The defaults suit a local network;
/// between distant machines, allow several round trips.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsConfig {
    /// For a proposal and its body.
    pub propose_ms: u64,
    /// For the remaining prevotes, once a quorum disagrees.
    pub prevote_ms: u64,
    /// For the remaining precommits, once a quorum disagrees.
    pub precommit_ms: u64,
    /// What each later round adds to each.
    pub increase_ms: u64,
    /// No step waits longer.
    pub max_ms: u64,
}

impl Default for TimeoutsConfig {
    fn default() -> Self {
        let Timeouts {
            propose_ms,
            prevote_ms,
            precommit_ms,
            increase_ms,
            max_ms,
        } = Timeouts::default();
        Self {
            propose_ms,
            prevote_ms,
            precommit_ms,
            increase_ms,
            max_ms,
        }
    }
}

impl From<&TimeoutsConfig> for Timeouts {
    fn from(config: &TimeoutsConfig) -> Self {
        let TimeoutsConfig {
            propose_ms,
            prevote_ms,
            precommit_ms,
            increase_ms,
            max_ms,
        } = *config;
        Self {
            propose_ms,
            prevote_ms,
            precommit_ms,
            increase_ms,
            max_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::key;

    #[test]
    fn a_validator_among_the_peers_has_its_turns_and_no_places_of_its_own() {
        let config: Config = serde_json::from_value(json!({
            "genesis": "genesis.json",
            "key": "key",
            "data": "data",
            "rpc_url": "http://192.0.2.4:8545",
            "p2p_address": "192.0.2.4:9000",
            "rpc_trusted_addresses": ["192.0.2.1"],
            "peers": [{"public_key": key(2).public(), "p2p_address": "192.0.2.2:9000"}],
        }))
        .unwrap();
        let [named, peer] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        assert_eq!(Vec::from_iter(config.with_turns()), [named, peer]);
        assert_eq!(Vec::from_iter(config.with_places()), [named]);
    }
}
