//! Consensus between validators: the only crate that names the consensus engine.
//!
//! It runs the Tendermint algorithm (Buchman, Kwon, Milosevic 2018) by the Malachite engine over block
//! hashes, carries block bodies between validators, brings nodes that were away up to date, and
//! answers everything about blocks by asking an [`Application`]. It executes and stores nothing but
//! the engine's write-ahead log. A decided block comes with a
//! [`CommitCertificate`](tabella_protocol::CommitCertificate) that checks offline.
//!
//! - [`Config`], [`Node`], [`Handle`]: starting, running and asking a node.
//! - [`Application`]: what must be provided.
//! - [`machine`]: the same algorithm without actors, for simulations.
//!
//! Inside: `context`, `codec` and `signing` give the engine its types, bytes and signatures; `host`
//! answers it; `parts` carries bodies, `bodies` says which are looked at; `peers` says who may take
//! part, `gate` keeps others out and `said` knows what was heard of each; `mail` takes messages to the
//! application; `supervisor` ends the node when the engine fails.
//!
//! A node's life:
//!
//! ```no_run
//! # use std::{future::pending, sync::Arc};
//! # use tabella_consensus::{Application, Config, Node};
//! # async fn run(config: Config, application: Arc<dyn Application>) -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::start(config, application).await?;
//! let handle = node.handle();
//! println!("listening on {}", handle.listen());
//! node.run(async { drop(tokio::signal::ctrl_c().await) }).await?;
//! # Ok(())
//! # }
//! ```

mod application;
mod bodies;
mod codec;
mod config;
mod context;
mod evidence;
mod gate;
mod host;
pub mod machine;
mod mail;
mod node;
mod parts;
mod peers;
mod said;
mod shared;
mod signing;
mod supervisor;
#[cfg(test)]
mod testing;
mod wal;

/// A `tracing` filter that silences what the engine says about every vote and every failed attempt to
/// connect; this crate itself logs peers that come and go.
pub const QUIET_ENGINE_LOG: &str =
    "arc_malachitebft=warn,arc_malachitebft_network=off,arc_malachitebft_discovery=off,libp2p=off";

pub use application::{
    Application, BuiltBlock, Checked, Fatal, HeightStart, UndecidedBlock, Worth,
};
pub use config::{
    Config, Host, Participation, PeerAddress, PeerAddressError, PeerLimits, Timeouts, WalPolicy,
};
pub use node::{Handle, MessageTooLong, Node, RunError, StartError};
pub use parts::MESSAGE_BYTES_MAX;
pub use peers::SetPeerError;
pub use wal::{WalError, check as check_wal};
