//! Arbitrary bytes for everything that reads what strangers send: one function for each target, used
//! by the short run among the tests, by `cargo xtask fuzz`, and by any fuzzer that calls them.
//!
//! A target answers what became of its input, in words. It panics where something is wrong: a host
//! fault, a built-in rule that fails, bytes that do not survive a round trip. Inputs that are
//! answered in new words are kept and changed further, which is all the guidance there is.
//!
//! ```no_run
//! let target = tabella_fuzz::target("ballot").expect("a target");
//! let report = tabella_fuzz::run(target, 1, std::time::Duration::from_secs(10));
//! assert!(report.failure.is_none(), "{report:?}");
//! ```

mod ballot;
mod campaign;
mod configuration;
mod import;
mod module;
mod mutation;
mod saved_state;

pub use campaign::{Failure, Report, judge, run};

/// One way into the system.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is given.
    pub about: &'static str,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Takes one input; answers in words what became of it.
    pub take: fn(&[u8]) -> String,
}

/// Every target.
pub const TARGETS: [Target; 8] = [
    Target {
        name: "module",
        about: "bytes as a plugin: loaded, configured, asked about a ballot, tallied",
        seeds: module::seeds,
        take: module::take,
    },
    Target {
        name: "ballot",
        about: "bytes as a ballot of each built-in rule",
        seeds: ballot::seeds,
        take: ballot::take,
    },
    Target {
        name: "ballot-json",
        about: "JSON as a ballot of each built-in rule",
        seeds: ballot::json_seeds,
        take: ballot::take_json,
    },
    Target {
        name: "outcome",
        about: "bytes as the outcome of a tally",
        seeds: ballot::outcome_seeds,
        take: ballot::take_outcome,
    },
    Target {
        name: "configuration",
        about: "JSON as options and parameters of each built-in rule",
        seeds: configuration::seeds,
        take: configuration::take,
    },
    Target {
        name: "saved-state",
        about: "bytes as a saved tally and as a plugin's configuration, in the SDK",
        seeds: saved_state::seeds,
        take: saved_state::take,
    },
    Target {
        name: "import",
        about: "bytes as a file of ballots, in every format",
        seeds: import::seeds,
        take: import::take,
    },
    Target {
        name: "election",
        about: "bytes as an election file, JSON or TOML",
        seeds: import::election_seeds,
        take: import::take_election,
    },
];

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
