//! Rules that compare every two options by how many voters prefer the one to the other: `schulze`,
//! `ranked-pairs`, `minimax` and `copeland`. Where one option beats every other head to head, all of
//! them elect it.
//!
//! - [`Schulze`]: M. Schulze, "A new monotonic, clone-independent, reversal symmetric, and
//!   condorcet-consistent single-winner election method", Social Choice and Welfare 36, 2011,
//!   pp. 267 to 303;
//! - [`RankedPairs`]: T. N. Tideman, "Independence of clones as a criterion for voting rules", Social
//!   Choice and Welfare 4, 1987, pp. 185 to 206;
//! - [`Minimax`]: P. B. Simpson, "On defining areas of voter choice", Quarterly Journal of Economics
//!   83, 1969, and G. H. Kramer, "A dynamical model of political equilibrium", 1977;
//! - [`Copeland`]: A. H. Copeland, "A reasonable social welfare function", University of Michigan,
//!   1951; a tied comparison is worth half a point.
//!
//! A ballot prefers every option that it ranks to every option that it does not, and has no
//! preference between options that share a rank or are both unranked.
//!
//! `strength` measures a majority of v voters against w: `winning` (the default) by v, `margins` by
//! v − w. The two agree where every ballot ranks all options strictly, and differ where ballots are
//! truncated or share ranks.
//!
//! Ties. Each rule has a set of winners, which is of one option unless comparisons are equal:
//! `schulze` the options that no other beats by a stronger path, `ranked-pairs` those that win for
//! some order of equal majorities, `minimax` and `copeland` those of equal standing. The contest's
//! tie-break decides within that set; where ties are only reported, all of it wins. Where no ballot
//! ranks an option, nobody wins.
//!
//! A contest has at most 64 options: a ballot takes time with the square of the options it ranks.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod copeland;
mod duels;
mod minimax;
mod ranked_pairs;
mod schulze;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;

use tabella_sdk::prelude::*;

pub use copeland::CopelandMethod;
pub use duels::{Counts, Duels, Measure};
pub use minimax::MinimaxMethod;
pub use ranked_pairs::RankedPairsMethod;
pub use schulze::SchulzeMethod;

/// The strongest paths of majorities win.
pub type Schulze = Pairwise<SchulzeMethod>;
/// Majorities are locked in from the strongest down, unless they contradict stronger ones.
pub type RankedPairs = Pairwise<RankedPairsMethod>;
/// The least worst defeat wins.
pub type Minimax = Pairwise<MinimaxMethod>;
/// The most comparisons won win.
pub type Copeland = Pairwise<CopelandMethod>;

/// Options of a contest, at most: a full batch of ballots that rank them all stays within the host's
/// fuel.
pub const OPTIONS_MAX: usize = 64;

/// How comparisons become winners.
pub trait Method {
    /// Name, version, parameters.
    const MANIFEST: Manifest;

    /// How to measure a majority, by the parameters.
    fn measure(params: &Params) -> Measure {
        match params.choice("strength") {
            "margins" => Measure::Margins,
            _ => Measure::Winning,
        }
    }

    /// The rule's winners. There is at least one ballot that ranks an option.
    fn judge(contest: &Contest, duels: &Duels, ties: &TieBreak) -> Judgement;
}

/// What a method finds.
pub struct Judgement {
    /// By option, the number by which people compare them.
    pub votes: Vec<Number>,
    /// Those that win, before a tie between them is decided.
    pub winners: Vec<usize>,
    /// Why they win, in sentences.
    pub reason: String,
}

/// The parameter of all methods that measure majorities.
const STRENGTH: Param = Param::choice("strength", &["winning", "margins"])
    .default_text("winning")
    .about(
        "How to measure a majority: by its votes, or by how many more they are than those against.",
    );

/// A rule that compares every two options.
pub struct Pairwise<M> {
    contest: Contest,
    measure: Measure,
    method: PhantomData<M>,
}

impl<M: Method> Rule for Pairwise<M> {
    type Ballot = Ranking;
    type Tally = Counts;

    const MANIFEST: Manifest = M::MANIFEST;

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let options = contest.len();
        if options > OPTIONS_MAX {
            return Err(ConfigError::new(format!(
                "every two options are compared: expected at most {OPTIONS_MAX} options, found {options}"
            )));
        }
        Ok(Self {
            contest: contest.clone(),
            measure: M::measure(params),
            method: PhantomData,
        })
    }

    fn validate(&self, _ballot: &Ranking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Counts {
        Counts::new(self.contest.len())
    }

    fn fold(&self, counts: &mut Counts, ballot: &Ranking, weight: u64) {
        counts.add(ballot, weight);
    }

    fn merge(&self, counts: &mut Counts, other: Counts) {
        counts.merge(&other);
    }

    fn finish(&self, counts: Counts, ties: &mut TieBreak) -> Outcome {
        let contest = &self.contest;
        let duels = Duels::new(&counts, contest.len(), self.measure);
        let mut outcome = if counts.is_blank() {
            let nothing: Vec<u64> = counts.zeros();
            let mut outcome = contest.outcome(&nothing, Vec::new());
            outcome.explanation = String::from("No ballot ranks an option, so nobody wins.");
            outcome
        } else {
            let judgement = M::judge(contest, &duels, ties);
            let winners = ties.choose(&judgement.winners, 1, "winning");
            let mut outcome = contest.outcome(&judgement.votes, winners);
            outcome.explanation =
                explain(contest, &duels, &judgement, &outcome.winners, &ties.how());
            outcome
        };
        outcome.pairwise = duels.preferences();
        outcome
    }
}

fn explain(
    contest: &Contest,
    duels: &Duels,
    judgement: &Judgement,
    winners: &[usize],
    how: &str,
) -> String {
    let names = contest.list(&judgement.winners);
    if let ([winner], true) = (winners, judgement.winners.len() == 1) {
        let others = (0..contest.len()).filter(|option| option != winner);
        let beats_all = others.clone().all(|other| duels.beats(*winner, other));
        return match others.count() {
            0 => format!("{names} is the only option, and wins."),
            _ if beats_all => {
                format!(
                    "More voters prefer {names} to each other option than the reverse: it wins."
                )
            }
            _ => format!(
                "No option beats every other head to head. {} So {names} wins.",
                judgement.reason
            ),
        };
    }
    let decision = match winners {
        [winner] => format!("{} wins, {how}", contest.title(*winner)),
        _ => String::from("the tie is not decided"),
    };
    format!("{} {names} tie; {decision}.", judgement.reason)
}

/// An option's name where it may be repeated: long ones give way to its place on the paper.
fn name(contest: &Contest, option: usize) -> String {
    const NAME_BYTES_MAX: usize = 80;
    match contest.title(option) {
        title if title.len() <= NAME_BYTES_MAX => String::from(title),
        _ => format!("option {}", option + 1),
    }
}
