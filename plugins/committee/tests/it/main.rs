//! Both rules through the bytes of the ABI, natively.

mod agreement;
mod properties;

use tabella_abi::ballot::Approvals;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
use tabella_rule_committee::{Budgeting, Committee};
use tabella_sdk::{Guest, Outcome, Profile, Rule};

/// Weight, and the options approved.
type Cast = (u64, Vec<usize>);

fn letters(options: &[usize]) -> String {
    if options.is_empty() {
        return "-".to_owned();
    }
    let letter = |option: &usize| char::from(b'a' + *option as u8);
    options.iter().map(letter).collect()
}

/// Ballots such as `12abd`, a weight and options by letter; `-` approves none.
fn ballots(text: &str) -> Vec<Cast> {
    let ballot = |word: &str| {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (weight, options) = word.split_at(digits);
        let named = options.bytes().filter(|byte| *byte != b'-');
        let options = named.map(|byte| usize::from(byte - b'a')).collect();
        (weight.parse().unwrap(), options)
    };
    text.split_whitespace().map(ballot).collect()
}

fn guest<R: Rule>(options: usize, params: Vec<ParamValue>) -> Guest<R> {
    let option = |option: usize| ContestOption {
        id: option.to_string(),
        title: letters(&[option]),
    };
    let configuration = Configuration {
        options: (0..options).map(option).collect(),
        params,
    };
    let mut guest = Guest::new();
    assert_eq!(guest.configure(&configuration.to_wire()), 0);
    guest
}

fn fold<R: Rule<Ballot = Approvals, Tally = Profile<Approvals>>>(
    guest: &mut Guest<R>,
    ballots: &[Cast],
) {
    let mut batch = Vec::new();
    for (weight, approved) in ballots {
        let ballot = Approvals::encode(approved);
        assert_eq!(guest.validate(&ballot), 0);
        put_varint(&mut batch, *weight);
        put_varint(&mut batch, ballot.len() as u64);
        batch.extend(ballot);
    }
    assert_eq!(guest.fold(&batch), 0);
}

fn finish<R: Rule>(guest: &mut Guest<R>, decider: Decider, order: Vec<usize>) -> Outcome {
    Outcome::from_wire(&guest.finish(&TieOrder { decider, order }.to_wire())).unwrap()
}

/// The method by number, and for equal shares the completion.
fn committee(options: usize, seats: i64, method: usize, completion: usize) -> Guest<Committee> {
    let params = vec![
        ParamValue::Integer(seats),
        ParamValue::Choice(method),
        ParamValue::Choice(completion),
    ];
    guest(options, params)
}

fn budgeting(costs: &[u64], budget: i64, method: usize, completion: usize) -> Guest<Budgeting> {
    let params = vec![
        ParamValue::Integer(budget),
        ParamValue::PerOption(costs.to_vec()),
        ParamValue::Choice(method),
        ParamValue::Choice(completion),
    ];
    guest(costs.len(), params)
}
