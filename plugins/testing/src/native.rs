//! A rule, run natively through the bytes of the ABI.

use serde_json::Value;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Decider, TieOrder};
use tabella_sdk::ballot::Ballot;
use tabella_sdk::{Guest, Outcome, Rule};

use crate::{Paper, show};

/// Who decides ties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ties {
    /// These ids win ties in this order, separated by spaces; every option is named.
    Order(String),
    /// Nobody.
    Report,
}

impl Ties {
    fn order(&self, paper: &Paper) -> TieOrder {
        match self {
            Self::Order(ids) => TieOrder {
                decider: Decider::Order,
                order: ids.split_whitespace().map(|id| paper.option(id)).collect(),
            },
            Self::Report => TieOrder {
                decider: Decider::Report,
                order: (0..paper.options().len()).collect(),
            },
        }
    }
}

/// Ties are won in this order of ids, separated by spaces.
pub fn order(ids: &str) -> Ties {
    Ties::Order(ids.to_owned())
}

/// A configured instance, or why the rule refuses.
pub(crate) fn instance<R: Rule>(paper: &Paper) -> Result<Guest<R>, String> {
    let mut guest = Guest::<R>::new();
    match guest.configure(&paper.configuration(&Guest::<R>::describe())) {
        0 => Ok(guest),
        _ => Err(guest.message().to_owned()),
    }
}

/// What `fold` reads.
pub(crate) fn batch(ballots: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (weight, ballot) in ballots {
        put_varint(&mut bytes, *weight);
        put_varint(&mut bytes, ballot.len() as u64);
        bytes.extend_from_slice(ballot);
    }
    bytes
}

/// The bytes of the outcome of these ballots.
pub(crate) fn tally<R: Rule>(
    paper: &Paper,
    ballots: &[(u64, Vec<u8>)],
    order: &TieOrder,
) -> Vec<u8> {
    let mut guest = instance::<R>(paper).expect("the rule takes the contest");
    assert_eq!(guest.fold(&batch(ballots)), 0, "{}", guest.message());
    guest.finish(&order.to_wire())
}

/// Counts valid ballots.
pub fn outcome<R: Rule>(paper: &Paper, ballots: &str, ties: &Ties) -> Outcome {
    let ballots = paper.ballots(ballots);
    let mut guest = instance::<R>(paper).expect("the rule takes the contest");
    for (_, ballot) in &ballots {
        let refused = guest.validate(ballot);
        assert_eq!(refused, 0, "a ballot is refused: {}", guest.message());
    }
    let bytes = tally::<R>(paper, &ballots, &ties.order(paper));
    Outcome::from_wire(&bytes).expect("an outcome is canonical")
}

/// Counts valid ballots and shows the outcome.
pub fn count<R: Rule>(options: &str, params: Value, ballots: &str, ties: Ties) -> String {
    let paper = Paper::new(<R::Ballot as Ballot>::KIND, options, params);
    show(&outcome::<R>(&paper, ballots, &ties), paper.options())
}

/// What the rule says of a ballot: `accept`, or the code and the message of its refusal.
pub fn verdict<R: Rule>(options: &str, params: Value, ballot: &str) -> String {
    let paper = Paper::new(<R::Ballot as Ballot>::KIND, options, params);
    let mut guest = instance::<R>(&paper).expect("the rule takes the contest");
    match guest.validate(&paper.ballot(ballot)) {
        0 => "accept".to_owned(),
        code => format!("{code}: {}", guest.message()),
    }
}

/// Why the rule refuses a contest with these parameters.
pub fn refusal<R: Rule>(options: &str, params: Value) -> String {
    let paper = Paper::new(<R::Ballot as Ballot>::KIND, options, params);
    match instance::<R>(&paper) {
        Ok(_) => panic!("the rule takes the contest"),
        Err(message) => message,
    }
}
