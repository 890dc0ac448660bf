//! The contest as a rule sees it.

use alloc::collections::BinaryHeap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use tabella_abi::contest::ContestOption;

use crate::{Number, OptionResult, Outcome, Tie};

/// The options that voters decide about. Ballots and results name an option by its number, from 0.
#[derive(Clone, Debug)]
pub struct Contest {
    options: Vec<ContestOption>,
}

impl Contest {
    pub(crate) fn new(options: Vec<ContestOption>) -> Self {
        Self { options }
    }

    /// How many options there are.
    pub fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// The name of an option for people.
    pub fn title(&self, option: usize) -> &str {
        &self.options[option].title
    }

    /// The id of an option.
    pub fn id(&self, option: usize) -> &str {
        &self.options[option].id
    }

    /// The names of several options in prose: `A, B and C`.
    pub fn list(&self, options: &[usize]) -> String {
        let mut text = String::new();
        for (position, option) in options.iter().enumerate() {
            if position > 0 {
                text.push_str(if position + 1 == options.len() {
                    " and "
                } else {
                    ", "
                });
            }
            text.push_str(self.title(*option));
        }
        text
    }

    /// A tie in a sentence: `A and B tied (the last seat), decided by lot.`
    pub fn told(&self, tie: &Tie) -> String {
        // Every option of a large contest may tie, and an outcome is bounded.
        const NAMES_MAX: usize = 12;
        let named = tie.options.len().min(NAMES_MAX);
        let mut text = self.list(&tie.options[..named]);
        if tie.options.len() > named {
            text.push_str(&format!(" and {} others", tie.options.len() - named));
        }
        text.push_str(&format!(" tied ({}), {}.", tie.question, tie.how()));
        text
    }

    /// These options, fewest votes first; the paper's order where votes are equal.
    pub fn ascending(&self, options: impl Iterator<Item = usize>, votes: &[u64]) -> Vec<usize> {
        // A heap, because the library's sort would be a tenth of a small plugin's code.
        let heap: BinaryHeap<(u64, usize)> =
            options.map(|option| (votes[option], option)).collect();
        heap.into_sorted_vec()
            .into_iter()
            .map(|(_, option)| option)
            .collect()
    }

    /// The options with the most votes, unless nobody has any.
    pub fn highest<V: Ord + Copy + Default>(&self, votes: &[V]) -> Vec<usize> {
        let most = votes.iter().copied().max().unwrap_or_default();
        if most == V::default() {
            return Vec::new();
        }
        (0..votes.len())
            .filter(|option| votes[*option] == most)
            .collect()
    }

    /// An outcome with these votes and these winners, one seat each; the rest is left to fill in.
    pub fn outcome<V: Into<Number> + Copy>(&self, votes: &[V], winners: Vec<usize>) -> Outcome {
        let options = votes
            .iter()
            .enumerate()
            .map(|(option, votes)| {
                let elected = winners.contains(&option);
                OptionResult {
                    votes: (*votes).into(),
                    elected,
                    seats: elected.into(),
                }
            })
            .collect();
        Outcome {
            winners,
            options,
            ..Outcome::default()
        }
    }
}
