//! Whole networks under virtual time, with every fault drawn from a seed.
//!
//! Each validator is the node's own replica, pool, journal, ledger and consensus algorithm, with real
//! signatures, real plugins and the real write-ahead log, over files that lose what was not synced.
//! Simulated are time, the network, the actors between these parts (`happen`), and death: at any
//! message, at any effect of consensus, at any access to the disk.
//!
//! A run ends when the faults are over and everything has come right again. Checked are: one block
//! and one state at each height; that no honest validator ever signs two different things for one
//! step, nor is accused of it; that every acknowledged ballot is on the chain, once; that the boards
//! count each voter once; that everyone decides again.
//!
//! `cargo xtask simulate --seeds 1 --from SEED` repeats a run.

mod chance;
mod checks;
pub(crate) mod disk;
mod happen;
mod node;
mod plan;
mod setup;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use tabella_protocol::{Hash, Quorum};

use self::{
    plan::{Attack, Plan, Sabotage, Weather},
    setup::Setup,
    world::World,
};

/// Seeds that every run of the tests goes through.
const SEEDS: u64 = 300;

#[derive(Debug, Default)]
struct Figures {
    events: u64,
    decided: u64,
    crashes: u64,
    attacks: u64,
    forks: u64,
}

/// Plays a plan; returns its trace and what was wrong.
fn play(seed: u64, plan: Plan, setup: &Setup, figures: &mut Figures) -> (Hash, Vec<String>) {
    let directory = tempfile::TempDir::new().expect("a temporary directory");
    let mut world = World::new(seed, plan, setup, directory.path());
    world.run();
    figures.events += world.events;
    figures.decided += world.decided;
    figures.crashes += world.crashes;
    figures.attacks += world.attacks;
    figures.forks += u64::from(!world.forks.is_empty());
    (world.trace_hash(), world.judge())
}

/// Plays the seeds; returns those that failed, with the reason.
fn play_all(seeds: std::ops::Range<u64>) -> Vec<(u64, String)> {
    let cache = tempfile::TempDir::new().expect("a temporary directory");
    let setup = Setup::new(cache.path());
    let (mut figures, mut failures) = (Figures::default(), Vec::new());
    let (started, count) = (Instant::now(), seeds.end - seeds.start);
    for seed in seeds {
        let played = AssertUnwindSafe(|| play(seed, Plan::of(seed), &setup, &mut figures).1);
        let problems = catch_unwind(played).unwrap_or_else(|_| vec!["panicked".into()]);
        if !problems.is_empty() {
            println!("seed {seed}: {}", problems.join("; "));
            failures.push((seed, problems.join("; ")));
        }
    }
    println!("{count} seeds in {:.1?}: {figures:?}", started.elapsed());
    failures
}

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("expected a number in {name}, got {text}")),
    )
}

/// `cargo xtask simulate` says which; otherwise those of every test run.
#[test]
fn every_seed_comes_right() {
    let from = from_environment("TABELLA_SIMULATE_FROM").unwrap_or(0);
    let count = from_environment("TABELLA_SIMULATE_SEEDS").unwrap_or(SEEDS);
    let failures = play_all(from..from.saturating_add(count));
    assert!(
        failures.is_empty(),
        "{} of {count} seeds failed; repeat one with `cargo xtask simulate --seeds 1 --from {}`",
        failures.len(),
        failures[0].0
    );
}

#[test]
fn a_seed_gives_the_same_run_again() {
    let cache = tempfile::TempDir::new().expect("a temporary directory");
    let setup = Setup::new(cache.path());
    for seed in [1, 2, 1_000_003] {
        let play = || play(seed, Plan::of(seed), &setup, &mut Figures::default()).0;
        assert_eq!(play(), play(), "seed {seed}");
    }
}

/// Where nothing else goes wrong, a liar is found out by everybody whom it told the one thing or the
/// other.
#[test]
fn a_liar_is_named_by_every_honest_validator() {
    let cache = tempfile::TempDir::new().expect("a temporary directory");
    let setup = Setup::new(cache.path());
    for (validators, quorum) in [(3, Quorum::Majority), (4, Quorum::Bft)] {
        for seed in 0..6 {
            let attacker = usize::try_from(seed).expect("small") % validators;
            let deceived = 1 << ((attacker + 1) % validators);
            let plan = Plan {
                validators,
                quorum,
                attack: Some(Attack { attacker, deceived }),
                crashes: 0,
                partitions: Vec::new(),
                weather: Weather {
                    loss_per_mille: 0,
                    ..Plan::of(seed).weather
                },
                ..Plan::of(seed)
            };
            let directory = tempfile::TempDir::new().expect("a temporary directory");
            let mut world = World::new(seed, plan, &setup, directory.path());
            world.run();
            assert!(world.attacks > 0, "seed {seed} of {validators}");
            assert_eq!(world.judge(), [""; 0], "seed {seed} of {validators}");
            let ignorant = world.ignorant();
            assert!(
                ignorant.is_empty(),
                "seed {seed} of {validators}: {ignorant:?}"
            );
        }
    }
}

/// The checks find what they are there for.
#[test]
fn sabotage_is_found() {
    let cache = tempfile::TempDir::new().expect("a temporary directory");
    let setup = Setup::new(cache.path());
    for sabotage in [
        Sabotage::NoReplay,
        Sabotage::AckBeforeDurable,
        Sabotage::LyingDisk,
    ] {
        let found = (0..SEEDS).find_map(|seed| {
            let plan = Plan {
                sabotage: Some(sabotage),
                crashes: 8,
                ..Plan::of(seed)
            };
            let played = || play(seed, plan, &setup, &mut Figures::default()).1;
            let problems = catch_unwind(AssertUnwindSafe(played));
            problems.unwrap_or_else(|_| vec!["panicked".into()]).pop()
        });
        let found = found.unwrap_or_else(|| panic!("{sabotage:?} was not found"));
        println!("{sabotage:?}: {found}");
    }
}
