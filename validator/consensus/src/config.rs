//! How one node takes part in consensus.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use arc_malachitebft_core_types::LinearTimeouts;
use tabella_protocol::{Hash, PublicKey, SigningKey};
use tokio_util::sync::CancellationToken;

/// Everything consensus needs to know about this node and its network.
#[derive(Debug, Clone)]
pub struct Config {
    /// The network: part of everything that is signed.
    pub genesis_hash: Hash,
    /// Signs consensus messages and authenticates connections.
    pub signing_key: SigningKey,
    /// This node's name, shown to peers, in logs and metrics.
    pub node_id: String,
    /// Holds the write-ahead log, in `consensus.wal`. Never shared between nodes, never restored from
    /// a backup.
    pub data_dir: PathBuf,
    /// Whether a missing write-ahead log is a reason not to start.
    pub wal: WalPolicy,
    /// Once cancelled, nothing is signed any more and consensus stands still; what is
    /// [broadcast](crate::Handle::broadcast) still goes out.
    pub halt: CancellationToken,
    /// Whether this node signs.
    pub participation: Participation,
    /// Where to listen for peers; port 0 takes a free one, which [`Handle::listen`] tells.
    ///
    /// [`Handle::listen`]: crate::Handle::listen
    pub listen: SocketAddr,
    /// Where validators were last known to be. They may be empty, wrong or incomplete:
    /// [`Handle::set_peer`](crate::Handle::set_peer) corrects them at run time.
    pub peers: Vec<PeerAddress>,
    /// How long the steps of a round wait.
    pub timeouts: Timeouts,
    /// Largest block body that is built, accepted or synced, in bytes.
    pub block_bytes_max: usize,
    /// What a peer may ask of this node.
    pub peer_limits: PeerLimits,
    /// How often peers are told this node's height, so that those behind catch up, in milliseconds;
    /// 0 tells them after every block.
    pub status_interval_ms: u64,
}

/// Whether a node takes part in consensus or only follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Participation {
    /// It proposes and votes.
    Sign,
    /// It follows the others and signs nothing of consensus: its key may have signed before in ways
    /// that this node does not know of.
    Observe,
}

/// What a peer may ask of this node. A peer beyond a limit is cut off, counted, and may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerLimits {
    /// Messages heard of one peer each second; what comes beyond is dropped. A quarter of them may be votes
    /// and proposals, whose signatures have to be verified.
    pub messages_per_second_max: u32,
    /// Malformed or forged messages of one peer each second.
    pub refused_per_second_max: u32,
    /// Connections from one address. Validators of a test network share one.
    pub connections_per_address_max: usize,
}

impl Default for PeerLimits {
    /// Several times what a validator of a busy network sends, and connections of one.
    fn default() -> Self {
        Self {
            messages_per_second_max: 2_000,
            refused_per_second_max: 200,
            connections_per_address_max: 16,
        }
    }
}

/// Whether consensus may start without the write-ahead log of its last run.
///
/// The log keeps a validator from signing a second, different vote after a restart. Without it, a
/// validator that signed before may contradict itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalPolicy {
    /// Start only with a log that fits the last committed height: for a validator that has signed.
    Require,
    /// Start also with a log of an earlier height: for a validator that has signed, and then took
    /// blocks from others without signing.
    MayBeOld,
    /// Create the log: for the first start, or because the operator says that it is safe.
    Create,
}

/// How long the steps of a consensus round wait, in milliseconds. Every later round of a height waits
/// `increase_ms` longer, up to `max_ms`, so that slow networks find a round that is long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the proposal and its body.
    pub propose_ms: u64,
    /// For the remaining prevotes once a quorum disagrees.
    pub prevote_ms: u64,
    /// For the remaining precommits once a quorum disagrees.
    pub precommit_ms: u64,
    /// What each later round adds to each.
    pub increase_ms: u64,
    /// No step waits longer.
    pub max_ms: u64,
}

impl Default for Timeouts {
    /// For validators on one local network.
    fn default() -> Self {
        Self {
            propose_ms: 150,
            prevote_ms: 50,
            precommit_ms: 50,
            increase_ms: 50,
            max_ms: 10_000,
        }
    }
}

impl Timeouts {
    pub(crate) fn linear(&self) -> LinearTimeouts {
        let ms = Duration::from_millis;
        LinearTimeouts {
            propose: ms(self.propose_ms),
            propose_delta: ms(self.increase_ms),
            prevote: ms(self.prevote_ms),
            prevote_delta: ms(self.increase_ms),
            precommit: ms(self.precommit_ms),
            precommit_delta: ms(self.increase_ms),
            rebroadcast: ms(self
                .propose_ms
                .saturating_add(self.prevote_ms)
                .saturating_add(self.precommit_ms)),
            max_timeout: ms(self.max_ms),
        }
    }
}

/// Where a validator listens for peers: a host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// Who must answer there; another key is refused.
    pub validator: PublicKey,
    /// A DNS name or an IP address.
    pub host: Host,
    /// The TCP port.
    pub port: u16,
}

impl PeerAddress {
    /// A validator at a socket address.
    pub fn new(validator: PublicKey, address: SocketAddr) -> Self {
        Self {
            validator,
            host: Host::Ip(address.ip()),
            port: address.port(),
        }
    }

    /// A validator at `host:port`, where `host` is a DNS name or an IP address (IPv6 in brackets).
    pub fn parse(validator: PublicKey, text: &str) -> Result<Self, PeerAddressError> {
        if let Ok(address) = text.parse() {
            return Ok(Self::new(validator, address));
        }
        let refused = || PeerAddressError(text.chars().take(300).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(refused)?;
        let port = port.parse().map_err(|_| refused())?;
        Ok(Self {
            validator,
            host: host.parse().map_err(|()| refused())?,
            port,
        })
    }
}

/// A text that is no peer address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a peer address such as 10.0.0.1:30303 or validator-1.example.org:30303, got {0:?}"
)]
pub struct PeerAddressError(String);

/// A DNS name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name, resolved at every attempt to connect.
    Name(String),
}

impl FromStr for Host {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        (text.len() <= 253 && text.split('.').all(is_label))
            .then(|| Self::Name(text.to_owned()))
            .ok_or(())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows_and_refuses_the_rest() {
        let key = PublicKey([1; 32]);
        for text in [
            "127.0.0.1:1",
            "[::1]:30303",
            "validator-1:30303",
            "a.example.org:65535",
        ] {
            assert_eq!(PeerAddress::parse(key, text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "host",
            "host:",
            ":1",
            "host:70000",
            "a b:1",
            "a/tcp/1:1",
            "a..b:1",
        ] {
            assert!(PeerAddress::parse(key, text).is_err(), "{text}");
        }
    }
}
