//! The laboratory's binary, against the product's.

use std::{path::Path, process::Command};

use serde_json::Value;

/// Ports that no other test takes.
const PORT_BASE: &str = "28100";

fn lab() -> Command {
    let lab = Path::new(env!("CARGO_BIN_EXE_tabella-lab"));
    let product = lab.with_file_name("tabella");
    assert!(
        product.is_file(),
        "expected the tabella binary at {}: run the tests of the whole workspace",
        product.display()
    );
    Command::new(lab)
}

#[test]
fn a_bench_confirms_every_vote_and_says_what_each_process_used() {
    let directory = tempfile::tempdir().unwrap();
    let bench = lab()
        .args(["bench", "--votes", "60", "--concurrency", "8", "--json"])
        .args(["--port-base", PORT_BASE, "--directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&bench.stdout).unwrap();
    assert_eq!(report["votes"], 60);
    assert!(report["confirmed_votes_per_second"].as_f64() > Some(0.0));
    let processes = report["processes"].as_array().unwrap();
    assert!(processes.len() >= 4, "{report}");
}

#[test]
fn each_command_says_how_it_is_used_with_an_example_or_its_options() {
    for command in ["bench", "soak", "chaos", "long-chain"] {
        let help = lab().args([command, "--help"]).output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout);
        assert!(help.contains("--json"), "{command}: {help}");
    }
}
