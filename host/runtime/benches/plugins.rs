//! What running rules as plugins costs, beside the same code compiled natively, in one run.
//!
//! `cargo bench -p tabella-runtime` prints the table. Each figure is the best of several runs,
//! because everything that disturbs a run makes it slower.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;
use tabella_abi::codec::put_varint;
use tabella_rule_instant_runoff::InstantRunoff;
use tabella_runtime::{Contest, ContestConfig, ContestOption, Runtime, RuntimeConfig, Verdict};
use tabella_sdk::Guest;

const BALLOTS: u64 = 1_000_000;
const RUNS: u32 = 5;

fn main() {
    let folder = std::env::temp_dir().join(format!("tabella-bench-{}", std::process::id()));
    row("resident memory at start", resident());
    publish(&folder);
    row("resident memory after loading a plugin", resident());
    validate();
    row("resident memory after validating", resident());
    tally();
    // Leaving a few megabytes behind in the temporary folder is not worth failing for.
    let _ = std::fs::remove_dir_all(folder);
}

fn best(mut run: impl FnMut() -> Duration) -> Duration {
    (0..RUNS).map(|_| run()).min().expect("at least one run")
}

fn row(what: &str, value: String) {
    println!("{what:<58} {value:>16}");
}

fn runtime(threads: usize) -> Runtime {
    let config = RuntimeConfig {
        tally_threads: threads,
        ..RuntimeConfig::default()
    };
    Runtime::new(config).expect("the machine has address space for the pool")
}

fn contest(runtime: &Runtime, options: usize) -> Contest {
    let rule = tabella_plugins::get("instant-runoff").expect("a built-in rule");
    let option = |number| ContestOption {
        id: format!("option-{number}"),
        title: String::new(),
    };
    let options = (0..options).map(option).collect();
    let config = ContestConfig {
        options,
        params: json!({}),
    };
    let plugin = runtime.load(rule.wasm).expect("a built-in rule loads");
    plugin.contest(&config).expect("the defaults are valid")
}

/// Memory of this process in use, where the system tells.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or("unknown".into(), |value| value.trim().to_owned())
}

fn publish(folder: &std::path::Path) {
    let largest = tabella_plugins::all()
        .iter()
        .max_by_key(|rule| rule.wasm.len());
    let largest = largest.expect("there are built-in rules");
    let runtime = || {
        let cache_dir = Some(folder.to_owned());
        Runtime::new(RuntimeConfig {
            cache_dir,
            ..RuntimeConfig::default()
        })
        .expect("as above")
    };
    let load = |runtime: &Runtime| {
        let started = Instant::now();
        runtime.load(largest.wasm).expect("a built-in rule loads");
        started.elapsed()
    };
    let what = format!(
        "{} ({} KiB): check and compile",
        largest.name,
        largest.wasm.len() >> 10
    );
    row(
        &what,
        format!("{:.1} ms", load(&runtime()).as_secs_f64() * 1e3),
    );
    let cached = best(|| load(&runtime()));
    row(
        "the same from the cache",
        format!("{:.2} ms", cached.as_secs_f64() * 1e3),
    );
}

fn validate() {
    let runtime = runtime(1);
    let contest = contest(&runtime, 6);
    let ballot = json!({"ranking": ["option-3", "option-1", "option-5"]});
    let ballot = contest.encode_ballot(&ballot).expect("a valid ballot");
    let calls = 50_000;
    let took = best(|| {
        let started = Instant::now();
        for _ in 0..calls {
            assert_eq!(contest.validate(black_box(&ballot)), Ok(Verdict::Accept));
        }
        started.elapsed()
    });
    let each = took.as_secs_f64() / f64::from(calls);
    row(
        "validate in a fresh instance",
        format!("{:.2} us", each * 1e6),
    );
    row(
        "validations a second, one thread",
        format!("{:.0}", 1.0 / each),
    );
    let (_, fuel) = contest.validate_metered(&ballot).expect("the host works");
    row("fuel of one validation", fuel.to_string());
}

/// Rankings of six options by a fixed sequence; about 2,000 of them are distinct.
fn rankings() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    (0..BALLOTS)
        .map(|_| {
            let mut left = vec![0u8, 1, 2, 3, 4, 5];
            let ranked = 1 + next(6);
            (0..ranked)
                .map(|_| left.swap_remove(next(left.len())) * 2)
                .collect()
        })
        .collect()
}

fn tally() {
    let ballots = rankings();
    let native = best(|| native_tally(&ballots));
    row(
        "tally of 1,000,000 rankings, native, one thread",
        format!("{:.0} ms", ms(native)),
    );
    let mut single = Duration::ZERO;
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let contest = contest(&runtime, 6);
        let took = best(|| {
            let started = Instant::now();
            let weighted = ballots.iter().map(|ballot| (1, ballot));
            black_box(contest.tally(weighted, [0; 32]).expect("a valid board"));
            started.elapsed()
        });
        let what = format!("the same as a plugin, threads: {threads}");
        row(&what, format!("{:.0} ms", ms(took)));
        if threads == 1 {
            single = took;
            let ratio = took.as_secs_f64() / native.as_secs_f64();
            row("  times native", format!("{ratio:.2}"));
        } else {
            let ratio = single.as_secs_f64() / took.as_secs_f64();
            row("  times faster than one thread", format!("{ratio:.2}"));
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The same rule and the same batches, without Wasm.
fn native_tally(ballots: &[Vec<u8>]) -> Duration {
    use tabella_abi::codec::Wire;
    use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
    let option = |number| {
        let id = format!("option-{number}");
        ContestOption {
            title: id.clone(),
            id,
        }
    };
    let params = vec![
        ParamValue::Choice(0),
        ParamValue::Flag(false),
        ParamValue::Choice(0),
    ];
    let configuration = Configuration {
        options: (0..6).map(option).collect(),
        params,
    };
    let order = TieOrder {
        decider: Decider::Seed,
        order: (0..6).collect(),
    };
    let mut guest = Guest::<InstantRunoff>::new();
    assert_eq!(guest.configure(&configuration.to_wire()), 0);
    let started = Instant::now();
    for batch in ballots.chunks(1_024) {
        let mut bytes = Vec::new();
        for ballot in batch {
            put_varint(&mut bytes, 1);
            put_varint(&mut bytes, ballot.len() as u64);
            bytes.extend_from_slice(ballot);
        }
        assert_eq!(guest.fold(&bytes), 0);
    }
    black_box(guest.finish(&order.to_wire()));
    started.elapsed()
}
