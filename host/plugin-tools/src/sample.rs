//! Ballots and contests made from a seed.

use serde_json::{Map, Value, json};
use tabella_contest::{BallotError, BallotKind, ContestConfig, ContestOption, Manifest};
use tabella_runtime::Contest;
use thiserror::Error;

/// Ballots that are changed, at each examination.
const MUTANTS: usize = 400;
/// Of strings of two bytes, the values of each.
const LOW_BYTES_MAX: u8 = 16;

/// A ballot that somebody gave does not fit the contest.
#[derive(Debug, Error)]
#[error("the ballot {ballot} does not fit the contest: {error}")]
pub struct Unfit {
    ballot: Value,
    error: BallotError,
}

/// The bytes of ballots, all of which have to fit the contest.
pub fn encode(contest: &Contest, ballots: &[Value]) -> Result<Vec<Vec<u8>>, Unfit> {
    let encode = |ballot: &Value| {
        contest.encode_ballot(ballot).map_err(|error| Unfit {
            ballot: ballot.clone(),
            error,
        })
    };
    ballots.iter().map(encode).collect()
}

/// Numbers from a printed seed: SplitMix64.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut left: Vec<usize> = (0..count).collect();
        let mut order = Vec::with_capacity(count);
        while !left.is_empty() {
            order.push(left.swap_remove(self.below(left.len())));
        }
        order
    }
}

/// A contest of that many options, called `a`, `b` and so on, with the rule's own defaults.
pub fn contest(options: u64) -> ContestConfig {
    let id = |number: u64| match u8::try_from(number).ok().filter(|number| *number < 26) {
        Some(number) => char::from(b'a' + number).to_string(),
        None => format!("option-{number}"),
    };
    let option = |number| ContestOption {
        id: id(number),
        title: String::new(),
    };
    ContestConfig {
        options: (0..options).map(option).collect(),
        params: Value::Null,
    }
}

/// A contest that a built-in rule takes: parameters that have no default are given.
pub fn built_in(rule: &str) -> ContestConfig {
    // A referendum is about adopting or rejecting, and perhaps abstaining.
    let options = if rule == "referendum" { 3 } else { 4 };
    let params = match rule {
        "budgeting" => json!({"budget": 10, "costs": {"a": 3, "b": 4, "c": 5, "d": 6}}),
        "stv" | "party-list" | "committee" => json!({"seats": 2}),
        "score" | "star" => json!({"max": 5}),
        "cumulative" | "quadratic" => json!({"credits": 50}),
        "majority-judgment" => json!({"grades": ["poor", "fair", "good"]}),
        _ => json!({}),
    };
    ContestConfig {
        params,
        ..contest(options)
    }
}

/// A ballot of the rule's kind; most rules take most of them.
pub fn ballot(manifest: &Manifest, config: &ContestConfig, numbers: &mut Numbers) -> Value {
    let ids: Vec<&str> = config
        .options
        .iter()
        .map(|option| option.id.as_str())
        .collect();
    let order = numbers.shuffled(ids.len());
    let named = numbers.below(ids.len() + 1);
    let some = order.iter().take(named).map(|option| ids[*option]);
    match manifest.ballot {
        BallotKind::Choice => match numbers.below(8) {
            0 => json!({ "choices": [] }),
            1 => json!({ "choices": some.collect::<Vec<_>>() }),
            _ => json!({ "choice": ids[order[0]] }),
        },
        BallotKind::Approval => json!({ "approve": some.collect::<Vec<_>>() }),
        BallotKind::Ranking => {
            let mut ranks: Vec<Value> = Vec::new();
            for id in some {
                match ranks.last_mut() {
                    Some(rank) if numbers.below(6) == 0 => match rank {
                        Value::Array(shared) => shared.push(json!(id)),
                        _ => *rank = json!([rank.clone(), id]),
                    },
                    _ => ranks.push(json!(id)),
                }
            }
            json!({ "ranking": ranks })
        }
        BallotKind::Scores => json!({ "scores": values(some, numbers) }),
        BallotKind::Votes => json!({ "votes": values(some, numbers) }),
        BallotKind::Grades => {
            let default = manifest.params.iter().find(|param| param.name == "grades");
            let default = default.and_then(|param| param.default.as_ref());
            let words = config.params.get("grades").or(default);
            let words = words
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice);
            let grade = |id: &str| {
                let word = words.get(numbers.below(words.len().max(1)));
                Some((id.to_owned(), word?.clone()))
            };
            json!({ "grades": some.filter_map(grade).collect::<Map<_, _>>() })
        }
        BallotKind::Raw => {
            let some = ["", "AA==", "dGFiZWxsYQ=="];
            json!({ "raw": some[numbers.below(some.len())] })
        }
    }
}

fn values<'a>(ids: impl Iterator<Item = &'a str>, numbers: &mut Numbers) -> Map<String, Value> {
    ids.map(|id| (id.to_owned(), json!(numbers.below(6))))
        .collect()
}

/// Every short string of low bytes, and ballots that are cut, extended, or have a byte changed, doubled or swapped.
pub fn mutants(ballots: &[Vec<u8>], options: usize, numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let lows = u8::try_from(options + 2).unwrap_or(u8::MAX);
    let lows = lows.min(LOW_BYTES_MAX);
    let mut mutants = vec![Vec::new()];
    for first in 0..lows {
        mutants.push(vec![first]);
        mutants.extend((0..lows).map(|second| vec![first, second]));
    }
    for _ in 0..MUTANTS {
        let mut bytes = ballots[numbers.below(ballots.len())].clone();
        let place = numbers.below(bytes.len() + 1);
        match (numbers.below(5), bytes.get(place).copied()) {
            (0, _) => bytes.insert(place, numbers.below(256) as u8),
            (1, Some(byte)) => bytes.insert(place, byte),
            (2, Some(byte)) => {
                // The same number, written with a byte more.
                bytes[place] = byte | 0x80;
                bytes.insert(place + 1, 0);
            }
            (3, Some(_)) => bytes[place] ^= 1 << numbers.below(8),
            (_, Some(_)) => bytes.truncate(place),
            (_, None) => bytes.push(0),
        }
        mutants.push(bytes);
    }
    mutants
}

/// As `tabella_abi::codec` writes unsigned integers.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
