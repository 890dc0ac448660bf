//! The runtime against the built-in rules and against modules that mean harm.

mod ballots;
mod burlington;
mod compile;
mod configuration;
mod determinism;
mod hostile;
mod limits;
mod tallies;
mod worst_modules;

use serde_json::Value;
use tabella_contest::{ContestConfig, ContestOption};
use tabella_runtime::{Contest, Plugin, Runtime, RuntimeConfig};

fn runtime() -> Runtime {
    Runtime::new(RuntimeConfig::default()).unwrap()
}

fn builtin(name: &str) -> Plugin {
    runtime()
        .load(tabella_plugins::get(name).unwrap().wasm)
        .unwrap()
}

fn config(ids: &[&str], params: Value) -> ContestConfig {
    let option = |id: &&str| ContestOption {
        id: (*id).to_owned(),
        title: String::new(),
    };
    ContestConfig {
        options: ids.iter().map(option).collect(),
        params,
    }
}

fn contest(rule: &str, ids: &[&str], params: Value) -> Contest {
    builtin(rule).contest(&config(ids, params)).unwrap()
}
