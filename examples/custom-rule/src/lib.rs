//! Each voter approves of a few options; the most approvals win.
//!
//! Ties: the contest's tie-break decides.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// The rule, set up for one contest.
pub struct MyRule {
    contest: Contest,
    marks_max: usize,
}

impl Rule for MyRule {
    type Ballot = Approvals;
    /// Votes by option.
    type Tally = Vec<u64>;

    const MANIFEST: Manifest = Manifest::new(
        "custom-rule",
        env!("CARGO_PKG_VERSION"),
        "Voters approve of a few options; the most approvals win.",
    )
    .licence("Apache-2.0")
    .params(&[Param::integer("marks_max", 1, 100)
        .default_integer(2)
        .about("How many options a voter may approve of.")]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        Ok(Self {
            contest: contest.clone(),
            marks_max: params.integer("marks_max") as usize,
        })
    }

    fn validate(&self, ballot: &Approvals) -> Verdict {
        let marks = ballot.len();
        if marks > self.marks_max {
            return Verdict::reject(
                2,
                format!("approve of at most {}, not {marks}", self.marks_max),
            );
        }
        Verdict::Accept
    }

    fn start(&self) -> Vec<u64> {
        vec![0; self.contest.len()]
    }

    fn fold(&self, votes: &mut Vec<u64>, ballot: &Approvals, weight: u64) {
        for option in ballot.options() {
            votes[option] += weight;
        }
    }

    fn merge(&self, votes: &mut Vec<u64>, other: Vec<u64>) {
        for (votes, more) in votes.iter_mut().zip(other) {
            *votes += more;
        }
    }

    fn finish(&self, votes: Vec<u64>, ties: &mut TieBreak) -> Outcome {
        let best = self.contest.highest(&votes);
        let winners = ties.choose(&best, 1, "the most approvals");
        let mut outcome = self.contest.outcome(&votes, winners);
        outcome.explanation = match outcome.winners.as_slice() {
            [] => "No option has a vote, so nobody wins.".into(),
            winners => format!("{} has the most approvals.", self.contest.list(winners)),
        };
        outcome
    }
}

tabella_sdk::export!(MyRule);

#[cfg(test)]
mod tests {
    use super::*;
    use tabella_abi::codec::Wire;
    use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
    use tabella_sdk::Guest;

    /// Options 0, 1 and 2, of which two may be approved.
    fn guest() -> Guest<MyRule> {
        let option = |id: &str| ContestOption {
            id: id.into(),
            title: id.into(),
        };
        let configuration = Configuration {
            options: ["a", "b", "c"].map(option).to_vec(),
            params: vec![ParamValue::Integer(2)],
        };
        let mut guest = Guest::new();
        assert_eq!(guest.configure(&configuration.to_wire()), 0);
        guest
    }

    fn winners(ballots: &[&[usize]]) -> Vec<usize> {
        let mut guest = guest();
        for ballot in ballots {
            let ballot = Approvals::encode(ballot);
            // A batch of one: its weight, its length, its bytes.
            let batch = [&[1, ballot.len() as u8], ballot.as_slice()].concat();
            assert_eq!(guest.fold(&batch), 0);
        }
        let ties = TieOrder {
            decider: Decider::Order,
            order: vec![2, 1, 0],
        };
        let outcome = guest.finish(&ties.to_wire());
        Outcome::from_wire(&outcome).unwrap().winners
    }

    #[test]
    fn the_most_approvals_win() {
        assert_eq!(winners(&[&[0, 1], &[1], &[2]]), [1]);
        assert_eq!(
            winners(&[&[0], &[2]]),
            [2],
            "the tie-break prefers the last"
        );
        assert!(winners(&[]).is_empty());
    }

    #[test]
    fn too_many_marks_are_refused() {
        let mut guest = guest();
        assert_eq!(guest.validate(&Approvals::encode(&[0, 2])), 0);
        assert_eq!(guest.validate(&Approvals::encode(&[0, 1, 2])), 2);
        assert_eq!(guest.message(), "approve of at most 2, not 3");
    }
}
