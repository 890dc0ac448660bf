//! The bodies of the REST API, as the backend writes and reads them and as the command line does: one type for each.
//!
//! A member that is renamed here is renamed for both, or does not compile. Requests refuse members that they do not
//! know; answers are read without them, so that an older command line reads a newer backend. Each type brings its part
//! of the OpenAPI document.
//!
//! - [`CreateRequest`], [`AdminAnswer`], [`ClosingAnswer`], [`ElectionSummary`]: elections.
//! - [`ResultsAnswer`]: results. [`PluginAnswer`]: rules. [`BlocksAnswer`]: blocks.
//! - [`SubmitRequest`], [`SubmitAnswer`], [`StatusAnswer`]: ballots.
//! - [`SignedRequest`], [`SignedAnswer`]: what an authority signed elsewhere.
//! - [`CreateAccountRequest`], [`AccountAnswer`], [`MintRequest`], [`MintAnswer`]: who may do what.
//! - [`AlertsAnswer`]: what to act on. [`ProblemDocument`]: every refusal and failure.
//! - [`schema`]: shapes in the document that no type has.
//!
//! What only frontends and programs of others read stands beside its route in `host/backend`.
//!
//! ```
//! let answer = r#"{"kind": "open-election", "election_id": 7, "block_number": 12,
//!     "transaction_id": "0x00", "block_hash": "0x00"}"#;
//! let answer = answer.replace("0x00", &format!("0x{}", "00".repeat(32)));
//! let answer: tabella_api::SignedAnswer = serde_json::from_str(&answer).unwrap();
//! assert_eq!(answer.election_id, Some(7));
//! ```

mod account;
mod alert;
mod block;
mod election;
mod plugin;
mod problem;
mod results;
pub mod schema;
mod submission;
mod transaction;
mod voter_token;

pub use account::{AccountAnswer, CreateAccountRequest, Role};
pub use alert::{AlertAnswer, AlertsAnswer, Severity};
pub use block::{BlockAnswer, BlocksAnswer, Signatures};
pub use election::{
    AdminAnswer, ClosingAnswer, ClosingStatus, ContestRequest, CreateRequest, ElectionSummary,
    EligibilityRequest, OptionRequest,
};
pub use plugin::{PluginAnswer, RuleAnswer};
pub use problem::ProblemDocument;
pub use results::{ContestResult, OptionResult, ResultsAnswer};
pub use submission::{
    AcceptedBy, Source, StatusAnswer, SubmissionStatus, SubmitAnswer, SubmitRequest,
};
pub use transaction::{SignedAnswer, SignedRequest};
pub use voter_token::{MintAnswer, MintRequest, VoterToken};
