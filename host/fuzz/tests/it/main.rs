//! A short run of every target, and proof that a run can fail.

use std::time::Duration;

use tabella_fuzz::{TARGETS, Target, run};

fn check(name: &str) {
    let target = tabella_fuzz::target(name).unwrap();
    let report = run(target, 1, Duration::from_secs(4));
    assert!(report.failure.is_none(), "{report:?}");
    assert!(report.inputs > 20 && report.answers > 3, "{report:?}");
}

macro_rules! short_runs {
    ($($test:ident $name:literal)*) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_target_has_a_short_run() {
            assert_eq!(TARGETS.map(|target| target.name), [$($name),*]);
        }
    };
}

short_runs! {
    modules "module"
    ballots "ballot"
    json_ballots "ballot-json"
    outcomes "outcome"
    configurations "configuration"
    saved_states "saved-state"
    imports "import"
    elections "election"
}

#[test]
fn a_run_ends_at_the_input_that_fails() {
    let fragile = Target {
        name: "fragile",
        about: "",
        seeds: || vec![b"abc".to_vec()],
        take: |input| {
            assert!(!input.contains(&b'{'), "a brace");
            format!("{} bytes", input.len())
        },
    };
    let failure = run(&fragile, 1, Duration::from_secs(60)).failure.unwrap();
    assert!(failure.input.contains(&b'{'));
    assert_eq!(failure.message, "a brace");
}
