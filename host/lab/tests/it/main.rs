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
    let svg = directory.path().join("latency.svg");
    let bench = lab()
        .args([
            "bench",
            "--rate",
            "60",
            "--seconds",
            "1",
            "--connections",
            "8",
        ])
        .args([
            "--warm-up",
            "20",
            "--json",
            "--port-base",
            PORT_BASE,
            "--directory",
        ])
        .arg(directory.path())
        .arg("--svg")
        .arg(&svg)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&bench.stderr);
    assert!(bench.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&bench.stdout).unwrap();
    let measured = &report["measured"];
    assert_eq!(measured["votes"], 60);
    // The last is due after 59 sixtieths of a second, however fast the network is.
    assert!(measured["seconds"].as_f64() >= Some(0.98), "{measured}");
    assert!(measured["confirmed_votes_per_second"].as_f64() > Some(0.0));
    let latency = |name: &str| measured["latency_ms"][name].as_f64().unwrap();
    assert!(0.0 < latency("p50") && latency("p50") <= latency("max"));
    let processes = measured["processes"].as_array().unwrap();
    assert_eq!(processes.len(), 5, "{report}");
    for process in &processes[..4] {
        assert!(process["commits"].as_u64() > Some(0), "{process}");
    }
    let drawn = std::fs::read_to_string(svg).unwrap();
    assert!(
        drawn.contains("60 votes, 60 a second due, over 8 connections"),
        "{drawn}"
    );
}

#[test]
fn each_command_says_how_it_is_used_with_an_example_or_its_options() {
    for command in ["bench", "soak", "chaos", "long-chain"] {
        let help = lab().args([command, "--help"]).output().unwrap();
        let help = String::from_utf8_lossy(&help.stdout);
        assert!(help.contains("--json"), "{command}: {help}");
    }
}
