//! PluginLimits, fuel, the pool of instances, and compiled plugins between runs.

use std::time::Instant;

use expect_test::expect;
use serde_json::json;
use tabella_runtime::{PluginLimits, Runtime, RuntimeConfig, Verdict};

use crate::{config, contest};

#[test]
fn a_ballot_costs_the_same_whatever_came_before() {
    let contest = contest("instant-runoff", &["a", "b", "c"], json!({}));
    let ballot = contest
        .encode_ballot(&json!({"ranking": ["c", "a"]}))
        .unwrap();
    let first = contest.validate_metered(&ballot).unwrap();
    for other in [&[][..], &[0xff], &[0; 300]] {
        contest.validate(other).unwrap();
        assert_eq!(contest.validate_metered(&ballot).unwrap(), first);
    }
}

#[test]
fn more_callers_than_instances_wait() {
    let config_ = RuntimeConfig {
        instances_max: 2,
        ..RuntimeConfig::default()
    };
    let plugin = Runtime::new(config_)
        .unwrap()
        .load(tabella_plugins::get("plurality").unwrap().wasm);
    let contest = plugin
        .unwrap()
        .contest(&config(&["a", "b"], json!({})))
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(contest.validate(&[1]).unwrap(), Verdict::Accept);
                    contest.tally([(1, [1])].into_iter(), [0; 32]).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_compiled_plugin_is_kept_and_a_damaged_one_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let load = || {
        let cache_dir = Some(folder.path().join("plugins"));
        let runtime = Runtime::new(RuntimeConfig {
            cache_dir,
            ..RuntimeConfig::default()
        })
        .unwrap();
        let started = Instant::now();
        let plugin = runtime
            .load(tabella_plugins::get("instant-runoff").unwrap().wasm)
            .unwrap();
        (plugin, started.elapsed())
    };
    let files = || {
        let entries = std::fs::read_dir(folder.path().join("plugins")).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let (plugin, compiled) = load();
    let [kept] = &files()[..] else {
        panic!("one file is kept, and nothing beside it")
    };
    let name = kept.file_name().unwrap().to_str().unwrap();
    let sha256: String = plugin
        .sha256()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(name.starts_with(&sha256), "{name}");
    let (_, loaded) = load();
    eprintln!("compiled in {compiled:?}, loaded in {loaded:?}");
    let whole = std::fs::read(kept).unwrap();
    for damaged in [
        &whole[..whole.len() / 2],
        b"",
        b"not an artifact, and longer than a digest is",
    ] {
        std::fs::write(kept, damaged).unwrap();
        let (plugin, _) = load();
        let contest = plugin.contest(&config(&["a"], json!({}))).unwrap();
        assert_eq!(contest.validate(&[0]).unwrap(), Verdict::Accept);
        assert_eq!(std::fs::read(kept).unwrap(), whole);
    }
}

#[test]
fn lower_limits_bind() {
    let limits = PluginLimits {
        validate_fuel: 10,
        ..PluginLimits::default()
    };
    let runtime = Runtime::new(RuntimeConfig {
        limits,
        ..RuntimeConfig::default()
    })
    .unwrap();
    let plugin = runtime
        .load(tabella_plugins::get("plurality").unwrap().wasm)
        .unwrap();
    let contest = plugin.contest(&config(&["a"], json!({}))).unwrap();
    let (verdict, fuel) = contest.validate_metered(&[0]).unwrap();
    let Verdict::Fault(fault) = verdict else {
        panic!("accepted without fuel")
    };
    expect![
        "the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
    ]
    .assert_eq(&fault.to_string());
    assert_eq!(fuel, 10);
}

#[test]
fn the_numbers_that_genesis_pins() {
    expect![[r#"
        {
          "validate_fuel": 1000000,
          "validate_memory_bytes": 4194304,
          "message_bytes": 256,
          "fold_fuel": 100000000,
          "finish_fuel": 2000000000,
          "tally_memory_bytes": 67108864,
          "outcome_bytes": 1048576,
          "configure_fuel": 10000000,
          "manifest_bytes": 16384,
          "config_bytes": 262144,
          "options": 4096,
          "ballot_bytes": 16384,
          "batch_ballots": 1024,
          "batch_bytes": 131072,
          "chunk_batches": 64,
          "module_bytes": 262144,
          "functions": 2000,
          "operators": 200000,
          "signature_values": 64,
          "function_locals": 256,
          "function_operators": 20000,
          "block_depth": 256,
          "loop_depth": 16,
          "loops_times_locals": 10000,
          "table_elements": 4096,
          "globals": 64,
          "stack_slots": 12288,
          "fuel_costs": {
            "version": 1,
            "simple": 1,
            "multiply": 1,
            "divide": 4,
            "branch": 1,
            "load": 1,
            "store": 1,
            "call": 2,
            "call_indirect": 4,
            "bulk": 8,
            "grow_page": 255,
            "copy_byte": 1,
            "fill_byte": 1
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&PluginLimits::default()).unwrap());
    // A genesis names each of them.
    let some: Result<PluginLimits, _> = serde_json::from_value(json!({"validate_fuel": 5}));
    assert!(some.is_err());
}
