//! Runs rule plugins: loads untrusted Wasm, validates ballots with it and tallies boards, the same
//! on every host. The only crate that names wasmtime.
//!
//! ```no_run
//! use tabella_contest::{ContestConfig, ContestOption};
//! use tabella_runtime::{Runtime, RuntimeConfig, Verdict};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let wasm: &[u8] = &[];
//! let runtime = Runtime::new(RuntimeConfig::default())?;
//! let plugin = runtime.load(wasm)?;
//! let contest = plugin.contest(&ContestConfig {
//!     options: vec![
//!         ContestOption { id: "a".into(), title: "Alder".into() },
//!         ContestOption { id: "b".into(), title: "Birch".into() },
//!     ],
//!     params: serde_json::json!({}),
//! })?;
//! let ballot = contest.encode_ballot(&serde_json::json!({"ranking": ["b", "a"]}))?;
//! assert_eq!(contest.validate(&ballot)?, Verdict::Accept);
//! let tally = contest.tally([(1, ballot)].into_iter(), [0; 32])?;
//! println!("{}", contest.outcome_json(&tally.outcome)?);
//! # Ok(())
//! # }
//! ```
//!
//! A module is inspected ([`Report`] lists every violation), instrumented so that it counts its own
//! stack, compiled, and asked for its [`Manifest`](tabella_contest::Manifest). Configured for a contest it is copied: every
//! ballot is judged in a fresh instance with the configured memory, because an instance that saw
//! other ballots uses other fuel. A tally is folded in parallel and merged in order, cut by the
//! [`PluginLimits`] alone, so that it costs the same fuel everywhere.
//!
//! Three things are kept apart everywhere: a rule's refusal ([`Verdict::Reject`]), a plugin's
//! failure ([`Fault`]), which is the same on every host, and the host's own failure
//! ([`HostFault`]), after which a node must stop.

mod cache;
mod compile;
mod configured;
mod contest;
mod engine;
mod fold;
mod inspect;
mod instance;
mod instrument;
mod operators;
mod plugin;
mod runtime;
mod shared;
mod tally;
mod verdict;

pub use compile::{
    COMPILE_MEMORY_BYTES_MAX, COMPILE_SECONDS_MAX, Compiler, CompilerProcess, NotCompiled,
    compile_for_parent,
};
pub use contest::{ConfigError, Contest};
pub use inspect::{Report, Violation};
pub use plugin::{LoadError, Plugin};
pub use runtime::{Runtime, RuntimeConfig};
pub use tabella_limits::{FuelCosts, PluginLimits};
pub use tally::{Tally, TallyError};
pub use verdict::{Fault, FaultKind, HostFault, Verdict};
