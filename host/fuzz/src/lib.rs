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
mod readers;
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

/// Bytes as a file of one format.
macro_rules! reader {
    ($name:ident, $format:literal) => {
        #[doc = concat!("Bytes as a file of ballots, ", $format, ".")]
        pub const $name: Target = Target {
            name: concat!("read-", $format),
            start: readers::start,
            seeds: || readers::seeds($format),
            take: |input| readers::take($format, input),
        };
    };
}

reader!(READ_CSV, "csv");
reader!(READ_XLSX, "xlsx");
reader!(READ_CVR_XML, "cvr-xml");
reader!(READ_DOMINION, "dominion");
reader!(READ_HART, "hart");
reader!(READ_CLEAR_BALLOT, "clear-ballot");
reader!(READ_PREFLIB, "preflib");
reader!(READ_SCOT_ELEX, "scot-elex");
reader!(READ_PABULIB, "pabulib");
reader!(READ_ABIF, "abif");
reader!(READ_BLT, "blt");
reader!(READ_CVR, "cvr");
reader!(READ_JSON, "json");
reader!(READ_JSONL, "jsonl");

/// Bytes as a file of ballots that is written in another format.
pub const CONVERT: Target = Target {
    name: "convert",
    start: readers::start,
    seeds: readers::convert_seeds,
    take: readers::take_conversion,
};

/// Every target.
pub const TARGETS: [Target; 23] = [
    MODULE,
    BALLOT,
    BALLOT_JSON,
    OUTCOME,
    CONFIGURATION,
    SAVED_STATE,
    IMPORT,
    ELECTION,
    READ_CSV,
    READ_XLSX,
    READ_CVR_XML,
    READ_DOMINION,
    READ_HART,
    READ_CLEAR_BALLOT,
    READ_PREFLIB,
    READ_SCOT_ELEX,
    READ_PABULIB,
    READ_ABIF,
    READ_BLT,
    READ_CVR,
    READ_JSON,
    READ_JSONL,
    CONVERT,
];
