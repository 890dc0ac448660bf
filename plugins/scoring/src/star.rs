//! Score then automatic runoff.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::runoff::{Comparisons, Runoff, TOPS};

/// More preferences between the two options with the highest scores win; see the crate's
/// documentation.
pub struct Star {
    contest: Contest,
    max: u64,
}

/// Points and the ballots they came from: a runoff compares the scores within each ballot.
pub struct Stars {
    points: Vec<i128>,
    profile: Profile<Scores>,
}

tabella_sdk::wire!(Stars { points, profile });

/// Options that a tie for the runoff may be between and still be decided by comparing every two of
/// them; a tie of more goes to the tie-break at once.
const CONTENDERS_MAX: usize = 16;

const PLACE: &str = "a place in the runoff";

/// Ties for a place that the explanation names; the outcome lists all of them.
const TIES_TOLD_MAX: usize = 12;

impl Rule for Star {
    type Ballot = Scores;
    type Tally = Stars;

    const MANIFEST: Manifest = Manifest::new(
        "star",
        env!("CARGO_PKG_VERSION"),
        "Of the two options with the highest scores, the one that more voters prefer wins.",
    )
    .licence("Apache-2.0")
    .definition("Equal Vote Coalition, STAR Voting, with the standard tie-breaking protocol")
    .params(&[crate::MAX]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it from below, so it fits.
            max: params.integer("max") as u64,
        })
    }

    fn validate(&self, ballot: &Scores) -> Verdict {
        crate::check_scores(&self.contest, self.max, ballot)
    }

    fn start(&self) -> Stars {
        Stars {
            points: vec![0; self.contest.len()],
            profile: Profile::new(),
        }
    }

    fn fold(&self, stars: &mut Stars, ballot: &Scores, weight: u64) {
        for (option, score) in ballot.values() {
            stars.points[option] += i128::from(score) * i128::from(weight);
        }
        stars.profile.add(ballot, weight);
    }

    fn merge(&self, stars: &mut Stars, other: Stars) {
        for (points, more) in stars.points.iter_mut().zip(other.points) {
            *points += more;
        }
        stars.profile.merge(&other.profile);
    }

    fn finish(&self, stars: Stars, ties: &mut TieBreak) -> Outcome {
        let points = &stars.points;
        let totals = points.iter().enumerate();
        let mut rounds = vec![Round {
            totals: totals
                .map(|(option, points)| (option, (*points).into()))
                .collect(),
            ..Round::default()
        }];
        let mut winners = BTreeSet::new();
        let mut sentences = Vec::new();
        match self.hold(&stars, ties) {
            Finals::None => sentences.push(String::from("No option has a point, so nobody wins.")),
            Finals::TooMany(contenders) => {
                sentences.push(format!(
                    "{} options tie for the runoff; the tie is not decided.",
                    contenders.len()
                ));
                winners.extend(contenders);
            }
            Finals::Runoffs(runoffs) => {
                for runoff in runoffs {
                    let elected = runoff.elect(points, ties);
                    sentences.push(self.explain(points, &runoff, &elected, &ties.how()));
                    rounds.push(runoff.round(&elected));
                    winners.extend(elected);
                }
            }
        }
        let mut outcome = self.contest.outcome(points, winners.into_iter().collect());
        outcome.rounds = rounds;
        let places = ties.ties().iter().filter(|tie| tie.question == PLACE);
        let decided = places
            .filter(|tie| tie.decided_by != "report")
            .take(TIES_TOLD_MAX);
        sentences.splice(0..0, decided.map(|tie| self.contest.told(tie)));
        outcome.explanation = sentences.join(" ");
        outcome
    }
}

/// The second round.
enum Finals {
    /// Nobody has points.
    None,
    /// More than [`CONTENDERS_MAX`] tie, and nobody decides.
    TooMany(Vec<usize>),
    /// One runoff, or all that an undecided tie allows.
    Runoffs(Vec<Runoff>),
}

impl Star {
    fn hold(&self, stars: &Stars, ties: &mut TieBreak) -> Finals {
        let (mut seated, mut tied) = self.leaders(&stars.points);
        if seated.is_empty() && tied.is_empty() {
            return Finals::None;
        }
        if seated.len() + tied.len() > CONTENDERS_MAX {
            tied = ties.choose(&tied, 2 - seated.len(), PLACE);
            if ties.only_reports() {
                seated.append(&mut tied);
                return Finals::TooMany(seated);
            }
        }
        let contenders = [&seated[..], &tied[..]].concat();
        let comparisons =
            Comparisons::new(self.contest.len(), self.max, &stars.profile, contenders);
        let pairs = finalists(&comparisons, seated, tied, ties);
        let runoffs = pairs.into_iter().map(|pair| comparisons.runoff(pair));
        Finals::Runoffs(runoffs.collect())
    }

    /// Who is sure to run off, and who ties for the places left.
    fn leaders(&self, points: &[i128]) -> (Vec<usize>, Vec<usize>) {
        let top = self.contest.highest(points);
        let [first] = top[..] else {
            return (Vec::new(), top);
        };
        let rest = (0..points.len()).filter(|option| *option != first);
        let second = rest.clone().map(|option| points[option]).max();
        let tied = rest.filter(|option| Some(points[*option]) == second);
        (vec![first], tied.collect())
    }

    fn explain(&self, points: &[i128], runoff: &Runoff, elected: &[usize], how: &str) -> String {
        let title = |option: usize| self.contest.title(option);
        let [first, second] = match runoff.finalists[..] {
            [first, second] => [first, second],
            _ => {
                let names = self.contest.list(&runoff.finalists);
                return format!("{names} is the only option, and wins.");
            }
        };
        let end = match elected {
            [winner] if runoff.votes[0] != runoff.votes[1] => format!("{} wins", title(*winner)),
            [winner] if points[first] != points[second] => {
                format!("{} wins by the higher score", title(*winner))
            }
            [winner] if runoff.tops[0] != runoff.tops[1] => {
                format!("{} wins by more scores of {}", title(*winner), self.max)
            }
            [winner] => format!("{} wins, {how}", title(*winner)),
            _ => String::from("the tie is not decided"),
        };
        format!(
            "{} ({} points) and {} ({} points) run off: {} ballots prefer {} and {} prefer {}, {} \
             neither; {end}.",
            title(first),
            points[first],
            title(second),
            points[second],
            runoff.votes[0],
            title(first),
            runoff.votes[1],
            title(second),
            runoff.indifferent,
        )
    }
}

/// Who runs off: one or two options; several pairs only where ties are reported.
fn finalists(
    comparisons: &Comparisons,
    mut seated: Vec<usize>,
    mut tied: Vec<usize>,
    ties: &mut TieBreak,
) -> Vec<Vec<usize>> {
    // Seats the tied options, best first, as far as comparing them tells.
    while seated.len() < 2 && seated.len() + tied.len() > 2 {
        let mut best = comparisons.best_head_to_head(&tied);
        let mut method = "head-to-head";
        if best.len() > 2 - seated.len() {
            best = comparisons.best_by_tops(&best, 2 - seated.len());
            method = TOPS;
        }
        if best.len() > 2 - seated.len() {
            return undecided(&seated, &best, ties);
        }
        ties.record_decided(&tied, PLACE, method);
        seated.extend(&best);
        tied.retain(|option| !best.contains(option));
    }
    if seated.len() < 2 {
        seated.append(&mut tied);
    }
    vec![seated]
}

/// Pairs of finalists where the ballots do not tell who of the tied takes the places left.
fn undecided(seated: &[usize], tied: &[usize], ties: &mut TieBreak) -> Vec<Vec<usize>> {
    let places = 2 - seated.len();
    let chosen = ties.choose(tied, places, PLACE);
    if !ties.only_reports() {
        return vec![[seated, &chosen].concat()];
    }
    if places == 1 {
        let with = |option: &usize| [seated, &[*option]].concat();
        return tied.iter().map(with).collect();
    }
    let pairs = tied.iter().enumerate().flat_map(|(position, first)| {
        let later = &tied[position + 1..];
        later.iter().map(move |second| vec![*first, *second])
    });
    pairs.collect()
}
