//! What every host must compute alike: fuel by the table, faults, counts on any number of threads.

use expect_test::expect;
use serde_json::json;
use tabella_contest::TieBreak;
use tabella_runtime::{PluginLimits, Runtime, RuntimeConfig, Verdict};

use crate::config;
use crate::hostile::Parts;

fn fuel(validate: &str) -> u64 {
    let contest = Parts::validating(validate).contest();
    let (verdict, fuel) = contest.validate_metered(b"").unwrap();
    assert_eq!(verdict, Verdict::Accept, "{validate}");
    fuel
}

#[test]
fn fuel_is_what_the_table_says() {
    let nothing = fuel("i32.const 0");
    let costs = [
        ("(nop) (block (drop (i32.const 1)))", 1),
        ("(drop (i32.add (i32.const 1) (i32.const 2)))", 3),
        ("(drop (i32.mul (i32.const 1) (i32.const 2)))", 3),
        ("(drop (i32.div_u (i32.const 1) (i32.const 2)))", 6),
        ("(drop (i32.load (i32.const 8)))", 2),
        ("(i64.store (i32.const 8) (i64.const 1))", 3),
        ("(block (br_if 0 (i32.const 1)))", 2),
        ("(if (i32.const 1) (then (nop)))", 2),
        ("(drop (memory.size))", 1),
        // Eight, and 255 a page.
        ("(drop (memory.grow (i32.const 0)))", 9),
        ("(drop (memory.grow (i32.const 1)))", 264),
        ("(drop (memory.grow (i32.const 3)))", 774),
        // Eight, and one a byte.
        (
            "(memory.fill (i32.const 0) (i32.const 0) (i32.const 100))",
            111,
        ),
        (
            "(memory.copy (i32.const 0) (i32.const 1) (i32.const 100))",
            111,
        ),
    ];
    for (operators, cost) in costs {
        let used = fuel(&format!("{operators} (i32.const 0)"));
        assert_eq!(used - nothing, cost, "{operators}");
    }
}

#[test]
fn a_function_that_calls_pays_for_its_stack_count() {
    let calls = |validate: &str| {
        let parts = Parts {
            validate: validate.into(),
            more: "(func $f) (func $g (call $f))".into(),
            ..Parts::default()
        };
        let (verdict, fuel) = parts.contest().validate_metered(b"").unwrap();
        assert_eq!(verdict, Verdict::Accept);
        fuel
    };
    // One for each activation, twelve more where it calls others, two for each call.
    let nothing = calls("i32.const 0");
    assert_eq!(calls("(call $f) (i32.const 0)") - nothing, 12 + 2 + 1);
    assert_eq!(
        calls("(call $g) (i32.const 0)") - nothing,
        12 + 2 + (1 + 12) + 2 + 1
    );
}

#[test]
fn a_fault_costs_the_whole_limit() {
    let most = PluginLimits::default().validate_fuel;
    let faults = [
        "unreachable",
        "(i32.div_u (i32.const 1) (i32.const 0))",
        "(i32.load (i32.const -1))",
        "(loop $again (br $again)) (i32.const 0)",
        "(drop (memory.grow (i32.const 1000))) unreachable",
    ];
    for validate in faults {
        let (verdict, fuel) = Parts::validating(validate)
            .contest()
            .validate_metered(b"")
            .unwrap();
        assert!(matches!(verdict, Verdict::Fault(_)), "{validate}");
        assert_eq!(fuel, most, "{validate}");
    }
}

/// Counts the first byte of ballots, 0 or 1, in memory at 16 and 24.
fn counting() -> Parts {
    Parts {
        fold: "(local i32 i32)
            (local.set 1 (i32.const 65536))
            (block $end (loop $next
                (br_if $end (i32.ge_u (local.get 1) (i32.add (local.get 0) (i32.const 65536))))
                (local.set 2 (i32.add (i32.const 16)
                    (i32.mul (i32.load8_u offset=2 (local.get 1)) (i32.const 8))))
                (i32.store (local.get 2)
                    (i32.add (i32.load (local.get 2)) (i32.load8_u (local.get 1))))
                (local.set 1 (i32.add (local.get 1) (i32.const 3)))
                (br $next)))
            (i32.const 0)"
            .into(),
        merge: "(i64.store (i32.const 16) (i64.add (i64.load (i32.const 16)) (i64.load (i32.const 65536))))
            (i64.store (i32.const 24) (i64.add (i64.load (i32.const 24)) (i64.load (i32.const 65544))))
            (i32.const 0)"
            .into(),
        // Nobody wins; what was counted stands in the options' votes, doubled by the zigzag.
        finish: "(i32.store8 (i32.const 8196) (i32.mul (i32.load (i32.const 16)) (i32.const 2)))
            (i32.store8 (i32.const 8200) (i32.mul (i32.load (i32.const 24)) (i32.const 2)))
            (i64.const 35184372088847)"
            .into(),
        save: "i64.const 68719476752".into(),
        ..Parts::default()
    }
}

/// Bytes and fuel are written down here, so that a debug build and a release build, today's compiler
/// and tomorrow's, are held to the same.
#[test]
fn a_count_is_the_same_in_every_build_and_on_any_number_of_threads() {
    let ballots: Vec<(u64, [u8; 1])> = (0..50u8).map(|n| (1, [u8::from(n % 5 == 0)])).collect();
    for tally_threads in [1, 2, 3, 8] {
        let limits = PluginLimits {
            batch_ballots: 3,
            chunk_batches: 2,
            ..PluginLimits::default()
        };
        let runtime = Runtime::new(RuntimeConfig {
            limits,
            tally_threads,
            ..RuntimeConfig::default()
        });
        let plugin = runtime.unwrap().load(&counting().wasm()).unwrap();
        let contest = plugin.contest(&config(&["a", "b"], json!({}))).unwrap();
        let tally = contest
            .tally_with(ballots.iter().copied(), &TieBreak::Report)
            .unwrap();
        let votes = contest.outcome_json(&tally.outcome).unwrap()["options"].clone();
        let shown = format!(
            "{} and {} votes, fuel {}, {:?}",
            votes[0]["votes"], votes[1]["votes"], tally.fuel, tally.outcome
        );
        // By the table: 25 a ballot, 12 a batch, 2 for each chunk saved, 18 to merge it, 16 to finish.
        expect!["40 and 10 votes, fuel 1630, [0, 0, 2, 0, 80, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0]"]
            .assert_eq(&shown);
    }
}

#[test]
fn other_fuel_tables_are_not_guessed() {
    let mut limits = PluginLimits::default();
    limits.fuel_costs.version = 2;
    let runtime = Runtime::new(RuntimeConfig {
        limits,
        ..RuntimeConfig::default()
    });
    let error = runtime.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("expected fuel costs of version 1, got version 2"),
        "{error}"
    );
}

/// Says to the copy of the test below that runs in a process of its own what it is.
const SMALL_PROCESS: &str = "TABELLA_TEST_SMALL_PROCESS";

#[test]
fn growth_that_the_system_refuses_is_the_hosts_failure() {
    if std::env::var_os(SMALL_PROCESS).is_some() {
        return in_a_small_process();
    }
    let name = "determinism::growth_that_the_system_refuses_is_the_hosts_failure";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(SMALL_PROCESS, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{child:?}");
    assert!(said.contains("the host could not run the plugin"), "{said}");
}

/// The plugin may have 64 pages by its limit; the system gives the process no more memory.
fn in_a_small_process() {
    use nix::sys::resource::{Resource, setrlimit};
    let validate = "(if (result i32) (local.get 0)
        (then (i32.eq (memory.grow (i32.const 60)) (i32.const -1)))
        (else (i32.const 0)))";
    let contest = Parts::validating(validate).contest();
    // What a small ballot needs is there; nothing has grown yet.
    assert_eq!(contest.validate(b"").unwrap(), Verdict::Accept);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let data = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let data = data.and_then(|kib| kib.split_whitespace().next());
    let used: u64 = data.unwrap().parse::<u64>().unwrap() << 10;
    let most = used + (1 << 20);
    setrlimit(Resource::RLIMIT_DATA, most, most).unwrap();
    // Neither accepted nor refused: another host may have the memory.
    println!("{}", contest.validate(b"more").unwrap_err());
}
