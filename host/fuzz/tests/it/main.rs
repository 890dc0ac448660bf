//! The targets take what they start from, and notice what is wrong.

use tabella_fuzz::{BALLOT, TARGETS};

#[test]
fn every_target_takes_its_seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in seeds.iter().chain([&Vec::new()]) {
            (target.take)(seed);
        }
    }
}

#[test]
fn each_seed_of_a_ballot_is_one_of_its_rule() {
    let seeds = (BALLOT.seeds)();
    let rules: std::collections::BTreeSet<_> = seeds.iter().map(|seed| seed[0]).collect();
    assert_eq!(rules.len(), tabella_plugins::all().len());
}
