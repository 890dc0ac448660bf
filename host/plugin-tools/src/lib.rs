//! What the authors of rules need around the sandbox.
//!
//! - [`scaffold`]: a new crate with a rule that works;
//! - [`build`]: from a crate to the module that every machine builds alike;
//! - [`conformance`]: whether a plugin keeps the promises that a tally relies on;
//! - [`bench`](mod@bench): fuel and time per ballot against the limits;
//! - [`sample`]: ballots that a contest takes, from a seed.
//!
//! ```no_run
//! use tabella_plugin_tools::{build, conformance};
//! use tabella_contest::ContestConfig;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let config: ContestConfig = serde_json::from_str("{}")?;
//! let built = build::build("my-rule".as_ref())?;
//! let report = conformance::examine(&built.wasm, &config, &[], 1)?;
//! assert!(report.passed());
//! # Ok(())
//! # }
//! ```

pub mod bench;
pub mod build;
pub mod conformance;
pub mod native;
pub mod sample;
pub mod scaffold;
mod sdk;
