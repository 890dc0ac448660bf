//! Ballots, configurations, boards and outcomes as bytes, with no rule that runs.

mod boards;
mod papers;

use serde_json::{Value, json};
use tabella_contest::{ContestConfig, Manifest, Paper, PluginLimits};

/// The manifest of a rule with ballots of this kind and these parameters.
fn manifest(ballot: &str, params: Value) -> Manifest {
    let described = json!({
        "abi": 1,
        "name": "rule",
        "version": "1",
        "summary": "A rule.",
        "licence": "",
        "ballot": ballot,
        "params": params,
    });
    Manifest::read(described.to_string().as_bytes(), &PluginLimits::default()).unwrap()
}

fn config(params: Value) -> ContestConfig {
    let options = ["a", "b", "c"].map(|id| json!({"id": id}));
    serde_json::from_value(json!({"options": options, "params": params})).unwrap()
}

fn paper(manifest: &Manifest) -> Paper {
    Paper::new(manifest, &config(json!({})), &PluginLimits::default())
}
