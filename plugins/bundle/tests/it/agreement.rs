//! A rule's module and the same rule natively give the same bytes.

use std::sync::OnceLock;

use serde_json::Value;
use tabella_rule_testing::{Paper, Ties, outcome};
use tabella_runtime::{
    Contest, ContestConfig, ContestOption, Runtime, RuntimeConfig, TieBreak, Verdict,
};
use tabella_sdk::Rule;
use tabella_sdk::ballot::Ballot;
use tabella_sdk::codec::Wire;

/// Ballots that differ, one a line, from a seed: for each option a number from 0 to `values`, from
/// which `write` makes a ballot.
pub(crate) fn draw(
    seed: u64,
    ballots: usize,
    options: usize,
    values: u64,
    write: impl Fn(&[u64]) -> String,
) -> String {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % (values + 1)
    };
    let lines = (0..ballots).map(|number| {
        let values: Vec<_> = (0..options).map(|_| next()).collect();
        format!("{}: {}\n", 1 + number % 3, write(&values))
    });
    lines.collect()
}

/// `o0 o3`: the options whose number is not 0.
pub(crate) fn marks(values: &[u64]) -> String {
    let marked = values.iter().enumerate().filter(|(_, value)| **value > 0);
    marked.map(|(option, _)| format!("o{option} ")).collect()
}

/// `o0=2 o3=5`: the options whose number is not 0, with it.
pub(crate) fn values(values: &[u64]) -> String {
    let given = values.iter().enumerate().filter(|(_, value)| **value > 0);
    given
        .map(|(option, value)| format!("o{option}={value} "))
        .collect()
}

/// `o3 > o0 = o1`: the options by their number, but for 0.
pub(crate) fn ranks(values: &[u64]) -> String {
    let mut ranked: Vec<_> = values
        .iter()
        .enumerate()
        .filter(|(_, rank)| **rank > 0)
        .collect();
    ranked.sort_by_key(|(_, rank)| **rank);
    let ranks = ranked
        .chunk_by(|(_, one), (_, other)| one == other)
        .map(|rank| {
            let shared = rank.iter().map(|(option, _)| format!("o{option}"));
            shared.collect::<Vec<_>>().join(" = ")
        });
    ranks.collect::<Vec<_>>().join(" > ")
}

/// So many options: `o0 o1 o2`.
pub(crate) fn options(count: usize) -> String {
    let ids = (0..count).map(|option| format!("o{option}"));
    ids.collect::<Vec<_>>().join(" ")
}

fn contest(rule: &str, paper: &Paper) -> Contest {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new(RuntimeConfig::default()).unwrap());
    let wasm = tabella_plugins::get(rule).expect("a built-in rule").wasm;
    let plugin = runtime.load(wasm).unwrap();
    assert_eq!(plugin.manifest().name, rule);
    let option = |id: &String| ContestOption {
        id: id.clone(),
        title: id.clone(),
    };
    let config = ContestConfig {
        options: paper.options().iter().map(option).collect(),
        params: paper.params().clone(),
    };
    plugin.contest(&config).unwrap()
}

/// Checks that the module accepts these ballots, and that its outcome is the native one, ties
/// reported and decided. Returns the fuel of the count.
pub(crate) fn check<R: Rule>(rule: &str, count: usize, params: Value, ballots: &str) -> u64 {
    let paper = Paper::new(<R::Ballot as Ballot>::KIND, &options(count), params);
    let contest = contest(rule, &paper);
    let bytes = paper.ballots(ballots);
    for (_, ballot) in bytes.iter().take(500) {
        assert_eq!(contest.validate(ballot).unwrap(), Verdict::Accept);
    }
    let backwards: Vec<String> = paper.options().iter().rev().cloned().collect();
    let order = Ties::Order(backwards.join(" "));
    let mut fuel = 0;
    for (ties, tie_break) in [
        (Ties::Report, TieBreak::Report),
        (order, TieBreak::Order(backwards)),
    ] {
        let tally = contest
            .tally_with(bytes.iter().cloned(), &tie_break)
            .unwrap();
        let native = outcome::<R>(&paper, ballots, &ties);
        assert!(
            tally.outcome == native.to_wire(),
            "{rule} {ties:?}: native {native:?}\nwasm {:?}",
            contest.outcome(&tally.outcome)
        );
        fuel = tally.fuel;
    }
    fuel
}
