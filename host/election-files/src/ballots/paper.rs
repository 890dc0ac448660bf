//! From marks at ranks to the JSON ballot of a rule's kind.

use serde_json::{Map, Value, json};
use tabella_contest::{BallotKind, ContestOption};

use super::problem::{At, Cast, Unread};
use crate::election::ContestName;
use crate::options::{Meaning, OptionNames, fold};
use crate::report::MarkCounts;

/// What the ballots of one contest can say.
pub(crate) struct Paper<'a> {
    pub(crate) kind: BallotKind,
    /// Whether the rule judges skipped ranks and repeated options itself.
    pub(crate) takes_marks: bool,
    /// For files that hold several contests.
    pub(crate) contest: &'a ContestName,
    /// All options, the withdrawn ones too.
    pub(crate) options: &'a [ContestOption],
    /// Positions of options that are passed over.
    pub(crate) withdrawn: &'a [usize],
    /// How many options a voter may mark where a ranking is read as marks.
    pub(crate) marks_max: u64,
    /// The words of a rule that grades.
    pub(crate) grades: Vec<String>,
    pub(crate) names: OptionNames,
}

/// What stands at one rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    /// Nothing.
    Skipped,
    /// Several marks, and the file does not say which.
    Overvote,
    /// Somebody who is not on the paper.
    Other,
    /// These options.
    Options(Vec<usize>),
}

/// Ranks of a ballot, at most: a larger number of a rank is a mistake.
pub(crate) const RANKS_MAX: u64 = 16_000;

impl Paper<'_> {
    /// Refuses a file of marks for a rule whose ballots are more than marks.
    pub(crate) fn takes_marks_of_machines(&self) -> Result<(), At> {
        match self.kind {
            BallotKind::Scores | BallotKind::Grades | BallotKind::Raw => {
                let kind = self.kind.name();
                let message = format!("this file holds marks, not ballots of {kind}");
                Err(At::new(1, message))
            }
            _ => Ok(()),
        }
    }

    /// The position of the option with that name.
    pub(crate) fn option(&self, name: &str) -> Result<usize, Unread> {
        match self.names.meaning(name) {
            Meaning::Option(option) => Ok(option),
            Meaning::Several(options) => Err(Unread::File(self.several(name, &options))),
            Meaning::Nothing => {
                let name = name.trim();
                let near = match self.names.nearest(name) {
                    Some(near) => format!("; the nearest is {near:?}"),
                    None => String::new(),
                };
                Err(Unread::Spoiled(format!(
                    "{name:?} is not an option of this contest{near}"
                )))
            }
        }
    }

    /// Why a name of several options cannot be read.
    pub(crate) fn several(&self, name: &str, options: &[usize]) -> String {
        let ids: Vec<&str> = options.iter().map(|option| self.id(*option)).collect();
        let how_many = match options.len() {
            2 => "two".to_owned(),
            many => many.to_string(),
        };
        format!(
            "{how_many} options are called {:?}; name them by their ids, {}",
            name.trim(),
            ids.join(" and ")
        )
    }

    /// What a cell says of one rank: an option, several with `=` between them, or a word for none.
    pub(crate) fn rank(&self, cell: &str) -> Result<Rank, Unread> {
        let text = cell.trim();
        match self.names.meaning(text) {
            Meaning::Option(option) => return Ok(Rank::Options(vec![option])),
            Meaning::Several(options) => return Err(Unread::File(self.several(text, &options))),
            Meaning::Nothing => {}
        }
        if self.names.is_write_in(text) {
            return Ok(self
                .names
                .write_in()
                .map_or(Rank::Other, |option| Rank::Options(vec![option])));
        }
        match &*text.to_lowercase() {
            "" | "skipped" | "undervote" | "blank" | "-" => return Ok(Rank::Skipped),
            "overvote" => return Ok(Rank::Overvote),
            _ => {}
        }
        // Exports write a rank with several marks as `a|b`.
        let separates = |c: char| c == '=' || c == '|';
        if !text.contains(separates) {
            return self.option(text).map(|option| Rank::Options(vec![option]));
        }
        let names = text.split(separates).map(|name| self.option(name));
        Ok(Rank::Options(names.collect::<Result<_, _>>()?))
    }

    pub(crate) fn id(&self, option: usize) -> &str {
        &self.options[option].id
    }

    /// Whether the option has a name besides its id.
    pub(crate) fn has_title(&self, option: usize) -> bool {
        !self.options[option].title.trim().is_empty()
    }

    /// The ballot with these ranks, best first.
    ///
    /// A rule that judges marks gets them as they were made. For any other, skipped ranks and ranks
    /// with unknown marks are passed over, and an option stands at the best of its ranks. Approval
    /// ballots approve of all that is ranked. Choice ballots mark the first ranks, as many options as
    /// may be marked; a shared rank that goes beyond is left for the rule to judge. Withdrawn options
    /// were not skipped by the voter: their ranks are left out.
    pub(crate) fn ballot_of_ranks(&self, ranks: &[Rank]) -> Result<Value, Unread> {
        if self.kind == BallotKind::Ranking && self.takes_marks {
            return Ok(json!({ "ranking": self.marked(ranks) }));
        }
        let mut seen = vec![false; self.options.len()];
        let mut is_overvoted = false;
        let mut plain: Vec<Vec<&str>> = Vec::new();
        // A choice ballot's marks are its first ranks: below them nothing was chosen. Who chose somebody who
        // is not on the paper chose nobody below instead.
        let mut chosen = 0;
        for rank in ranks {
            if self.kind == BallotKind::Choice && chosen >= self.marks_max {
                break;
            }
            match rank {
                Rank::Options(options) => {
                    let fresh = options.iter().copied();
                    let fresh = fresh.filter(|option| self.stays(*option));
                    let fresh = fresh.filter(|option| !std::mem::replace(&mut seen[*option], true));
                    let fresh: Vec<&str> = fresh.map(|option| self.id(option)).collect();
                    chosen += fresh.len() as u64;
                    plain.push(fresh);
                }
                Rank::Overvote => is_overvoted = true,
                Rank::Other => chosen += 1,
                Rank::Skipped => {}
            }
        }
        plain.retain(|rank| !rank.is_empty());
        match self.kind {
            BallotKind::Ranking => {
                let rank = |ids: Vec<&str>| match ids[..] {
                    [id] => json!(id),
                    _ => json!(ids),
                };
                let ranks = plain.into_iter().map(rank);
                Ok(json!({ "ranking": ranks.collect::<Value>() }))
            }
            BallotKind::Approval => {
                Ok(json!({ "approve": plain.into_iter().flatten().collect::<Value>() }))
            }
            BallotKind::Choice if is_overvoted => {
                Err("the voter marked more options than allowed (overvote)".into())
            }
            BallotKind::Choice => Ok(choices(&plain.concat())),
            kind => Err(format!(
                "this file ranks options, which does not make a ballot of {}; use JSON lines",
                kind.name()
            )
            .into()),
        }
    }

    /// One record of these ranks, with what was marked.
    pub(crate) fn cast(&self, line: u64, weight: u64, ranks: Result<Vec<Rank>, Unread>) -> Cast {
        let ranks = match ranks {
            Ok(ranks) => ranks,
            Err(reason) => return Cast::new(line, weight, Err(reason)),
        };
        let is_write_in = |rank: &&Rank| match rank {
            Rank::Other => true,
            Rank::Options(options) => {
                (self.names.write_in()).is_some_and(|write_in| options.contains(&write_in))
            }
            _ => false,
        };
        let mut cast = Cast::new(line, weight, self.ballot_of_ranks(&ranks));
        cast.write_ins = ranks.iter().filter(is_write_in).count() as u64;
        if self.kind == BallotKind::Ranking {
            cast.marks = Some(counts(&ranks));
        }
        cast
    }

    /// The ballot with the rule's own words for grades, where a file has them in another case or with other
    /// spaces, and only one grade is called so.
    pub(crate) fn in_words_of_the_rule(&self, mut ballot: Value) -> Value {
        if self.kind != BallotKind::Grades {
            return ballot;
        }
        let given = ballot.get_mut("grades").and_then(Value::as_object_mut);
        for grade in given.into_iter().flat_map(Map::values_mut) {
            let Value::String(word) = grade else { continue };
            if self.grades.contains(word) {
                continue;
            }
            let folded = fold(word);
            let mut called = self.grades.iter().filter(|known| fold(known) == folded);
            if let (Some(only), None) = (called.next(), called.next()) {
                word.clone_from(only);
            }
        }
        ballot
    }

    fn stays(&self, option: usize) -> bool {
        !self.withdrawn.contains(&option)
    }

    /// The ranks as JSON, as they were marked.
    fn marked(&self, ranks: &[Rank]) -> Value {
        let mut shown = Vec::new();
        for rank in ranks {
            match rank {
                Rank::Skipped => shown.push(json!([])),
                Rank::Overvote => shown.push(json!({ "mark": "overvote" })),
                Rank::Other => shown.push(json!({ "mark": "other" })),
                Rank::Options(options) => {
                    let stay = options.iter().filter(|option| self.stays(**option));
                    let mut ids: Vec<&str> = stay.map(|option| self.id(*option)).collect();
                    ids.dedup();
                    match ids[..] {
                        [] => {}
                        [id] => shown.push(json!(id)),
                        _ => shown.push(json!(ids)),
                    }
                }
            }
        }
        let last = shown.iter().rposition(|rank| *rank != json!([]));
        shown.truncate(last.map_or(0, |last| last + 1));
        Value::Array(shown)
    }

    /// The ballot with these values by option id.
    pub(crate) fn ballot_of_values(&self, values: Map<String, Value>) -> Result<Value, Unread> {
        match self.kind {
            BallotKind::Scores => Ok(json!({ "scores": values })),
            BallotKind::Votes => Ok(json!({ "votes": values })),
            BallotKind::Grades => Ok(json!({ "grades": values })),
            kind => {
                Err(format!("values for options do not make a ballot of {}", kind.name()).into())
            }
        }
    }
}

fn choices(marked: &[&str]) -> Value {
    match marked {
        [id] => json!({ "choice": id }),
        _ => json!({ "choices": marked }),
    }
}

/// Ranks from numbers of ranks and options, in any order; ranks between them are skipped ones.
pub(crate) fn ranks_of_numbers(mut marks: Vec<(u64, usize)>) -> Result<Vec<Rank>, Unread> {
    marks.sort_unstable();
    let mut ranks: Vec<Rank> = Vec::new();
    for rank in marks.chunk_by(|a, b| a.0 == b.0) {
        let number = rank[0].0;
        if number > RANKS_MAX {
            return Err(format!("expected a rank up to {RANKS_MAX}, found {number}").into());
        }
        while (ranks.len() as u64) + 1 < number {
            ranks.push(Rank::Skipped);
        }
        ranks.push(Rank::Options(
            rank.iter().map(|(_, option)| *option).collect(),
        ));
    }
    Ok(ranks)
}

/// What was marked at these ranks; write-ins aside.
fn counts(ranks: &[Rank]) -> MarkCounts {
    let mut counts = MarkCounts::default();
    let mut seen: Vec<usize> = Vec::new();
    let mut empty = 0;
    for rank in ranks {
        if *rank == Rank::Skipped {
            empty += 1;
            continue;
        }
        counts.skipped_ranks += std::mem::take(&mut empty);
        match rank {
            Rank::Overvote => counts.overvotes += 1,
            Rank::Options(options) => {
                counts.overvotes += u64::from(options.len() > 1);
                for option in options {
                    counts.repeated += u64::from(seen.contains(option));
                    seen.push(*option);
                }
            }
            _ => {}
        }
    }
    counts
}
