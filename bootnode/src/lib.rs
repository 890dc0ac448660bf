//! The bootnode: where validators tell each other their addresses. Knows no chain and no votes.
//!
//! It holds one signed [`PeerRecord`](tabella_protocol::PeerRecord) for each validator of genesis
//! and hands them out. It is never trusted: a reader checks every record's signature itself, and a
//! network that has met once works on while every bootnode is down.
//!
//! - `peers`: the records, and when one replaces another.
//! - `server`: `POST /peers`, `GET /peers`, `GET /health/live`, `GET /metrics`.
//! - `problem`: refusals as RFC 9457 problem documents.
//!
//! ```no_run
//! # async fn example() -> Result<(), tabella_bootnode::BootnodeError> {
//! let config = tabella_bootnode::Config {
//!     genesis: "genesis.json".into(),
//!     listen: tabella_bootnode::Config::LISTEN,
//!     http: tabella_bootnode::Bounds::default(),
//! };
//! tabella_bootnode::run(config, std::future::pending()).await
//! # }
//! ```

mod peers;
mod problem;
mod server;

use std::{
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};
use tabella_files::{GenesisFileError, read_genesis};
use tabella_http_server::listen;

pub use server::{RECORD_BYTES_MAX, serve};
pub use tabella_http_server::Bounds;

/// What a bootnode's config file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The genesis document of the network whose validators are listed.
    pub genesis: PathBuf,
    /// Where to listen; 127.0.0.1:8546 where absent.
    #[serde(default = "Config::default_listen")]
    pub listen: SocketAddr,
    /// What connections may hold, and for how long.
    #[serde(default)]
    pub http: Bounds,
}

impl Config {
    /// The default listening address.
    pub const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8546));

    fn default_listen() -> SocketAddr {
        Self::LISTEN
    }
}

/// Why a bootnode cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum BootnodeError {
    /// The genesis file cannot be used.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {error}; free the port or set another in `listen`")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The server failed.
    #[error("the server stopped: {0}")]
    Serve(io::Error),
}

/// Runs a bootnode until `shutdown` resolves.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BootnodeError> {
    let genesis = read_genesis(&config.genesis)?;
    let listener = listen(config.listen).map_err(|error| BootnodeError::Listen {
        listen: config.listen,
        error,
    })?;
    serve(genesis, listener, config.http, shutdown).await
}
