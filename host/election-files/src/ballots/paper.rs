//! From marks at ranks to the JSON ballot of a rule's kind.

use serde_json::{Map, Value, json};
use tabella_runtime::{BallotKind, ContestOption};

use crate::election::ContestName;
use crate::options::OptionNames;

/// What the ballots of one contest can say.
pub(crate) struct Paper<'a> {
    pub(crate) kind: BallotKind,
    /// For files that hold several contests.
    pub(crate) contest: &'a ContestName,
    /// All options, the withdrawn ones too.
    pub(crate) options: &'a [ContestOption],
    /// Positions of options that are passed over.
    pub(crate) withdrawn: &'a [usize],
    /// How many options a voter may mark where a ranking is read as marks.
    pub(crate) marks_max: u64,
    pub(crate) names: OptionNames,
}

impl Paper<'_> {
    /// The position of the option with that name.
    pub(crate) fn option(&self, name: &str) -> Result<usize, String> {
        self.names
            .find(name)
            .ok_or_else(|| format!("{:?} is not an option of this contest", name.trim()))
    }

    pub(crate) fn id(&self, option: usize) -> &str {
        &self.options[option].id
    }

    /// The ballot with these ranks, best first.
    ///
    /// Approval ballots approve of all that is ranked. Choice ballots mark the first ranks, as many
    /// options as may be marked; a shared rank that goes beyond is left for the rule to judge.
    pub(crate) fn ballot_of_ranks(&self, ranks: &[Vec<usize>]) -> Result<Value, String> {
        let stays = |option: &usize| !self.withdrawn.contains(option);
        let ids = |options: &[usize]| -> Vec<&str> {
            let options = options.iter().copied().filter(stays);
            options.map(|option| &*self.options[option].id).collect()
        };
        let ranks = ranks.iter().map(|rank| ids(rank));
        let mut ranks = ranks.filter(|rank| !rank.is_empty());
        match self.kind {
            BallotKind::Ranking => {
                let rank = |ids: Vec<&str>| match ids[..] {
                    [id] => json!(id),
                    _ => json!(ids),
                };
                Ok(json!({ "ranking": ranks.map(rank).collect::<Value>() }))
            }
            BallotKind::Approval => Ok(json!({ "approve": ranks.flatten().collect::<Value>() })),
            BallotKind::Choice => {
                let mut marked: Vec<&str> = Vec::new();
                while (marked.len() as u64) < self.marks_max {
                    match ranks.next() {
                        Some(rank) => marked.extend(rank),
                        None => break,
                    }
                }
                Ok(match marked[..] {
                    [id] => json!({ "choice": id }),
                    _ => json!({ "choices": marked }),
                })
            }
            kind => Err(format!(
                "this file ranks options, which does not make a ballot of {}; use JSON lines",
                kind.name()
            )),
        }
    }

    /// The ballot with these values by option id.
    pub(crate) fn ballot_of_values(&self, values: Map<String, Value>) -> Result<Value, String> {
        match self.kind {
            BallotKind::Scores => Ok(json!({ "scores": values })),
            BallotKind::Votes => Ok(json!({ "votes": values })),
            BallotKind::Grades => Ok(json!({ "grades": values })),
            kind => Err(format!(
                "values for options do not make a ballot of {}",
                kind.name()
            )),
        }
    }
}
