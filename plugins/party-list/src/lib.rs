//! Party lists: parties share the seats in proportion to their votes.
//!
//! `method`:
//! - `dhondt`: the highest averages votes / 1, 2, 3 ..., as in Spain (Ley Orgánica del Régimen
//!   Electoral General, art. 163, whose printed example the tests reproduce);
//! - `sainte-lague`: the highest averages votes / 1, 3, 5 ... (A. Sainte-Laguë, "La représentation
//!   proportionnelle et la méthode des moindres carrés", 1910), as in New Zealand (Electoral Act
//!   1993, s. 191);
//! - `hare`: a seat for each full quota votes / seats, exactly; the seats left go to the largest
//!   remainders (Hamilton's method, the apportionment act vetoed in 1792);
//! - `droop`: the same with the quota votes / (seats + 1), cut to a whole number, plus one
//!   (H. R. Droop, 1868). In tiny elections seats can be left after a seat for every remainder; the
//!   remainders are then gone through again.
//!
//! A party with less than `threshold_percent` of the votes for all parties gets no seats, and its
//! votes count for neither quota nor averages; exactly the threshold is enough. A party without
//! votes gets no seat, and without any votes no seat is given. `party_thresholds` sets other thresholds
//! for some lists, as laws do for coalitions (Slovakia, Act 180/2014, s. 66: 5, 7 and 10 per cent);
//! `threshold_base` says whether blank ballots are part of the whole, as in Spain.
//!
//! `direct_seats` are seats that parties won in districts. A party with `direct_waiver` of them is exempt
//! from thresholds, and one that won more than its share keeps them, so that more seats are given than
//! `seats` (New Zealand, Electoral Act 1993, ss. 191 and 192; the tests reproduce 2014).
//!
//! Ties: equal averages or remainders for the last seats are decided by the contest's tie-break,
//! each party one seat at most, and named. Where ties are only to be reported these seats are given
//! to nobody, and every tied party is among the winners. Winners are in the order of their first
//! seats; with quotas, most votes first.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod admission;
mod averages;
mod remainders;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use admission::Admission;

/// The rule; see the crate's documentation.
pub struct PartyList {
    contest: Contest,
    seats: u64,
    method: Method,
    admission: Admission,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Averages(averages::Divisors),
    Remainders(remainders::Quota),
}

/// Votes for each party, and blank ballots.
pub struct Marks {
    votes: Vec<u64>,
    blank: u64,
}

tabella_sdk::wire!(Marks { votes, blank });

/// Seats under way.
struct Seats {
    /// By party.
    given: Vec<u64>,
    /// Parties with a seat, in the order of their first; where ties are reported, also those that
    /// tie for one.
    winners: Vec<usize>,
    /// Seats that nobody got, because a tie for them is only reported.
    open: u64,
    quota: Option<Number>,
}

impl Seats {
    fn give(&mut self, party: usize, seats: u64) {
        self.given[party] += seats;
        self.name(party);
    }

    fn name(&mut self, party: usize) {
        if !self.winners.contains(&party) {
            self.winners.push(party);
        }
    }

    /// Leaves the seats with parties that won more in districts than their share. Returns which, and how
    /// many each has beyond it.
    fn keep(&mut self, direct: &[u64]) -> Vec<(usize, u64)> {
        let mut kept = Vec::new();
        for (party, direct) in direct.iter().enumerate() {
            let beyond = direct.saturating_sub(self.given[party]);
            if beyond > 0 {
                self.give(party, beyond);
                kept.push((party, beyond));
            }
        }
        kept
    }

    /// Gives tied parties one seat each, or the seats that are left to those whom the tie-break
    /// chooses. Returns how many seats are left then.
    fn give_tied(&mut self, tied: &[usize], left: u64, question: &str, ties: &mut TieBreak) -> u64 {
        let seats = usize::try_from(left).unwrap_or(usize::MAX);
        let chosen = ties.choose(tied, seats, question);
        if chosen.len() > seats {
            chosen.into_iter().for_each(|party| self.name(party));
            self.open += left;
            return 0;
        }
        let given = chosen.len() as u64;
        chosen.into_iter().for_each(|party| self.give(party, 1));
        left - given
    }
}

impl Rule for PartyList {
    type Ballot = Choices;
    type Tally = Marks;

    const MANIFEST: Manifest = Manifest::new(
        "party-list",
        env!("CARGO_PKG_VERSION"),
        "Parties share the seats in proportion to their votes.",
    )
    .licence("Apache-2.0")
    .definition(
        "Ley Orgánica del Régimen Electoral General (Spain), art. 163; Electoral Act 1993 (NZ), \
         s. 191",
    )
    .params(admission::PARAMS);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds both, so they fit.
            seats: params.integer("seats") as u64,
            method: match params.choice("method") {
                "sainte-lague" => Method::Averages(averages::Divisors::Odd),
                "hare" => Method::Remainders(remainders::Quota::Hare),
                "droop" => Method::Remainders(remainders::Quota::Droop),
                _ => Method::Averages(averages::Divisors::All),
            },
            admission: Admission::of(params, contest)?,
        })
    }

    fn validate(&self, ballot: &Choices) -> Verdict {
        match ballot.len() {
            0 | 1 => Verdict::Accept,
            marked => Verdict::reject(2, format!("mark one party, not {marked}")),
        }
    }

    fn start(&self) -> Marks {
        Marks {
            votes: vec![0; self.contest.len()],
            blank: 0,
        }
    }

    fn fold(&self, marks: &mut Marks, ballot: &Choices, weight: u64) {
        match ballot.options().next() {
            Some(party) => marks.votes[party] += weight,
            None => marks.blank += weight,
        }
    }

    fn merge(&self, marks: &mut Marks, other: Marks) {
        for (votes, more) in marks.votes.iter_mut().zip(other.votes) {
            *votes += more;
        }
        marks.blank += other.blank;
    }

    fn finish(&self, marks: Marks, ties: &mut TieBreak) -> Outcome {
        let parties = self.contest.len();
        let all: u128 = marks.votes.iter().map(|votes| u128::from(*votes)).sum();
        let left_in = self.admission.admitted(&marks);
        let mut seats = Seats {
            given: vec![0; parties],
            winners: Vec::new(),
            open: 0,
            quota: None,
        };
        if !left_in.is_empty() {
            match self.method {
                Method::Averages(divisors) => {
                    averages::share(
                        divisors,
                        &left_in,
                        &marks.votes,
                        self.seats,
                        &mut seats,
                        ties,
                    );
                }
                Method::Remainders(quota) => {
                    remainders::share(quota, &left_in, &marks.votes, self.seats, &mut seats, ties);
                }
            }
        }
        let kept = seats.keep(&self.admission.direct);
        let explanation =
            self.explain(&marks, &left_in, &seats, all, &kept) + &ties.told(&self.contest);
        let mut outcome = self.contest.outcome(&marks.votes, seats.winners);
        for (result, given) in outcome.options.iter_mut().zip(&seats.given) {
            result.seats = *given;
        }
        outcome.quota = seats.quota;
        outcome.explanation = explanation;
        outcome
    }
}

impl PartyList {
    fn explain(
        &self,
        marks: &Marks,
        left_in: &[usize],
        seats: &Seats,
        all: u128,
        kept: &[(usize, u64)],
    ) -> String {
        if left_in.is_empty() && kept.is_empty() {
            return String::from("No party has votes enough for a seat, so no seat is given.");
        }
        let method = match self.method {
            Method::Averages(averages::Divisors::All) => "the highest averages of D'Hondt",
            Method::Averages(averages::Divisors::Odd) => "the highest averages of Sainte-Laguë",
            Method::Remainders(remainders::Quota::Hare) => "Hare quotas and largest remainders",
            Method::Remainders(remainders::Quota::Droop) => "Droop quotas and largest remainders",
        };
        let mut text = format!("{} seats are shared by {method}: ", self.seats);
        for (position, party) in seats.winners.iter().enumerate() {
            if position > 0 {
                text.push_str(", ");
            }
            let (title, votes) = (self.contest.title(*party), marks.votes[*party]);
            text.push_str(&format!(
                "{title} {} with {votes} of {all} votes",
                seats.given[*party]
            ));
        }
        text.push('.');
        if let Some(quota) = seats.quota {
            text.push_str(&format!(" The quota is {quota}."));
        }
        for (party, beyond) in kept {
            let title = self.contest.title(*party);
            text.push_str(&format!(
                " {title} won {beyond} in districts beyond its share, and keeps them."
            ));
        }
        if self.admission.has_threshold() {
            let out = self.contest.len() - left_in.len();
            text.push_str(&format!(" {out} parties are below the threshold."));
        }
        if seats.open > 0 {
            text.push_str(&format!(" A tie leaves {} of the seats open.", seats.open));
        }
        text
    }
}
