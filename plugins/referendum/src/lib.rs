//! A referendum: one proposal is adopted or not.
//!
//! The first option is to adopt the proposal, the second to reject it, and a third, where there is
//! one, to abstain; a ballot without a mark abstains too.
//!
//! Definition: a majority of the votes cast, as in the European Union Referendum Act 2015 (UK), whose
//! referendum of 23 June 2016 the tests reproduce; a quorum of those entitled to vote, as in the
//! Constitution of Italy, article 75.
//!
//! - `majority`: up to 1/2 the votes for the proposal must be *more* than that share, above 1/2 *at
//!   least* that share: half the votes adopt nothing, two thirds meet a majority of two thirds.
//! - `abstentions`: whether they are `counted` among the votes of which a majority is needed, or
//!   `not-counted` (the default). They always count as taking part.
//! - `quorum`: the share of the roll that must take part, at least; `roll` is how many voters it has,
//!   by weight.
//!
//! Answers: a proposal that has its majority wins (the first option is elected); one that has not,
//! loses (the second is). Where nobody takes part or the quorum is missed nothing is decided, and no
//! option is elected. There are no ties to break: equal votes do not adopt.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

/// The rule; see the crate's documentation.
pub struct Referendum {
    contest: Contest,
    majority: Share,
    quorum: Option<Quorum>,
    abstentions: Abstentions,
}

/// A part of a whole, at most all of it.
#[derive(Clone, Copy)]
struct Share {
    numerator: u64,
    denominator: u64,
}

impl Share {
    fn new(name: &str, (numerator, denominator): (u64, u64)) -> Result<Self, ConfigError> {
        if numerator > denominator {
            return Err(ConfigError::new(format!(
                "{name}: expected at most the whole, found {numerator}/{denominator}"
            )));
        }
        Ok(Self {
            numerator,
            denominator,
        })
    }

    /// How a part compares to this share of a whole, exactly.
    fn compare(self, part: u64, whole: u64) -> core::cmp::Ordering {
        let part = u128::from(part) * u128::from(self.denominator);
        part.cmp(&(u128::from(whole) * u128::from(self.numerator)))
    }

    fn is_met(self, part: u64, whole: u64) -> bool {
        self.compare(part, whole).is_ge()
    }

    fn is_exceeded(self, part: u64, whole: u64) -> bool {
        self.compare(part, whole).is_gt()
    }

    fn is_above_half(self) -> bool {
        u128::from(self.numerator) * 2 > self.denominator.into()
    }
}

struct Quorum {
    share: Share,
    roll: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Abstentions {
    Counted,
    NotCounted,
}

/// Votes by option, and ballots without a mark.
pub struct Cast {
    votes: Vec<u64>,
    blank: u64,
}

tabella_sdk::wire!(Cast { votes, blank });

impl Rule for Referendum {
    type Ballot = Choices;
    type Tally = Cast;

    const MANIFEST: Manifest = Manifest::new(
        "referendum",
        env!("CARGO_PKG_VERSION"),
        "The first option is adopted if it has its majority, and enough of the roll take part.",
    )
    .licence("Apache-2.0")
    .definition("European Union Referendum Act 2015 (UK); Constitution of Italy, article 75")
    .options_min(2)
    .params(&[
        Param::ratio("majority").default_text("1/2").about(
            "The share of the votes that adopts: more than it up to 1/2, at least it above.",
        ),
        Param::ratio("quorum")
            .optional()
            .about("The share of the roll that must take part; needs roll."),
        Param::integer("roll", 0, i64::MAX)
            .optional()
            .about("How many voters are on the roll, by weight."),
        Param::choice("abstentions", &["not-counted", "counted"])
            .default_text("not-counted")
            .about("Whether abstentions are among the votes of which a majority is needed."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        if options > 3 {
            return Err(ConfigError::new(format!(
                "expected two options, to adopt and to reject, and perhaps a third to abstain; \
                 found {options}"
            )));
        }
        let quorum = match (
            params.optional_ratio("quorum"),
            params.optional_integer("roll"),
        ) {
            (None, _) => None,
            (Some(_), None) => {
                return Err(ConfigError::new(
                    "quorum is a share of the roll: say in roll how many voters it has",
                ));
            }
            (Some(share), Some(roll)) => Some(Quorum {
                share: Share::new("quorum", share)?,
                // The manifest bounds it from below, so it fits.
                roll: roll as u64,
            }),
        };
        Ok(Self {
            contest: contest.clone(),
            majority: Share::new("majority", params.ratio("majority"))?,
            quorum,
            abstentions: match params.choice("abstentions") {
                "counted" => Abstentions::Counted,
                _ => Abstentions::NotCounted,
            },
        })
    }

    fn validate(&self, ballot: &Choices) -> Verdict {
        match ballot.len() {
            0 | 1 => Verdict::Accept,
            marked => Verdict::reject(2, format!("mark one option only, not {marked}")),
        }
    }

    fn start(&self) -> Cast {
        Cast {
            votes: vec![0; self.contest.len()],
            blank: 0,
        }
    }

    fn fold(&self, cast: &mut Cast, ballot: &Choices, weight: u64) {
        match ballot.options().next() {
            Some(option) => cast.votes[option] += weight,
            None => cast.blank += weight,
        }
    }

    fn merge(&self, cast: &mut Cast, other: Cast) {
        for (votes, more) in cast.votes.iter_mut().zip(other.votes) {
            *votes += more;
        }
        cast.blank += other.blank;
    }

    fn finish(&self, cast: Cast, _ties: &mut TieBreak) -> Outcome {
        let (votes, decision) = (Votes::new(self, &cast), self.decide(&cast));
        let winners = match decision {
            Decision::Adopted => vec![0],
            Decision::Rejected => vec![1],
            Decision::NoQuorum | Decision::NoBallots => Vec::new(),
        };
        let mut outcome = self.contest.outcome(&cast.votes, winners);
        outcome.explanation = self.explain(&votes, decision);
        outcome
    }
}

/// What a referendum decides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Adopted,
    Rejected,
    NoQuorum,
    NoBallots,
}

/// The numbers that decide.
struct Votes {
    to_adopt: u64,
    to_reject: u64,
    abstentions: u64,
    /// Of which a majority is needed.
    base: u64,
}

impl Votes {
    fn new(rule: &Referendum, cast: &Cast) -> Self {
        let abstentions = cast.blank + cast.votes[2..].iter().sum::<u64>();
        let (to_adopt, to_reject) = (cast.votes[0], cast.votes[1]);
        let base = match rule.abstentions {
            Abstentions::Counted => to_adopt + to_reject + abstentions,
            Abstentions::NotCounted => to_adopt + to_reject,
        };
        Self {
            to_adopt,
            to_reject,
            abstentions,
            base,
        }
    }

    fn took_part(&self) -> u64 {
        self.to_adopt + self.to_reject + self.abstentions
    }
}

impl Referendum {
    fn decide(&self, cast: &Cast) -> Decision {
        let votes = Votes::new(self, cast);
        if votes.took_part() == 0 {
            return Decision::NoBallots;
        }
        if let Some(quorum) = &self.quorum
            && !quorum.share.is_met(votes.took_part(), quorum.roll)
        {
            return Decision::NoQuorum;
        }
        let has_majority = match self.majority.is_above_half() {
            true => votes.to_adopt > 0 && self.majority.is_met(votes.to_adopt, votes.base),
            false => self.majority.is_exceeded(votes.to_adopt, votes.base),
        };
        match has_majority {
            true => Decision::Adopted,
            false => Decision::Rejected,
        }
    }

    fn explain(&self, votes: &Votes, decision: Decision) -> String {
        if decision == Decision::NoBallots {
            return String::from("Nobody took part, so nothing is decided.");
        }
        let (adopt, reject) = (self.contest.title(0), self.contest.title(1));
        let mut text = format!(
            "{} for {adopt}, {} for {reject}, {} abstained.",
            votes.to_adopt, votes.to_reject, votes.abstentions
        );
        if let Some(Quorum { share, roll }) = &self.quorum {
            text.push_str(&format!(
                " {} of the {roll} on the roll took part, at least {}/{} are needed.",
                votes.took_part(),
                share.numerator,
                share.denominator
            ));
        }
        if decision == Decision::NoQuorum {
            text.push_str(" The quorum is missed, so nothing is decided.");
            return text;
        }
        let Share {
            numerator,
            denominator,
        } = self.majority;
        text.push_str(&format!(
            " To be adopted, {adopt} needs {} {numerator}/{denominator} of {}: {}.",
            if self.majority.is_above_half() {
                "at least"
            } else {
                "more than"
            },
            votes.base,
            match decision {
                Decision::Adopted => "it is adopted",
                _ => "it is not adopted",
            }
        ));
        text
    }
}
