//! Runs a target for a while.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tabella_plugin_tools::sample::Numbers;

use crate::{Target, mutation};

/// Inputs that are kept to be changed further.
const KEPT_MAX: usize = 4_000;

/// No input may take longer.
const INPUT_TIME_MAX: Duration = Duration::from_secs(20);

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Inputs taken.
    pub inputs: u64,
    /// Different answers, numbers in them aside.
    pub answers: usize,
    /// The longest that an input took.
    pub slowest: Duration,
    /// What ended the run before its time.
    pub failure: Option<Failure>,
}

/// An input that something is wrong with.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// What is wrong.
    pub message: String,
}

/// Gives a target its seeds and then changed inputs, until the time is over or something is wrong.
pub fn run(target: &Target, seed: u64, time: Duration) -> Report {
    let mut numbers = Numbers::new(seed);
    let mut kept = (target.seeds)();
    let mut seeds = kept.clone().into_iter();
    let mut known = BTreeSet::new();
    let mut report = Report {
        inputs: 0,
        answers: 0,
        slowest: Duration::ZERO,
        failure: None,
    };
    let started = Instant::now();
    while started.elapsed() < time {
        let input = seeds.next().unwrap_or_else(|| {
            let [input, other] = [0, 1].map(|_| &kept[numbers.below(kept.len())]);
            mutation::change(input, other, &mut numbers)
        });
        let (answer, took) = judge(target, &input);
        report.inputs += 1;
        report.slowest = report.slowest.max(took);
        match answer {
            Ok(answer) => {
                let words = answer.replace(|c: char| c.is_ascii_digit(), "");
                if known.insert(words) && kept.len() < KEPT_MAX {
                    kept.push(input);
                }
            }
            Err(message) => {
                report.failure = Some(Failure { input, message });
                break;
            }
        }
    }
    report.answers = known.len();
    report
}

/// Gives a target one input; answers what it says, or what is wrong, and how long it took.
pub fn judge(target: &Target, input: &[u8]) -> (Result<String, String>, Duration) {
    let started = Instant::now();
    let answer = catch_unwind(AssertUnwindSafe(|| (target.take)(input)));
    let took = started.elapsed();
    let answer = match answer {
        Ok(_) if took > INPUT_TIME_MAX => Err(format!("it took {took:.1?}")),
        Ok(answer) => Ok(answer),
        Err(panic) => Err(
            match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(text), _) => text.clone(),
                (_, Some(text)) => (*text).to_owned(),
                _ => "a panic without words".to_owned(),
            },
        ),
    };
    (answer, took)
}
