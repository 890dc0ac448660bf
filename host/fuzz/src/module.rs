//! Bytes as a plugin.

use std::sync::OnceLock;

use tabella_plugin_tools::sample;
use tabella_runtime::{
    Compiler, ConfigError, LoadError, PluginLimits, Runtime, RuntimeConfig, TallyError, Verdict,
};

/// Small enough that most changes hit something.
const SMALL: &str = r#"(module
    (memory (export "memory") 1 4)
    (table 2 funcref) (elem (i32.const 0) $double $double)
    (global $count (mut i32) (i32.const 0))
    (data (i32.const 64) "{\"abi\":1,\"name\":\"trial\",\"version\":\"1\",\"summary\":\"A trial.\",\"licence\":\"MIT\",\"ballot\":\"raw\"}")
    (data (i32.const 200) "\00\00\02\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
    (func $double (param i32) (result i32) (i32.add (local.get 0) (local.get 0)))
    (func (export "tabella_abi_v1"))
    (func (export "buffer") (param i32) (result i32) i32.const 4096)
    (func (export "describe") (result i64) i64.const 274877907034)
    (func (export "configure") (param i32) (result i32)
        (global.set $count (i32.load offset=4096 (i32.const 0))) i32.const 0)
    (func (export "validate") (param i32) (result i32) (local i64)
        (block (loop
            (br_if 1 (i32.eqz (local.get 0)))
            (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (i32.load8_u offset=4095 (local.get 0)))))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br 0)))
        (i32.rem_u (call_indirect (param i32) (result i32) (i32.wrap_i64 (local.get 1)) (i32.const 1)) (i32.const 3)))
    (func (export "fold") (param i32) (result i32)
        (memory.copy (i32.const 8192) (i32.const 4096) (local.get 0))
        (drop (memory.grow (i32.const 1))) i32.const 0)
    (func (export "merge") (param i32) (result i32) i32.const 0)
    (func (export "save") (result i64) i64.const 35184372088836)
    (func (export "finish") (param i32) (result i64) i64.const 858993459215)
    (func (export "message") (result i64) i64.const 274877906948))"#;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        wat::parse_str(SMALL).expect("the text is a module"),
        Vec::new(),
    ];
    let mut rules: Vec<&[u8]> = tabella_plugins::all()
        .iter()
        .map(|rule| rule.wasm)
        .collect();
    rules.sort_by_key(|wasm| wasm.len());
    seeds.extend(rules.into_iter().take(2).map(<[u8]>::to_vec));
    seeds
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let limits = PluginLimits {
            // Endless loops are frequent among changed modules.
            fold_fuel: 1_000_000,
            finish_fuel: 1_000_000,
            configure_fuel: 1_000_000,
            batch_ballots: 1,
            chunk_batches: 1,
            ..PluginLimits::default()
        };
        Runtime::new(RuntimeConfig {
            compiler: Compiler::InProcess,
            limits,
            ..RuntimeConfig::default()
        })
        .expect("the sandbox starts")
    })
}

pub(crate) fn start() {
    runtime();
}

pub(crate) fn take(input: &[u8]) {
    let plugin = match runtime().load(input) {
        Ok(plugin) => plugin,
        Err(LoadError::Host(fault)) => panic!("{fault}"),
        Err(LoadError::NotCompiled(error)) => panic!("{error}"),
        Err(_) => return,
    };
    let options = plugin.manifest().options_min.clamp(3, 20);
    let contest = match plugin.contest(&sample::contest(options)) {
        Ok(contest) => contest,
        Err(ConfigError::Host(fault)) => panic!("{fault}"),
        Err(_) => return,
    };
    let ballots: [&[u8]; 3] = [&[], &[0], &[0, 2, 4]];
    for ballot in ballots {
        let first = contest
            .validate_metered(ballot)
            .unwrap_or_else(|fault| panic!("{fault}"));
        let again = contest
            .validate_metered(ballot)
            .unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(first, again, "the same ballot is judged alike");
        if let Verdict::Fault(_) = first.0 {
            return;
        }
    }
    let weighted = ballots.iter().map(|ballot| (1, ballot));
    match contest.tally(weighted, [7; 32]) {
        Ok(tally) => {
            let outcome = contest.outcome_json(&tally.outcome);
            outcome.unwrap_or_else(|error| panic!("a tally's outcome: {error}"));
        }
        Err(TallyError::Host(fault)) => panic!("{fault}"),
        Err(_) => {}
    }
}
