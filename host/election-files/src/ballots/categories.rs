//! PrefLib's categories (`.cat`): each ballot sorts alternatives into named categories, as `Yes` and `No`.

use serde_json::{Map, Value};
use tabella_contest::BallotKind;

use super::paper::{Paper, Rank};
use super::problem::{At, Unread, brief};
use crate::options::fold;

/// Names of categories that approve, and that do not, folded.
const APPROVES: [&str; 5] = ["yes", "approve", "approved", "approval", "for"];
const DOES_NOT: [&str; 7] = [
    "no",
    "not approved",
    "disapprove",
    "disapproved",
    "disapproval",
    "unapproved",
    "against",
];

/// The categories of a file, in their order.
#[derive(Default)]
pub(super) struct Categories {
    names: Vec<String>,
}

impl Categories {
    /// Takes `1: Yes`.
    pub(super) fn name(&mut self, named: &str, line: u64) -> Result<(), At> {
        let parts = named.split_once(':').and_then(|(number, name)| {
            let number = number.trim().parse::<usize>().ok()?;
            Some((number, name.trim()))
        });
        match parts {
            Some((number, name)) if number == self.names.len() + 1 && !name.is_empty() => {
                self.names.push(name.to_owned());
                Ok(())
            }
            _ => {
                let next = self.names.len() + 1;
                let message = format!(
                    "expected `{next}: name` of a category, found {}",
                    brief(named)
                );
                Err(At::new(line, message))
            }
        }
    }

    pub(super) fn are_none(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn len(&self) -> u64 {
        self.names.len() as u64
    }

    /// The ballot that sorts options so.
    pub(super) fn ballot(&self, sorted: &[Rank], paper: &Paper<'_>) -> Result<Value, Unread> {
        if sorted.len() > self.names.len() {
            let (expected, found) = (self.names.len(), sorted.len());
            return Err(format!("expected at most {expected} categories, found {found}").into());
        }
        let mut of_option: Map<String, Value> = Map::new();
        let mut approved = Vec::new();
        for (name, rank) in self.names.iter().zip(sorted) {
            let Rank::Options(options) = rank else {
                continue;
            };
            let value = self.value(name, paper)?;
            for option in options {
                let id = paper.id(*option);
                if of_option.insert(id.to_owned(), value.clone()).is_some() {
                    return Err(format!("{id} stands in two categories").into());
                }
                if value == Value::Bool(true) {
                    approved.push(*option);
                }
            }
        }
        match paper.kind {
            BallotKind::Approval => paper.ballot_of_ranks(&[Rank::Options(approved)]),
            _ => paper.ballot_of_values(of_option),
        }
    }

    /// What a category says of the options in it, in a ballot of the rule's kind.
    fn value(&self, name: &str, paper: &Paper<'_>) -> Result<Value, Unread> {
        let folded = fold(name);
        let refuse = |expected: &str| {
            let name = brief(name);
            Unread::File(format!("expected {expected}, found the category {name}"))
        };
        match paper.kind {
            BallotKind::Approval => match &*folded {
                yes if APPROVES.contains(&yes) => Ok(true.into()),
                no if DOES_NOT.contains(&no) => Ok(false.into()),
                _ => Err(refuse(
                    "categories that are called yes or no, for a rule of approvals",
                )),
            },
            BallotKind::Grades => Ok(name.into()),
            BallotKind::Scores | BallotKind::Votes => match name.parse::<u64>() {
                Ok(points) => Ok(points.into()),
                Err(_) => Err(refuse(
                    "categories that are called by numbers, for a rule of points",
                )),
            },
            _ => Err(refuse("orders, which categories are not")),
        }
    }
}
