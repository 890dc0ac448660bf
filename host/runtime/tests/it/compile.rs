//! Compilation: worst cases, processes that do not come to an end, plugins that are kept.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tabella_runtime::{
    COMPILE_SECONDS_MAX, Compiler, CompilerProcess, LoadError, Runtime, RuntimeConfig,
};

use crate::worst_modules;

#[test]
fn what_passes_inspection_compiles_far_below_the_time_limit() {
    let runtime = crate::runtime();
    let mut slowest = (Duration::ZERO, "");
    for (name, wasm) in worst_modules::all() {
        let started = Instant::now();
        if let Err(error) = runtime.load(&wasm) {
            panic!("{name}: {error}");
        }
        let took = started.elapsed();
        eprintln!("{name}: {} KiB in {took:.2?}", wasm.len() >> 10);
        slowest = slowest.max((took, name));
    }
    let most = Duration::from_secs(COMPILE_SECONDS_MAX) / 2;
    assert!(slowest.0 < most, "{} took {:.2?}", slowest.1, slowest.0);
}

fn refusal(program: &str, arguments: &[&str]) -> String {
    let runtime = Runtime::new(RuntimeConfig {
        compiler: Compiler::Child(CompilerProcess {
            program: PathBuf::from(program),
            arguments: arguments.iter().map(Into::into).collect(),
            time_max: Duration::from_millis(300),
        }),
        ..RuntimeConfig::default()
    });
    let wasm = tabella_plugins::get("plurality").unwrap().wasm;
    match runtime.unwrap().load(wasm) {
        Err(LoadError::NotCompiled(error)) => error.to_string(),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn a_compiler_that_hangs_is_killed() {
    let started = Instant::now();
    let said = refusal("sleep", &["1000"]);
    assert_eq!(
        said,
        "the plugin was not compiled here: it took more than 300ms and was stopped"
    );
    assert!(started.elapsed() < Duration::from_secs(100));
}

#[test]
fn a_compiler_that_fails_is_quoted() {
    let said = refusal("sh", &["-c", "cat >/dev/null; echo no memory >&2; exit 3"]);
    assert_eq!(
        said,
        "the plugin was not compiled here: its compiler ended with exit status: 3: no memory"
    );
    let said = refusal("/nowhere/at-all", &[]);
    assert!(said.contains("its compiler does not start"), "{said}");
    // It ends well, but what it makes is no artifact.
    let said = refusal("sh", &["-c", "cat >/dev/null; echo nonsense"]);
    assert!(
        said.contains("what its compiler made does not load"),
        "{said}"
    );
}
