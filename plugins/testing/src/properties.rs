//! What holds for every rule and every set of ballots.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;
use tabella_abi::codec::Wire;
use tabella_abi::contest::{Decider, TieOrder};
use tabella_sdk::ballot::{Approvals, Ballot, BallotKind, Choices, Grades, Ranking, Scores, Votes};
use tabella_sdk::{Outcome, Rule};

use crate::Paper;
use crate::native::{batch, instance, tally};

const OPTIONS_MAX: usize = 6;

/// A random election: for each ballot a weight and a number for every option, from which a ballot
/// of any kind is made.
#[derive(Clone, Debug)]
struct Draw {
    options: usize,
    ballots: Vec<(u64, Vec<u64>)>,
    /// A random order of the options; of the ballots too.
    keys: Vec<u64>,
    /// Where the board is cut.
    cuts: Vec<usize>,
    report: bool,
}

fn draws(options_min: usize, values: u64, options_max: usize) -> impl Strategy<Value = Draw> {
    (options_min..=options_max).prop_flat_map(move |options| {
        let value = prop_oneof![1 => Just(0), 4 => 0..=values];
        let ballot = (1u64..4, proptest::collection::vec(value, options));
        (
            proptest::collection::vec(ballot, 0..14),
            proptest::collection::vec(any::<u64>(), 20),
            proptest::collection::vec(0usize..14, 0..4),
            any::<bool>(),
        )
            .prop_map(move |(ballots, keys, cuts, report)| Draw {
                options,
                ballots,
                keys,
                cuts,
                report,
            })
    })
}

/// The numbers 0 to `len`, in an order that the keys choose.
fn shuffled(len: usize, keys: &[u64]) -> Vec<usize> {
    let mut order: Vec<_> = (0..len).collect();
    order.sort_by_key(|position| (keys[position % keys.len()], *position));
    order
}

/// A ballot from one number for each option; 0 leaves the option out.
fn ballot(kind: BallotKind, values: &[u64]) -> Vec<u8> {
    let named = || {
        values
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, value)| *value > 0)
    };
    let options = || named().map(|(option, _)| option).collect::<Vec<_>>();
    let pairs = || named().collect::<Vec<_>>();
    match kind {
        BallotKind::Choice => Choices::encode(&options()),
        BallotKind::Approval => Approvals::encode(&options()),
        BallotKind::Ranking => {
            let ranks: BTreeSet<u64> = named().map(|(_, rank)| rank).collect();
            let of = |rank: u64| {
                named()
                    .filter(move |(_, value)| *value == rank)
                    .map(|(o, _)| o)
            };
            Ranking::encode(
                &ranks
                    .iter()
                    .map(|rank| of(*rank).collect())
                    .collect::<Vec<Vec<_>>>(),
            )
        }
        BallotKind::Scores => Scores::encode(&pairs()),
        BallotKind::Votes => Votes::encode(&pairs()),
        BallotKind::Grades => {
            let pairs = named().map(|(option, value)| (option, value - 1));
            Grades::encode(&pairs.collect::<Vec<_>>())
        }
        BallotKind::Raw => values.iter().map(|value| *value as u8).collect(),
    }
}

/// Checks on random elections of at most six options that neither the order of the ballots, nor how
/// the board is cut and merged, nor a ballot's weight instead of copies, nor the numbering of the
/// options matters, and that the outcome makes sense. `values` is the highest score, rank or number
/// of grades. `options` bounds the number of options.
///
/// # Panics
/// With the smallest failing election, where one of these does not hold.
pub fn properties<R: Rule>(params: &Value, values: u64, options: RangeInclusive<usize>) {
    check_draws::<R>(params, values, options, Numbering::Arbitrary);
}

/// As [`properties`], for rules in which options differ by their number.
///
/// # Panics
/// As [`properties`].
pub fn properties_but_numbering<R: Rule>(
    params: &Value,
    values: u64,
    options: RangeInclusive<usize>,
) {
    check_draws::<R>(params, values, options, Numbering::Meaningful);
}

/// As [`properties`], for rules that count in rounds: where ties are only reported, the rounds show
/// one way to decide them, by the paper's order, and only the winners are free of the numbering.
///
/// # Panics
/// As [`properties`].
pub fn properties_of_rounds<R: Rule>(params: &Value, values: u64, options: RangeInclusive<usize>) {
    check_draws::<R>(params, values, options, Numbering::ArbitraryButForReports);
}

/// Whether the rule treats all options alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Arbitrary,
    ArbitraryButForReports,
    Meaningful,
}

fn check_draws<R: Rule>(
    params: &Value,
    values: u64,
    options: RangeInclusive<usize>,
    numbering: Numbering,
) {
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let options_max = *options.end().min(&OPTIONS_MAX);
    let draws = draws(*options.start(), values, options_max);
    let run = TestRunner::new(config).run(&draws, |draw| check::<R>(params, &draw, numbering));
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

fn check<R: Rule>(params: &Value, draw: &Draw, numbering: Numbering) -> Result<(), TestCaseError> {
    let kind = <R::Ballot as Ballot>::KIND;
    let ids: Vec<_> = (0..draw.options)
        .map(|option| format!("o{option}"))
        .collect();
    let paper = Paper::new(kind, &ids.join(" "), params.clone());
    let mut judge = instance::<R>(&paper).map_err(TestCaseError::fail)?;
    let drawn = draw.ballots.iter();
    let valid: Vec<_> = drawn
        .filter(|(_, values)| judge.validate(&ballot(kind, values)) == 0)
        .collect();
    let ballots: Vec<_> = valid
        .iter()
        .map(|(weight, values)| (*weight, ballot(kind, values)))
        .collect();
    let order = order(draw);
    let expected = tally::<R>(&paper, &ballots, &order);
    let outcome = Outcome::from_wire(&expected).expect("an outcome is canonical");
    makes_sense(&outcome, draw.options)?;

    let other_order = shuffled(ballots.len(), &draw.keys);
    let reordered: Vec<_> = other_order.iter().map(|at| ballots[*at].clone()).collect();
    prop_assert_eq!(
        &tally::<R>(&paper, &reordered, &order),
        &expected,
        "ballot order"
    );
    let copies = ballots
        .iter()
        .flat_map(|(weight, ballot)| std::iter::repeat_n((1, ballot.clone()), *weight as usize));
    let copies: Vec<_> = copies.collect();
    prop_assert_eq!(
        &tally::<R>(&paper, &copies, &order),
        &expected,
        "weights as copies"
    );
    prop_assert_eq!(
        &merged::<R>(&paper, draw, &ballots, &order),
        &expected,
        "merging"
    );
    match numbering {
        Numbering::Meaningful => Ok(()),
        Numbering::ArbitraryButForReports if draw.report => {
            relabelled::<R, _>(&paper, draw, &valid, &outcome, |facts| facts.0)
        }
        _ => relabelled::<R, _>(&paper, draw, &valid, &outcome, |facts| facts),
    }
}

fn order(draw: &Draw) -> TieOrder {
    if draw.report {
        return TieOrder {
            decider: Decider::Report,
            order: (0..draw.options).collect(),
        };
    }
    TieOrder {
        decider: Decider::Order,
        order: shuffled(draw.options, &draw.keys[6..]),
    }
}

/// The outcome where the board is folded in parts by instances of their own.
fn merged<R: Rule>(
    paper: &Paper,
    draw: &Draw,
    ballots: &[(u64, Vec<u8>)],
    order: &TieOrder,
) -> Vec<u8> {
    let mut cuts: Vec<_> = draw
        .cuts
        .iter()
        .map(|cut| *cut.min(&ballots.len()))
        .collect();
    cuts.extend([0, ballots.len()]);
    cuts.sort_unstable();
    let mut total = instance::<R>(paper).expect("it took the contest before");
    for part in cuts.windows(2) {
        let mut guest = instance::<R>(paper).expect("it took the contest before");
        assert_eq!(guest.fold(&batch(&ballots[part[0]..part[1]])), 0);
        assert_eq!(total.merge(&guest.save()), 0, "{}", total.message());
    }
    total.finish(&order.to_wire())
}

fn makes_sense(outcome: &Outcome, options: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(outcome.options.len(), options);
    let winners: BTreeSet<_> = outcome.winners.iter().copied().collect();
    prop_assert_eq!(
        winners.len(),
        outcome.winners.len(),
        "a winner is named twice"
    );
    for (option, result) in outcome.options.iter().enumerate() {
        prop_assert_eq!(result.elected, winners.contains(&option));
    }
    prop_assert!(!outcome.explanation.is_empty());
    Ok(())
}

/// What an outcome says in terms of options that were numbered otherwise.
type Facts = (
    BTreeSet<usize>,
    BTreeSet<(BTreeSet<usize>, String, String)>,
    Vec<String>,
    Option<String>,
);

fn facts(outcome: &Outcome, number: impl Fn(usize) -> usize) -> Facts {
    let set = |options: &[usize]| options.iter().map(|option| number(*option)).collect();
    let ties = outcome.ties.iter().map(|tie| {
        (
            set(&tie.options),
            tie.question.clone(),
            tie.decided_by.clone(),
        )
    });
    let mut results = vec![String::new(); outcome.options.len()];
    for (option, result) in outcome.options.iter().enumerate() {
        results[number(option)] = format!("{result:?}");
    }
    let quota = outcome.quota.map(|quota| quota.to_string());
    (set(&outcome.winners), ties.collect(), results, quota)
}

/// Checks that what is `compared` does not change where the options are numbered otherwise.
fn relabelled<R: Rule, C: PartialEq + Debug>(
    paper: &Paper,
    draw: &Draw,
    valid: &[&(u64, Vec<u64>)],
    outcome: &Outcome,
    compared: impl Fn(Facts) -> C,
) -> Result<(), TestCaseError> {
    // At each place of the new paper, the option that stood elsewhere on the old one.
    let old = shuffled(draw.options, &draw.keys[13..]);
    let new_of = |option: usize| {
        old.iter()
            .position(|o| *o == option)
            .expect("all are there")
    };
    let kind = <R::Ballot as Ballot>::KIND;
    let ballots = valid.iter().map(|(weight, values)| {
        let values: Vec<_> = old.iter().map(|option| values[*option]).collect();
        (*weight, ballot(kind, &values))
    });
    let mut tie_order = order(draw);
    if tie_order.decider != Decider::Report {
        tie_order.order = tie_order
            .order
            .iter()
            .map(|option| new_of(*option))
            .collect();
    }
    let bytes = tally::<R>(paper, &ballots.collect::<Vec<_>>(), &tie_order);
    let relabelled = Outcome::from_wire(&bytes).expect("an outcome is canonical");
    let (found, expected) = (
        compared(facts(&relabelled, |option| old[option])),
        compared(facts(outcome, |o| o)),
    );
    prop_assert_eq!(found, expected, "relabelling");
    Ok(())
}
