//! Executes blocks over redb: elections, rolls, boards, receipts and the state they commit to.
//!
//! The ledger is deterministic: no clock, randomness, float, hash-map order or thread timing
//! reaches what it writes or hashes. It knows no network and no consensus engine; whoever drives it
//! (a validator, the backend's fallback, an auditor's tool) hands it transactions and certificates.
//!
//! - [`Ledger::vet`] judges a transaction by what cannot change any more (signature, rule);
//!   [`Ledger::admit`] also by the state at the tip.
//! - [`Ledger::build`] makes a block of vetted transactions; [`Ledger::check`] re-executes one that
//!   somebody else made; [`Ledger::check_certified`] one that a quorum of validators vouches for.
//!   Each returns an [`ExecutedBlock`]; nothing is written yet.
//! - [`Ledger::commit`] writes block, certificate, boards, indexes and state in one redb
//!   transaction, durable when it returns; [`Ledger::commit_unsynced`] is for who catches up.
//!
//! Layout: `configure` makes an election's rules ready; `vet` and `execute` (one file per transaction kind) are the rules of the chain, `state`
//! what they change, `block` and `commit` the way to disk, `board_log` the Merkle logs, `read`,
//! `receipt`, `tally`, `verify` and `views` the ways back; `scratch` a chain for who re-executes one.
//! What is read is compared with what the chain committed to: `damage` is what differs, `scrub` reads
//! everything again.

mod acks;
mod block;
mod board_log;
mod commit;
mod configure;
mod damage;
mod error;
mod execute;
mod open_ballots;
mod read;
mod receipt;
mod refusal;
mod scratch;
mod scrub;
mod state;
mod store;
mod tally;
mod turns;
mod verify;
mod vet;
mod views;

pub use block::{BuildLimits, Built, ExecutedBlock, InvalidBlock};
pub use configure::{ConfigureError, configure};
pub use damage::Damage;
pub use error::{LedgerError, VetError};
pub use execute::Admission;
pub use read::{BallotRecord, StoredBlock};
pub use refusal::Refusal;
pub use scrub::{Checked, Progress, Scrub, Signatures};
pub use state::{Election, Tip};
pub use store::Ledger;
pub use tally::{ElectionTally, ElectionTallyError};
pub use vet::Vetted;
