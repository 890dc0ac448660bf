//! The REST host in front of the validators: authenticates voters, keeps every acknowledged ballot
//! durable, and carries it to the chain whatever fails in between.
//!
//! An acknowledgement is true: a ballot is in the database before anybody hears of it, and from
//! then on it is submitted until the chain confirms or refuses it, across kills of any process.
//! The chain decides; this backend only proves and repeats what it decided.
//!
//! - `outbox`: everything of a ballot's way from request to confirmed, without HTTP. `submissions`: one ballot
//!   from request to record; `delivery`: from there to the voter's answer; `cast_error`: why there is none;
//!   `ballot_order`, `numbering`: which of a voter's ballots is the last; `pending`: what is not settled;
//!   `carry`: takes it to the chain; `confirm`: writes down what the chain has; `on_chain`: looks a ballot up
//!   there; `ended`: how one ended; `refusals`: whose word a refusal is; `close`, `closing`: no ballot that
//!   was acknowledged is left out at a close; `administer`: an administrator's transactions; `store`: the
//!   database, a file or one that backends share; `failover`: what those owe each other; `tasks`: what of
//!   this goes on beside requests; `listener`: who hears of it; `lines`: what of it the log says.
//! - `local_ledger`: the backend's own signed chain, for the time when no validator takes ballots;
//!   `reconcile`, `reconciliation`: what became of its ballots; `crash`: where tests let the process die.
//! - `chain_read`: reads of the proven chain; `elections`: elections and their rules, from there; `level`: how
//!   far ballots are carried now; `subject`: who asks or votes, in which realm; `voter_name`: the one form of
//!   an id; `electorate`: which voter of an election somebody is.
//! - `app`: what requests see; `auth`: tokens, passwords, roles; `accounts`: who may log in; `lookup`: which
//!   submission may be told of to whom; `proven`: costly reads, in turn; `live`: counts of open elections that
//!   show them; `limits`: who asks too often, by `rate_limit`, `wrong_logins` and `places`; `verifications`:
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
mod administer;
mod administer_error;
mod app;
mod as_of;
mod auth;
mod ballot_order;
mod carry;
mod cast_error;
mod chain_read;
mod client_address;
mod clock;
mod close;
mod closing;
mod conditional;
mod config;
mod confirm;
pub mod crash;
mod credential;
mod delivery;
mod discovery;
mod elections;
mod electorate;
mod ended;
mod event_feed;
mod events;
mod extract;
mod failover;
mod level;
mod limits;
mod lines;
mod listener;
mod live;
mod local_ledger;
mod lookup;
mod metrics;
mod numbering;
mod on_chain;
mod open_ballots;
mod openapi;
mod outbox;
mod pending;
mod places;
mod problem;
mod problem_of;
mod proven;
mod rate_limit;
mod reconcile;
mod reconciliation;
mod refusals;
mod result_lines;
mod roll_order;
mod roll_report;
mod roll_table;
mod routes;
mod schemas;
mod secrets;
mod server;
mod start;
mod store;
mod subject;
mod submissions;
mod tasks;
mod verifications;
mod voter_name;
mod waiting;
mod wrong_logins;

pub use accounts::{CreateAccountError, create_account};
pub use auth::Role;
pub use config::{Config, DatabaseUrl, Rate, RateLimits, Registration};
pub use local_ledger::{LedgerLine, is_local_genesis_of};
pub use openapi::openapi_json;
pub use server::BODY_BYTES_MAX;
pub use start::{Backend, BackendError};
pub use store::OpenError;
pub use tabella_http_server::Bounds;

use std::future::Future;

/// Runs a backend until `shutdown` resolves.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), BackendError> {
    Backend::bind(config).await?.serve(shutdown).await
}
