//! What turns people's ballots, parameters and outcomes into bytes and back.
//!
//! It runs no rule, does no I/O and compiles for `wasm32-unknown-unknown`: a backend, a validator, an
//! auditor's tool and a page in a browser encode a ballot by the same lines.
//!
//! - [`Manifest`]: what a rule says of itself, and the parameters that it takes.
//! - [`ContestConfig`]: what one contest asks, and the bytes with which its rule is configured.
//! - [`Paper`]: one contest's ballots between JSON and their canonical bytes; [`encode_choice`]: those of
//!   all contests of an election.
//! - [`Batches`] and [`TieBreak`]: a board and its tie-break as a rule reads them.
//! - [`outcome_json`]: an outcome's canonical bytes as the JSON that people read.
//! - [`StrictJson`]: JSON that means the same to everyone who reads it.
//!
//! ```
//! use serde_json::json;
//! use tabella_contest::{ContestConfig, Manifest, Paper, PluginLimits};
//!
//! let limits = PluginLimits::default();
//! let described = br#"{"abi": 1, "name": "plurality", "version": "1", "summary": "Most votes win.",
//!     "licence": "", "ballot": "choice"}"#;
//! let manifest = Manifest::read(described, &limits).unwrap();
//! let config: ContestConfig =
//!     serde_json::from_value(json!({"options": [{"id": "soup"}, {"id": "salad"}]})).unwrap();
//! let paper = Paper::new(&manifest, &config, &limits);
//! let ballot = paper.encode(&json!({"choice": "salad"})).unwrap();
//! assert_eq!(paper.decode(&ballot).unwrap(), json!({"choice": "salad"}));
//! ```

mod ballot;
mod batches;
mod choice;
mod config;
mod contest_config;
mod json_pointer;
mod manifest;
mod outcome;
mod param;
mod strict_json;
mod tie_break;

pub use ballot::{BallotError, Paper};
pub use batches::{BallotTooLong, Batch, Batches, Chunk};
pub use choice::{ChoiceError, encode_choice};
pub use contest_config::{ContestConfig, ContestOption, InvalidConfig};
pub use manifest::Manifest;
pub use outcome::{OutcomeError, outcome_json, read_outcome};
pub use param::{Param, ParamKind};
pub use strict_json::{StrictJson, StrictObject};
pub use tabella_abi::ballot::BallotKind;
pub use tabella_abi::number::Number;
pub use tabella_abi::outcome::{OptionResult, Outcome, Round, Tie, Transfer};
pub use tabella_limits::PluginLimits;
pub use tie_break::{TieBreak, TieOrderError};
