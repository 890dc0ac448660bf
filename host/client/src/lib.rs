//! The client of a network of validators: finds a healthy one, fails over, and believes only what
//! genesis lets it check.
//!
//! A [`Client`] keeps the health of every validator, spreads calls over the healthy ones, coalesces
//! submissions into batches, and follows the chain in one background task. Blocks, confirmations,
//! receipts and results are verified against genesis; a validator that is caught lying is no longer
//! asked for a while. What cannot be proven (a list of elections, a mempool's answer) is one
//! validator's word, and the method says so.
//!
//! - `builder`: configuration; `endpoint`, `transport`: JSON-RPC over pooled HTTP.
//! - `health`, `pool`: the state of each validator, background checks, choice by health and latency.
//! - `submission`: batches, failover and hedging of transactions.
//! - `follower`, `block`: verified blocks and confirmations.
//! - `queries`, `results`: reads, hedged when a validator is late; `blocks`: whole blocks in bulk;
//!   `integrity`: whether validators hold the same chain.
//! - `asker`: bootnodes, and validators one by one, who may say anything at any length.
//!
//! ```no_run
//! # async fn example(genesis: tabella_protocol::Genesis, ballot: tabella_protocol::Transaction) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tabella_client::Client;
//!
//! let client = Client::builder(genesis).build()?;
//! let submitted = client.submit_vote(&ballot).await?;
//! let confirmation = client
//!     .wait_for_confirmation(submitted.transaction_id, Duration::from_secs(2))
//!     .await?;
//! println!("confirmed in block {}", confirmation.height);
//! # Ok(())
//! # }
//! ```

mod asker;
mod block;
mod blocks;
mod builder;
mod client;
mod endpoint;
mod follower;
mod health;
mod integrity;
mod log_lines;
mod pool;
mod queries;
mod reader;
mod results;
mod submission;
mod transport;

pub use asker::{Announced, AskError, Asker};
pub use block::{BlockProof, BlockProofError, VerifiedBlock};
pub use builder::{BuildError, Builder, FollowFrom};
pub use client::{BlockchainState, Client};
pub use endpoint::ValidatorEndpoint;
pub use follower::{Confirmation, Tip, WaitError};
pub use health::{HealthReport, HealthStatus, ValidatorHealth};
pub use integrity::Agreement;
pub use queries::{ConfirmationStatus, QueryError};
pub use results::{ResultsError, VerifiedResults};
pub use submission::{Refusal, SubmitError, Submitted};
pub use transport::CallError;
