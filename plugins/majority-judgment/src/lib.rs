//! Majority judgment: voters grade each option, and the highest median grade wins.
//!
//! Definition: M. Balinski and R. Laraki, "A theory of measuring, electing, and ranking", Proceedings
//! of the National Academy of Sciences 104, 2007, and "Majority Judgment", MIT Press, 2011. The
//! majority-grade of an option is the median of its grades, of an even number the lower of the two in
//! the middle. An option that a ballot does not grade has the worst grade on it.
//!
//! Equal majority-grades (`ties`):
//! - `iterated`: one majority-grade is taken away from each of the tied options, and their new
//!   majority-grades are compared, again and again until they differ (the majority-value);
//! - `gauge`: an option with more grades above its majority-grade than below is better than one
//!   without; of those with more above, more above is better; of the others, fewer below is better
//!   (the majority-gauge).
//!
//! What is still tied is decided by the contest's tie-break: for `iterated` that means equal numbers
//! of every grade. Without ballots, or where all are blank, nobody wins. An option's `votes` are the number of its
//! majority-grade, 0 for the worst.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod merit;

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::prelude::*;

use merit::Merit;

/// Grades that a voter can choose from, at most.
const GRADES_MAX: usize = 64;

/// The rule; see the crate's documentation.
pub struct MajorityJudgment {
    contest: Contest,
    grades: Vec<String>,
    ties: Ties,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ties {
    Iterated,
    Gauge,
}

/// How often each option has each grade.
pub struct Given {
    /// By option, then by grade but for the worst, which is what is left of the ballots.
    better: Vec<u64>,
    ballots: u64,
    /// Ballots that grade at least one option.
    graded: u64,
}

tabella_sdk::wire!(Given {
    better,
    ballots,
    graded
});

impl Rule for MajorityJudgment {
    type Ballot = Grades;
    type Tally = Given;

    const MANIFEST: Manifest = Manifest::new(
        "majority-judgment",
        env!("CARGO_PKG_VERSION"),
        "Voters grade each option, and the highest median grade wins.",
    )
    .licence("Apache-2.0")
    .definition("Balinski and Laraki, PNAS 104, 2007; Majority Judgment, MIT Press, 2011")
    .params(&[
        Param::texts("grades")
            .about("The grades that a voter can give, from the worst to the best."),
        Param::choice("ties", &["iterated", "gauge"])
            .default_text("iterated")
            .about("How to compare options of equal median: take medians away, or by the gauge."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let grades = params.texts("grades");
        if grades.len() < 2 || grades.len() > GRADES_MAX {
            return Err(ConfigError::new(format!(
                "grades: expected 2 to {GRADES_MAX} grades from the worst to the best, found {}",
                grades.len()
            )));
        }
        for (position, grade) in grades.iter().enumerate() {
            if grade.is_empty() || grades[..position].contains(grade) {
                return Err(ConfigError::new(format!(
                    "grades: grade {} is empty or was named before",
                    position + 1
                )));
            }
        }
        Ok(Self {
            contest: contest.clone(),
            grades: grades.to_vec(),
            ties: match params.choice("ties") {
                "gauge" => Ties::Gauge,
                _ => Ties::Iterated,
            },
        })
    }

    fn validate(&self, ballot: &Grades) -> Verdict {
        let best = self.grades.len() - 1;
        match ballot.values().find(|(_, grade)| *grade > best as u64) {
            Some((option, grade)) => Verdict::reject(
                2,
                format!(
                    "grades go from 0 to {best}; option {} has {grade}",
                    option + 1
                ),
            ),
            None => Verdict::Accept,
        }
    }

    fn start(&self) -> Given {
        Given {
            better: vec![0; self.contest.len() * (self.grades.len() - 1)],
            ballots: 0,
            graded: 0,
        }
    }

    fn fold(&self, given: &mut Given, ballot: &Grades, weight: u64) {
        let row = self.grades.len() - 1;
        for (option, grade) in ballot.values() {
            if grade > 0 {
                given.better[option * row + grade as usize - 1] += weight;
            }
        }
        given.ballots += weight;
        if !ballot.is_empty() {
            given.graded += weight;
        }
    }

    fn merge(&self, given: &mut Given, other: Given) {
        for (count, more) in given.better.iter_mut().zip(other.better) {
            *count += more;
        }
        given.ballots += other.ballots;
        given.graded += other.graded;
    }

    fn finish(&self, given: Given, ties: &mut TieBreak) -> Outcome {
        if given.graded == 0 {
            let nothing = vec![0u64; self.contest.len()];
            let mut outcome = self.contest.outcome(&nothing, Vec::new());
            outcome.explanation = match given.ballots {
                0 => String::from("There are no ballots, so nobody wins."),
                1 => String::from("The only ballot is blank: nobody was graded, and nobody wins."),
                blank => {
                    format!("All {blank} ballots are blank: nobody was graded, and nobody wins.")
                }
            };
            return outcome;
        }
        let rows = given.better.chunks(self.grades.len() - 1);
        let merits: Vec<Merit> = rows.map(|row| Merit::new(row, given.ballots)).collect();
        let compare = |first: &Merit, second: &Merit| match self.ties {
            Ties::Iterated => first.compare_values(second),
            Ties::Gauge => first.compare_gauges(second),
        };
        let mut best: Vec<usize> = Vec::new();
        for (option, merit) in merits.iter().enumerate() {
            let against = best.first().map(|leader| compare(merit, &merits[*leader]));
            if against == Some(Ordering::Greater) {
                best.clear();
            }
            if against != Some(Ordering::Less) {
                best.push(option);
            }
        }
        let winners = ties.choose(&best, 1, "the best grades");
        let medians: Vec<u64> = merits.iter().map(|merit| merit.median() as u64).collect();
        let mut outcome = self.contest.outcome(&medians, winners);
        outcome.explanation =
            self.explain(&merits, &best, &outcome.winners, given.ballots, &ties.how());
        outcome
    }
}

impl MajorityJudgment {
    fn explain(
        &self,
        merits: &[Merit],
        best: &[usize],
        winners: &[usize],
        ballots: u64,
        how: &str,
    ) -> String {
        let median = merits[best[0]].median();
        let grade = &self.grades[median];
        let equals = merits.iter().filter(|merit| merit.median() == median);
        let names = self.contest.list(best);
        let mut text = format!("The highest median of {ballots} grades is {grade}.");
        const SHOWN_MAX: usize = 12;
        for option in best.iter().take(SHOWN_MAX) {
            text.push_str(&format!(
                " {}: {} above it, {} below.",
                self.contest.title(*option),
                merits[*option].above(),
                merits[*option].below(),
            ));
        }
        if best.len() < equals.count() {
            text.push_str(match self.ties {
                Ties::Iterated => {
                    " Taking medians away one at a time from the options that share it, "
                }
                Ties::Gauge => " By the gauge of the options that share it, ",
            });
            text.push_str(&names);
            text.push_str(if best.len() == 1 { " leads." } else { " lead." });
        }
        text.push_str(&match (best, winners) {
            ([_], _) => format!(" {names} wins."),
            (_, [winner]) => {
                let winner = self.contest.title(*winner);
                format!(" {names} tie; {winner} wins, {how}.")
            }
            _ => format!(" {names} tie; the tie is not decided."),
        });
        text
    }
}
