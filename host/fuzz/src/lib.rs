//! Arbitrary bytes for everything that reads what strangers send: one target for each way in.
//!
//! A target takes its input and panics where something is wrong: a host fault, a built-in rule that
//! fails, bytes that do not survive a round trip. `fuzz_targets` gives each of them to libFuzzer, for
//! `cargo xtask fuzz`, and for `cargo fuzz run --fuzz-dir host/fuzz --features libfuzzer
//! --sanitizer none fuzz-module`, which instruments all dependencies too. This package's program
//! writes the inputs to start from.

mod ballot;
mod configuration;
mod import;
mod module;
mod saved_state;

/// One way into the system.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Sets up what it needs, which takes longer than an input.
    pub start: fn(),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Takes one input; panics where something is wrong.
    pub take: fn(&[u8]),
}

/// Bytes as a plugin: loaded, configured, asked about a ballot, tallied.
pub const MODULE: Target = Target {
    name: "module",
    start: module::start,
    seeds: module::seeds,
    take: module::take,
};

/// Bytes as a ballot of each built-in rule.
pub const BALLOT: Target = Target {
    name: "ballot",
    start: ballot::start,
    seeds: ballot::seeds,
    take: ballot::take,
};

/// JSON as a ballot of each built-in rule.
pub const BALLOT_JSON: Target = Target {
    name: "ballot-json",
    start: ballot::start,
    seeds: ballot::json_seeds,
    take: ballot::take_json,
};

/// Bytes as the outcome of a tally.
pub const OUTCOME: Target = Target {
    name: "outcome",
    start: ballot::start,
    seeds: ballot::outcome_seeds,
    take: ballot::take_outcome,
};

/// JSON as options and parameters of each built-in rule.
pub const CONFIGURATION: Target = Target {
    name: "configuration",
    start: configuration::start,
    seeds: configuration::seeds,
    take: configuration::take,
};

/// Bytes as a saved tally and as a plugin's configuration, in the SDK.
pub const SAVED_STATE: Target = Target {
    name: "saved-state",
    start: || (),
    seeds: saved_state::seeds,
    take: saved_state::take,
};

/// Bytes as a file of ballots, in every format.
pub const IMPORT: Target = Target {
    name: "import",
    start: import::start,
    seeds: import::seeds,
    take: import::take,
};

/// Bytes as an election file, JSON or TOML.
pub const ELECTION: Target = Target {
    name: "election",
    start: || (),
    seeds: import::election_seeds,
    take: import::take_election,
};

/// Every target.
pub const TARGETS: [Target; 8] = [
    MODULE,
    BALLOT,
    BALLOT_JSON,
    OUTCOME,
    CONFIGURATION,
    SAVED_STATE,
    IMPORT,
    ELECTION,
];
