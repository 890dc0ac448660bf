//! A validator: takes transactions, agrees on blocks with the others, and answers JSON-RPC.
//!
//! [`run`] starts everything and returns when told to stop or when something fails that a node must
//! not outlive. Inside, `intake` takes transactions in (vetted, durable, relayed), `pool` judges them,
//! `mempool` holds them, `journal` makes them durable; `application` is what consensus drives: it runs
//! `replica`, which builds, checks and commits blocks and keeps those that are not decided yet in
//! `undecided`. `witness` hears what validators say in consensus, and `evidence` keeps what contradicts.
//! None of these but `intake` and `application` knows a clock, thread or network. `attest` tallies closed
//! elections; `discovery` finds the other validators; `rpc` answers the world. `backup` copies and
//! restores a stopped validator's data, `observe` keeps a restored one from signing until that is
//! safe, and `accepted` lets an operator say otherwise for one start.
//!
//! ```no_run
//! # async fn run(config: tabella_validator::Config) -> Result<(), tabella_validator::RunError> {
//! tabella_validator::run(config, async { drop(tokio::signal::ctrl_c().await) }).await
//! # }
//! ```

mod accepted;
mod application;
mod attest;
mod backup;
mod catch_up;
mod config;
mod discovery;
mod dissent;
mod evidence;
mod inquiry;
mod intake;
mod journal;
mod mempool;
mod metrics;
mod node;
mod observe;
mod peer_message;
mod pool;
mod relay;
mod replica;
mod rpc;
mod scrub;
#[cfg(test)]
mod simulation;
mod stop;
#[cfg(test)]
mod testing;
mod undecided;
mod witness;

pub use backup::{BackupError, BackupManifest, backup, first_start, restore, restore_nothing};
pub use config::{Config, StaticPeer, TimeoutsConfig};
pub use node::{RunError, run};
pub use tabella_consensus::QUIET_ENGINE_LOG;
