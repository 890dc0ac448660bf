//! The binary as the compiler of plugins, in a process of its own.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tabella_contest::{ContestConfig, ContestOption};
use tabella_runtime::{Compiler, CompilerProcess, Runtime, RuntimeConfig, Verdict};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_tabella");

fn runtime(cache: &TempDir, program: &str) -> Runtime {
    Runtime::new(RuntimeConfig {
        cache_dir: Some(cache.path().to_owned()),
        compiler: Compiler::Child(CompilerProcess {
            program: program.into(),
            arguments: vec!["compile-plugin".into()],
            time_max: Duration::from_secs(60),
        }),
        ..RuntimeConfig::default()
    })
    .unwrap()
}

#[test]
fn what_another_process_compiled_runs_here_and_is_kept() {
    let cache = TempDir::new().unwrap();
    let wasm = tabella_election_files::rule_bytes("plurality").unwrap();
    let option = |id: &str| ContestOption {
        id: id.into(),
        title: String::new(),
    };
    let config = ContestConfig {
        options: ["a", "b"].map(option).to_vec(),
        params: json!({}),
    };
    // The second finds what the first kept: there is no compiler any more.
    for program in [BINARY, "/nowhere/at-all"] {
        let plugin = runtime(&cache, program).load(&wasm).unwrap();
        let contest = plugin.contest(&config).unwrap();
        assert_eq!(contest.validate(&[1]).unwrap(), Verdict::Accept);
        assert!(matches!(
            contest.validate(&[7]).unwrap(),
            Verdict::Reject { .. }
        ));
    }
}

#[test]
fn a_compiler_that_is_told_nonsense_says_so() {
    for order in [
        &b""[..],
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"nonsense nonsense",
    ] {
        let mut child = Command::new(BINARY)
            .arg("compile-plugin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(order).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("its compiler was not understood"), "{said}");
        assert!(output.stdout.is_empty());
    }
}
