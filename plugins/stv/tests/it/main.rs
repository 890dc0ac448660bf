//! The rule through the bytes of the ABI, natively: elections in, counts out.

mod counts;
mod properties;

use tabella_abi::ballot::Ranking;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
use tabella_rule_stv::Stv;
use tabella_sdk::{Guest, Outcome};

/// Weight, and ranks of options named by a letter from `A`.
type Ballots = Vec<Cast>;
type Cast = (u64, Vec<Vec<usize>>);

/// Lines such as `12 A B C` or `3 A BC`, where options written together share a rank.
fn ballots(text: &str) -> Ballots {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let weight = words.next().unwrap().parse().unwrap();
        let rank = |word: &str| word.bytes().map(|byte| usize::from(byte - b'A')).collect();
        (weight, words.map(rank).collect())
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(line)
        .collect()
}

#[derive(Clone, Copy)]
struct Setting {
    options: usize,
    seats: i64,
    rules: Rules,
    places: Option<i64>,
    quota: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rules {
    Scottish,
    Wigm,
    Meek,
    FractionalGregory,
    Senate,
}

impl Rules {
    const ALL: [Self; 5] = [
        Self::Scottish,
        Self::Wigm,
        Self::Meek,
        Self::FractionalGregory,
        Self::Senate,
    ];
}

impl Setting {
    fn new(options: usize, seats: i64, rules: Rules) -> Self {
        Self {
            options,
            seats,
            rules,
            places: None,
            quota: None,
        }
    }

    fn guest(&self) -> Guest<Stv> {
        let option = |option: usize| ContestOption {
            id: option.to_string(),
            title: letter(option),
        };
        let configuration = Configuration {
            options: (0..self.options).map(option).collect(),
            params: vec![
                ParamValue::Integer(self.seats),
                ParamValue::Choice(self.rules as usize),
                self.places.map_or(ParamValue::Absent, ParamValue::Integer),
                self.quota.map_or(ParamValue::Absent, ParamValue::Choice),
                // Marks as they are read by default: skipped_ranks, repeated, overvote, ranks_max.
                ParamValue::Absent,
                ParamValue::Choice(0),
                ParamValue::Choice(0),
                ParamValue::Absent,
                // No law.
                ParamValue::Absent,
            ],
        };
        let mut guest = Guest::new();
        assert_eq!(guest.configure(&configuration.to_wire()), 0);
        guest
    }

    fn count_parts(&self, parts: &[&[Cast]], ties: TieOrder) -> Outcome {
        let mut total = self.guest();
        for part in parts {
            let mut guest = self.guest();
            let mut batch = Vec::new();
            for (weight, ranks) in *part {
                let ballot = Ranking::encode(ranks);
                assert_eq!(guest.validate(&ballot), 0);
                put_varint(&mut batch, *weight);
                put_varint(&mut batch, ballot.len() as u64);
                batch.extend(ballot);
            }
            assert_eq!(guest.fold(&batch), 0);
            assert_eq!(total.merge(&guest.save()), 0);
        }
        Outcome::from_wire(&total.finish(&ties.to_wire())).unwrap()
    }

    fn count(&self, ballots: &Ballots, decider: Decider) -> Outcome {
        let order = (0..self.options).collect();
        self.count_parts(&[ballots], TieOrder { decider, order })
    }
}

fn letter(option: usize) -> String {
    match u8::try_from(option) {
        Ok(option @ 0..26) => char::from(b'A' + option).to_string(),
        _ => format!("#{option}"),
    }
}

fn letters(options: &[usize]) -> String {
    let letters: Vec<_> = options.iter().map(|option| letter(*option)).collect();
    letters.join(" ")
}
