//! Genesis documents: round trip, hash, refusals.

use expect_test::expect;
use tabella_protocol::{Genesis, Quorum};

use crate::support::{genesis, key};

#[test]
fn reads_what_it_writes() {
    let document = genesis(3, Quorum::Majority);
    assert_eq!(Genesis::from_json(&document.to_json()).unwrap(), document);
    expect!["0xb517eae999be786dad5c151a80b7e8ed2a504d175db0e3c3db2cd3296987d3a5"]
        .assert_eq(&document.hash().to_string());
}

#[test]
fn refuses_what_no_network_can_run_on() {
    let refusal = |change: &dyn Fn(&mut Genesis)| {
        let mut changed = genesis(3, Quorum::Majority);
        change(&mut changed);
        Genesis::from_json(&changed.to_json())
            .unwrap_err()
            .to_string()
    };
    let table = [
        refusal(&|g| g.version = 2),
        refusal(&|g| g.chain_id = 0),
        refusal(&|g| g.validators.clear()),
        refusal(&|g| g.validators[1].public_key = key(1).public()),
        refusal(&|g| g.authorities.clear()),
        refusal(&|g| g.block_bytes_max = 1),
        refusal(&|g| g.plugin_limits.validate_fuel += 1),
        refusal(&|g| g.plugin_limits.batch_ballots = 0),
        refusal(&|g| g.plugin_limits.fuel_costs.version = 2),
        refusal(&|g| g.plugin_limits.fuel_costs.branch = 0),
        Genesis::from_json("{}").unwrap_err().to_string(),
    ];
    expect![[r#"
        genesis cannot start a network: expected version 1, got 2
        genesis cannot start a network: expected a chain id from 1 to 9007199254740991, got 0
        genesis cannot start a network: expected 1 to 64 validators, got 0
        genesis cannot start a network: two validators share a key or a node id
        genesis cannot start a network: expected at least one authority, each an ed25519 public key
        genesis cannot start a network: expected block_bytes_max from 64 KiB to 64 MiB, got 1
        genesis cannot start a network: expected plugin_limits.validate_fuel from 1 to 1000000, got 1000001
        genesis cannot start a network: expected plugin_limits.batch_ballots from 1 to 1024, got 0
        genesis cannot start a network: expected fuel costs of version 1, got version 2
        genesis cannot start a network: expected plugin_limits.fuel_costs.branch of at least 1, got 0
        genesis is not readable: missing field `version` at line 1 column 2; expected the JSON document that `tabella init` writes"#]]
    .assert_eq(&table.join("\n"));
}
