//! What running rules as plugins costs, beside the same code compiled natively, in one run.
//!
//! `cargo xtask bench-plugins` prints the table. What is compared is measured in turns, and each
//! figure is the best of several, because everything that disturbs a run makes it slower.

#[path = "../tests/it/worst_modules.rs"]
mod worst_modules;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Configuration, Decider, ParamValue, TieOrder};
use tabella_contest::{ContestConfig, ContestOption};
use tabella_rule_instant_runoff::InstantRunoff;
use tabella_runtime::{Contest, Runtime, RuntimeConfig, Verdict};
use tabella_sdk::Guest;

const BALLOTS: usize = 1_000_000;
const OPTIONS: usize = 6;
const TURNS: u32 = 7;

fn main() {
    let folder = std::env::temp_dir().join(format!("tabella-bench-{}", std::process::id()));
    println!("| {:<66} | {:>12} | {:<16} |", "what", "measured", "target");
    println!("| {:-<66} | {:->12} | {:-<16} |", "", "", "");
    validate();
    tally();
    memory();
    publish(&folder);
    // Leaving a few megabytes behind in the temporary folder is not worth failing for.
    let _ = std::fs::remove_dir_all(folder);
}

fn row(what: &str, value: String, target: &str) {
    println!("| {what:<66} | {value:>12} | {target:<16} |");
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

fn best(mut work: impl FnMut() -> Duration) -> Duration {
    let turns = (0..TURNS).map(|_| work());
    turns.min().expect("at least one turn")
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn runtime(tally_threads: usize, cache_dir: Option<&Path>) -> Runtime {
    let config = RuntimeConfig {
        tally_threads,
        cache_dir: cache_dir.map(Path::to_owned),
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
    let config = ContestConfig {
        options: (0..options).map(option).collect(),
        params: json!({}),
    };
    let plugin = runtime.load(rule.wasm).expect("a built-in rule loads");
    plugin.contest(&config).expect("the defaults are valid")
}

fn validate() {
    const CALLS: u32 = 60_000;
    let runtime = runtime(1, None);
    let contests = [4, OPTIONS, 12].map(|options| contest(&runtime, options));
    let ballot = json!({"ranking": ["option-3", "option-1", "option-2"]});
    let ballots = contests.each_ref().map(|contest| {
        let bytes = contest.encode_ballot(&ballot).expect("a valid ballot");
        (contest, bytes)
    });
    let took = best(|| {
        timed(|| {
            for (contest, ballot) in ballots.iter().cycle().take(CALLS as usize) {
                assert_eq!(contest.validate(black_box(ballot)), Ok(Verdict::Accept));
            }
        })
    });
    let second = f64::from(CALLS) / took.as_secs_f64();
    row(
        "validate, a ballot of 3 contests: calls a second on one core",
        format!("{second:.0}"),
        ">= 100,000",
    );
}

/// Rankings of six options by a fixed sequence; 1,956 different ones.
fn rankings() -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    std::iter::repeat_with(move || {
        let mut left: Vec<u8> = (0..OPTIONS as u8).collect();
        let ranked = 1 + next(OPTIONS);
        (0..ranked)
            .map(|_| left.swap_remove(next(left.len())) * 2)
            .collect()
    })
}

fn tally() {
    let ballots: Vec<Vec<u8>> = rankings().take(BALLOTS).collect();
    let contests = [1, 2].map(|threads| contest(&runtime(threads, None), OPTIONS));
    let count = |contest: &Contest| {
        let weighted = ballots.iter().map(|ballot| (1, ballot));
        contest.tally(weighted, [0; 32]).expect("a valid board")
    };
    assert_eq!(count(&contests[0]), count(&contests[1]));
    let other = contest(&runtime(1, None), OPTIONS);
    let [mut native, mut one, mut two, mut both] = [Duration::MAX; 4];
    for _ in 0..TURNS {
        native = native.min(timed(|| native_tally(&ballots)));
        one = one.min(timed(|| count(&contests[0])));
        two = two.min(timed(|| count(&contests[1])));
        both = both.min(timed(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| count(&other));
                count(&contests[0]);
            });
        }));
    }
    row(
        "tally of 1,000,000 rankings, native",
        format!("{:.0} ms", ms(native)),
        "",
    );
    row(
        "the same as a plugin, one thread",
        format!("{:.0} ms", ms(one)),
        "",
    );
    let ratio = one.as_secs_f64() / native.as_secs_f64();
    row("  times native", format!("{ratio:.2}"), "<= 1.5");
    row(
        "the same as a plugin, two threads",
        format!("{:.0} ms", ms(two)),
        "",
    );
    let ratio = one.as_secs_f64() / two.as_secs_f64();
    row(
        "  times faster than one thread",
        format!("{ratio:.2}"),
        ">= 1.7",
    );
    let ratio = 2.0 * one.as_secs_f64() / both.as_secs_f64();
    row(
        "  what two counts at once gain over one after the other, here",
        format!("{ratio:.2}"),
        "",
    );
}

/// The same rule and the same batches, without Wasm.
fn native_tally(ballots: &[Vec<u8>]) -> Vec<u8> {
    let option = |number| {
        let id = format!("option-{number}");
        tabella_abi::contest::ContestOption {
            title: id.clone(),
            id,
        }
    };
    // As the host gives them where an election says nothing: `overvote` to `undeclared`, `minimum_votes`,
    // `seats`, `several_seats`, `ties`.
    let mut params = vec![ParamValue::Absent; 8];
    params.extend([
        ParamValue::Integer(0),
        ParamValue::Integer(1),
        ParamValue::Choice(0),
        ParamValue::Choice(0),
    ]);
    let configuration = Configuration {
        options: (0..OPTIONS).map(option).collect(),
        params,
    };
    let order = TieOrder {
        decider: Decider::Seed,
        order: (0..OPTIONS).collect(),
    };
    let mut guest = Guest::<InstantRunoff>::new();
    assert_eq!(guest.configure(&configuration.to_wire()), 0);
    for batch in ballots.chunks(1_024) {
        let mut bytes = Vec::new();
        for ballot in batch {
            put_varint(&mut bytes, 1);
            put_varint(&mut bytes, ballot.len() as u64);
            bytes.extend_from_slice(ballot);
        }
        assert_eq!(guest.fold(&bytes), 0);
    }
    guest.finish(&order.to_wire())
}

/// What a count needs beside what the process has already, where the system tells.
fn memory() {
    let contest = contest(&runtime(1, None), OPTIONS);
    for ballots in [BALLOTS / 10, BALLOTS] {
        // Makes the system forget the peak.
        if std::fs::write("/proc/self/clear_refs", "5").is_err() {
            return;
        }
        let before = status_kib("VmRSS:");
        let weighted = rankings().take(ballots).map(|ballot| (1, ballot));
        black_box(contest.tally(weighted, [0; 32]).expect("a valid board"));
        let used = status_kib("VmHWM:").saturating_sub(before);
        row(
            &format!("memory of a count of {ballots} ballots, 1,956 different rankings"),
            format!("{used} KiB"),
            "not by ballots",
        );
    }
}

fn status_kib(member: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(member));
    let number = line.and_then(|value| value.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

fn publish(folder: &Path) {
    let rules = tabella_plugins::all().iter();
    let largest = rules
        .max_by_key(|rule| rule.wasm.len())
        .expect("there are built-in rules");
    let what = format!("{} ({} KiB)", largest.name, largest.wasm.len() >> 10);
    let load = |runtime: &Runtime| timed(|| runtime.load(largest.wasm).expect("it loads"));
    let compiled = best(|| {
        let runtime = runtime(1, None);
        load(&runtime)
    });
    let shown = format!("{:.0} ms", ms(compiled));
    row(
        &format!("the largest built-in rule, {what}: inspect and compile"),
        shown,
        "< 1,000 ms",
    );
    load(&runtime(1, Some(folder)));
    let kept = best(|| {
        let runtime = runtime(1, Some(folder));
        load(&runtime)
    });
    row(
        "the same, kept from an earlier run",
        format!("{:.2} ms", ms(kept)),
        "< 5 ms",
    );
    let runtime = runtime(1, None);
    let worst = worst_modules::all().into_iter().map(|(name, wasm)| {
        let took = timed(|| runtime.load(&wasm).expect("it passes inspection"));
        (took, name)
    });
    let (took, name) = worst.max().expect("there are some");
    row(
        &format!("the slowest module that passes inspection ({name})"),
        format!("{:.0} ms", ms(took)),
        "< 60,000 ms",
    );
}
