//! `party-list`.

use serde_json::{Value, json};
use tabella_contest::{ContestConfig, ContestOption, TieBreak};
use tabella_runtime::{Runtime, RuntimeConfig};

fn seats(params: Value, votes: &[u64]) -> Value {
    let wasm = tabella_plugins::get("party-list")
        .expect("a built-in rule")
        .wasm;
    let plugin = Runtime::new(RuntimeConfig::default())
        .unwrap()
        .load(wasm)
        .unwrap();
    let option = |party: usize| ContestOption {
        id: format!("p{party}"),
        title: String::new(),
    };
    let config = ContestConfig {
        options: (0..votes.len()).map(option).collect(),
        params,
    };
    let contest = plugin.contest(&config).unwrap();
    let ballots = votes.iter().enumerate().map(|(party, weight)| {
        let ballot = json!({"choice": format!("p{party}")});
        (*weight, contest.encode_ballot(&ballot).unwrap())
    });
    let tally = contest.tally_with(ballots, &TieBreak::Report).unwrap();
    let outcome = contest.outcome_json(&tally.outcome).unwrap();
    let options = outcome["options"].as_array().unwrap();
    options
        .iter()
        .map(|option| option["seats"].clone())
        .collect()
}

/// The same figures as the rule's own tests have natively.
#[test]
fn the_example_of_the_spanish_law() {
    let votes = [168_000, 104_000, 72_000, 64_000, 40_000, 32_000];
    for (method, expected) in [
        ("dhondt", json!([4, 2, 1, 1, 0, 0])),
        ("sainte-lague", json!([3, 2, 1, 1, 1, 0])),
        ("hare", json!([3, 2, 1, 1, 1, 0])),
        ("droop", json!([3, 2, 1, 1, 1, 0])),
    ] {
        assert_eq!(
            seats(json!({"seats": 8, "method": method}), &votes),
            expected,
            "{method}"
        );
    }
}

#[test]
fn a_threshold_in_per_cent() {
    let votes = [900, 50, 49, 1];
    let params = json!({"seats": 20, "threshold_percent": 5});
    assert_eq!(seats(params, &votes), json!([19, 1, 0, 0]));
    let params = json!({"seats": 20, "threshold_percent": "5.01"});
    assert_eq!(seats(params, &votes), json!([20, 0, 0, 0]));
}
