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
fn every_target_has_a_source_for_libfuzzer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let sources = std::fs::read_dir(folder).unwrap();
    let mut sources: Vec<_> = sources
        .map(|source| source.unwrap().file_name().into_string().unwrap())
        .collect();
    sources.sort_unstable();
    let mut expected = TARGETS.map(|target| format!("{}.rs", target.name.replace('-', "_")));
    expected.sort_unstable();
    assert_eq!(sources, expected);
}

#[test]
fn each_seed_of_a_ballot_is_one_of_its_rule() {
    let seeds = (BALLOT.seeds)();
    let rules: std::collections::BTreeSet<_> = seeds.iter().map(|seed| seed[0]).collect();
    assert_eq!(rules.len(), tabella_plugins::all().len());
}
