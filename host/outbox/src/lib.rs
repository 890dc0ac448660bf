//! An acknowledged ballot until the chain has it.
//!
//! [`Outbox::submit`] takes a ballot and makes it durable before it answers; from then on the outbox submits
//! it until the chain confirms or refuses it, across kills of any process. The chain decides; the outbox only
//! proves and writes down what it decided. Nothing here knows HTTP: each operation has an error of its own.
//!
//! - `outbox`: what it is made of; `tasks`: what goes on beside requests; `listener`: who hears of what
//!   happens; `lines`: what the log says of it.
//! - `submissions`: one ballot from request to record; `delivery`: from there to the voter's answer;
//!   `cast_error`: why there is none; `credential`: ballots that voters signed themselves; `ballot_order`,
//!   `numbering`: which of a voter's ballots is the last.
//! - `pending`: what is not settled; `carry`: takes it to the chain; `confirm`: writes down what the chain
//!   has; `on_chain`: looks a ballot up there; `refusals`: whose word a refusal is; `ended`: how a ballot
//!   ended.
//! - `close`, `closing`: no ballot that was acknowledged is left out at a close; `administer`: an
//!   administrator's transactions.
//! - `store`: the database, a file or one that backends share; `failover`: what those owe each other.
//! - `local_ledger`: the backend's own signed chain, for the time when no validator takes ballots;
//!   `reconcile`, `reconciliation`: what became of its ballots.
//! - `chain_read`: reads of the proven chain; `elections`: elections and their rules, from there; `level`: how
//!   far ballots are carried now.
//! - `subject`: who asks or votes, in which realm; `voter_name`: the one form of an id; `electorate`: which
//!   voter of an election somebody is, under `secrets`.
//! - `crash`: where tests let the process die.

mod administer;
mod administer_error;
mod ballot_order;
mod carry;
mod cast_error;
mod chain_read;
mod close;
mod closing;
mod confirm;
pub mod crash;
mod credential;
mod delivery;
pub mod elections;
pub mod electorate;
mod ended;
mod failover;
pub mod level;
pub mod lines;
mod listener;
pub mod local_ledger;
mod numbering;
mod on_chain;
mod outbox;
pub mod pending;
mod reconcile;
pub mod reconciliation;
mod refusals;
mod secrets;
pub mod store;
pub mod subject;
mod submissions;
mod tasks;
pub mod voter_name;

pub use administer_error::{AdministerError, CloseError, ResumeError, SignedCloseError};
pub use cast_error::{BallotError, CastError, NotOpen};
pub use chain_read::{ReadError, read};
pub use closing::Closed;
pub use confirm::BLOCKS_MAX;
pub use credential::{Credential, CredentialError};
pub use listener::Listener;
pub use outbox::{Outbox, Parts, RevoteLimit};
pub use secrets::MasterSecret;
pub use submissions::{Acknowledged, Answer, Cast, Voter, Wish};
