//! The result of a count, as `finish` answers it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::number::Number;
use crate::wire;

/// The result of a count. Options are named by their number in the contest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Who or what won, in order of election where the rule has one.
    pub winners: Vec<usize>,
    /// Every tie that mattered; the SDK fills it from the rule's `TieBreak`.
    pub ties: Vec<Tie>,
    /// One entry for each option, in the order of the contest.
    pub options: Vec<OptionResult>,
    /// The count round by round, where the rule has rounds.
    pub rounds: Vec<Round>,
    /// What had to be reached to be elected, where the rule has a quota.
    pub quota: Option<Number>,
    /// For rules that compare in pairs: how many prefer the row's option to the column's, row by
    /// row. Empty otherwise.
    pub pairwise: Vec<Number>,
    /// One paragraph that a person can check.
    pub explanation: String,
}

wire!(Outcome {
    winners,
    ties,
    options,
    rounds,
    quota,
    pairwise,
    explanation
});

/// Options that the votes could not tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The tied options.
    pub options: Vec<usize>,
    /// What was to be decided, such as `elimination in round 2`.
    pub question: String,
    /// How it was decided: `seed`, `order`, `report` (undecided), or a rule's own method.
    pub decided_by: String,
}

impl Tie {
    /// How it was decided, as a sentence goes on: `decided by lot`.
    pub fn how(&self) -> String {
        match self.decided_by.as_str() {
            "seed" => String::from("decided by lot"),
            "order" => String::from("decided by the declared order"),
            "report" => String::from("which nobody decided"),
            method => String::from("decided by ") + method,
        }
    }
}

wire!(Tie {
    options,
    question,
    decided_by
});

/// What became of one option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionResult {
    /// Its votes: the last total it held.
    pub votes: Number,
    /// Whether it was elected.
    pub elected: bool,
    /// Seats won; 1 or 0 where options are persons.
    pub seats: u64,
}

wire!(OptionResult {
    votes,
    elected,
    seats
});

/// One round of a count.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Round {
    /// Totals of the options that took part, by option.
    pub totals: Vec<(usize, Number)>,
    /// Elected in this round.
    pub elected: Vec<usize>,
    /// Eliminated at the end of this round.
    pub eliminated: Vec<usize>,
    /// Votes that count for nobody in this round.
    pub exhausted: Number,
    /// Where the votes went at the end of this round.
    pub transfers: Vec<Transfer>,
}

wire!(Round {
    totals,
    elected,
    eliminated,
    exhausted,
    transfers
});

/// Votes that move from one option to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// From whom.
    pub from: usize,
    /// To whom; `None` where they are exhausted.
    pub to: Option<usize>,
    /// How many.
    pub votes: Number,
}

wire!(Transfer { from, to, votes });

#[allow(clippy::derivable_impls)] // A number is not zero by its first variant, but by meaning.
impl Default for Number {
    fn default() -> Self {
        Self::ZERO
    }
}
