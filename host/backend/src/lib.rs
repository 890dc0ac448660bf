//! The REST host in front of the validators: authenticates voters, keeps every acknowledged ballot
//! durable, and carries it to the chain whatever fails in between.
//!
//! An acknowledgement is true: a ballot is in the database before anybody hears of it, and from
//! then on it is submitted until the chain confirms or refuses it, across kills of any process.
//! The chain decides; this backend only proves and repeats what it decided.
//!
//! - `submissions`: one ballot from request to answer; `background`: confirmations and what is
//!   carried later; `pending`: what is not settled; `store`: the database, a file or one that backends
//!   share; `sharing`: what those owe each other; `waiting`: while it is away at the start.
//! - `local_ledger`: the backend's own signed chain, for the time when no validator takes ballots;
//!   `reconciliation`: what became of its ballots; `crash`: where tests let the process die.
//! - `elections`: elections and their rules; `auth`: tokens, passwords, roles.
//! - `live`: counts of open elections that show them.
//! - `discovery`: validators that only a bootnode knows.
//! - `accounts`: who may log in; `limits`: who asks too often; `events`: what happens now.
//! - `routes`: the REST surface, a file each; `openapi`: its description; `server`: what they
//!   share; `problem`: errors.
//!
//! ```no_run
//! # async fn example(config: tabella_backend::Config) -> Result<(), tabella_backend::BackendError> {
//! tabella_backend::run(config, std::future::pending()).await
//! # }
//! ```

mod accounts;
mod app;
mod auth;
mod background;
mod client_address;
mod clock;
mod conditional;
mod config;
mod crash;
mod discovery;
mod elections;
mod events;
mod extract;
mod limits;
mod live;
mod local_ledger;
mod metrics;
mod openapi;
mod pending;
mod problem;
mod rate_limit;
mod reconciliation;
mod roll_report;
mod routes;
mod secrets;
mod server;
mod sharing;
mod start;
mod store;
mod submissions;
mod waiting;

pub use accounts::{CreateAccountError, create_account};
pub use auth::Role;
pub use config::{Config, DatabaseUrl, Rate, RateLimits, Registration};
pub use local_ledger::{LedgerLine, is_local_genesis_of};
pub use openapi::openapi_json;
pub use server::BODY_BYTES_MAX;
pub use start::{Backend, BackendError};
pub use store::OpenError;

use std::future::Future;

/// Runs a backend until `shutdown` resolves.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BackendError> {
    Backend::bind(config).await?.serve(shutdown).await
}
