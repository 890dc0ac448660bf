//! The REST host in front of the validators: authenticates voters, keeps every acknowledged ballot
//! durable, and carries it to the chain whatever fails in between.
//!
//! An acknowledgement is true: a ballot is in the database before anybody hears of it, and from
//! then on it is submitted until the chain confirms or refuses it, across kills of any process.
//! The chain decides; this backend only proves and repeats what it decided. What takes and carries ballots is
//! [`tabella_outbox`]; this crate is the REST edge around it.
//!
//! - `app`: what requests see; `auth`: tokens, passwords, roles; `accounts`: who may log in; `lookup`: which
//!   submission may be told of to whom; `proven`: costly reads, in turn; `live`: counts of open elections that
//!   show them; `percentage`: what their percentages are of; `limits`: who asks too often, by `rate_limit`, `wrong_logins` and `places`; `verifications`:
//!   re-checks of the chain that anybody may ask for; `events`, `event_feed`: what happens now;
//!   `result_lines`: what the log says of results; `waiting`: while the database is away at the start;
//!   `discovery`: validators that only a bootnode knows.
//! - `routes`: the REST surface, a file each; `openapi`, `schemas`: its description; `server`: what they
//!   share; `problem`: refusals and failures over HTTP; `problem_of`: which error is which of them.
//!
//! ```no_run
//! # async fn example(config: tabella_backend::Config) -> Result<(), tabella_backend::BackendError> {
//! tabella_backend::run(config, std::future::pending()).await
//! # }
//! ```

mod accounts;
mod alerts;
mod app;
mod as_of;
mod auth;
mod client_address;
mod clock;
mod conditional;
mod config;
mod discovery;
mod event_feed;
mod events;
mod extract;
mod limits;
mod live;
mod lookup;
mod metrics;
mod open_ballots;
mod openapi;
mod percentage;
mod places;
mod problem;
mod problem_of;
mod proven;
mod rate_limit;
mod result_lines;
mod roll_order;
mod roll_report;
mod roll_table;
mod routes;
mod schemas;
mod server;
mod start;
mod verifications;
mod waiting;
mod wrong_logins;

pub use accounts::{CreateAccountError, create_account};
pub use auth::Role;
pub use config::{Config, DatabaseUrl, Rate, RateLimits, Registration};
pub use openapi::openapi_json;
pub use server::BODY_BYTES_MAX;
pub use start::{Backend, BackendError};
pub use tabella_http_server::Bounds;
pub use tabella_outbox::store::OpenError;

use std::future::Future;

/// Runs a backend until `shutdown` resolves.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BackendError> {
    Backend::bind(config).await?.serve(shutdown).await
}
