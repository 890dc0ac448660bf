//! Bytes as a saved tally, and as the configuration that a host writes, in the SDK that every Rust
//! plugin is built with.

use tabella_abi::codec::Wire;
use tabella_abi::contest::{Configuration, ContestOption, ParamValue};
use tabella_rule_instant_runoff::InstantRunoff;
use tabella_rule_plurality::Plurality;
use tabella_rule_scoring::Score;
use tabella_sdk::{Guest, Rule};

fn configuration(params: &[ParamValue]) -> Vec<u8> {
    let option = |id: &str| ContestOption {
        id: id.into(),
        title: id.into(),
    };
    Configuration {
        options: ["a", "b", "c", "d"].map(option).to_vec(),
        params: params.to_vec(),
    }
    .to_wire()
}

fn instant_runoff() -> Vec<u8> {
    configuration(&[
        ParamValue::Choice(0),
        ParamValue::Flag(false),
        ParamValue::Choice(0),
        // law, skipped_ranks, repeated, ranks_max, undeclared, minimum_votes, seats, several_seats, ties
        ParamValue::Absent,
        ParamValue::Integer(1),
        ParamValue::Choice(0),
        ParamValue::Absent,
        ParamValue::Texts(Vec::new()),
        ParamValue::Integer(0),
        ParamValue::Integer(1),
        ParamValue::Choice(0),
        ParamValue::Choice(0),
    ])
}

fn plurality() -> Vec<u8> {
    configuration(&[ParamValue::Integer(1)])
}

fn score() -> Vec<u8> {
    configuration(&[ParamValue::Integer(9)])
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    let batch: [&[u8]; 3] = [
        &[1, 2, 0, 2, 3, 1, 4, 1, 3, 0, 2, 4],
        &[1, 1, 0, 2, 1, 3],
        &[1, 2, 0, 5, 1, 4, 0, 1, 1, 2],
    ];
    seeds.push(saved::<InstantRunoff>(0, &instant_runoff(), batch[0]));
    seeds.push(saved::<Plurality>(1, &plurality(), batch[1]));
    seeds.push(saved::<Score>(2, &score(), batch[2]));
    for (rule, configuration) in (3..).zip([instant_runoff(), plurality(), score()]) {
        seeds.push([&[rule], configuration.as_slice()].concat());
    }
    seeds
}

fn saved<R: Rule>(rule: u8, configuration: &[u8], batch: &[u8]) -> Vec<u8> {
    let mut guest = Guest::<R>::new();
    assert_eq!(guest.configure(configuration), 0, "{}", guest.message());
    assert_eq!(guest.fold(batch), 0, "{}", guest.message());
    [&[rule], guest.save().as_slice()].concat()
}

/// The first byte chooses the rule, and whether the rest is its state or its configuration.
pub(crate) fn take(input: &[u8]) {
    let Some((rule, rest)) = input.split_first() else {
        return;
    };
    match rule % 6 {
        0 => merged::<InstantRunoff>(&instant_runoff(), rest),
        1 => merged::<Plurality>(&plurality(), rest),
        2 => merged::<Score>(&score(), rest),
        3 => configured::<InstantRunoff>(rest),
        4 => configured::<Plurality>(rest),
        _ => configured::<Score>(rest),
    }
}

fn merged<R: Rule>(configuration: &[u8], state: &[u8]) {
    let mut guest = Guest::<R>::new();
    assert_eq!(guest.configure(configuration), 0);
    if guest.merge(state) != 0 {
        return;
    }
    let saved = guest.save();
    let mut again = Guest::<R>::new();
    assert_eq!(again.configure(configuration), 0);
    assert_eq!(again.merge(&saved), 0, "what was saved merges");
    assert_eq!(again.save(), saved, "and is saved alike");
}

fn configured<R: Rule>(configuration: &[u8]) {
    let mut guest = Guest::<R>::new();
    if guest.configure(configuration) == 0 {
        guest.validate(&[]);
    }
}
