//! Which option each selection of a Cast Vote Record's contest is.

use std::collections::HashMap;

use serde::Deserialize;

use super::paper::Paper;
use super::problem::At;
use crate::election::ContestName;
use crate::options::{Meaning, fold};

#[derive(Deserialize)]
pub(super) struct ElectionPart {
    #[serde(rename = "Candidate", default)]
    candidates: Vec<Named>,
    #[serde(rename = "Contest", default)]
    contests: Vec<ContestPart>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "Name", default)]
    name: String,
}

#[derive(Deserialize)]
struct ContestPart {
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "ContestSelection", default)]
    selections: Vec<SelectionPart>,
}

#[derive(Deserialize)]
struct SelectionPart {
    #[serde(rename = "@id")]
    id: String,
    #[serde(rename = "CandidateIds", default)]
    candidates: Vec<String>,
    /// Of a ballot measure: its words, such as `Yes`.
    #[serde(rename = "Selection", default)]
    words: String,
    #[serde(rename = "IsWriteIn", default)]
    is_write_in: bool,
}

/// Whom a mark is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Option(usize),
    /// Somebody who is not on the paper, for whom the election has no option.
    Other,
}

/// The contest that is counted.
pub(super) struct Contest {
    /// `None` where the file describes no contests; then each record must have just one.
    pub(super) id: Option<String>,
    /// By the id of a selection.
    selections: HashMap<String, Target>,
}

impl Contest {
    pub(super) fn find(elections: &[ElectionPart], paper: &Paper<'_>) -> Result<Self, At> {
        let Some(contest) = choose(elections, paper)? else {
            return Ok(Self {
                id: None,
                selections: HashMap::new(),
            });
        };
        let order: Vec<&Named> = elections
            .iter()
            .flat_map(|election| &election.candidates)
            .collect();
        let candidates: HashMap<&str, &str> = order
            .iter()
            .map(|candidate| (candidate.id.as_str(), candidate.name.as_str()))
            .collect();
        let mut selections: HashMap<String, Target> = HashMap::new();
        // By option, the first selection that is it.
        let mut taken: HashMap<usize, &SelectionPart> = HashMap::new();
        // By options of one name, the selections of that name in their order.
        let mut alike: HashMap<Vec<usize>, Vec<&SelectionPart>> = HashMap::new();
        for selection in &contest.selections {
            let ids = selection.candidates.iter().map(String::as_str);
            let names = ids.clone().filter_map(|id| candidates.get(id).copied());
            let meant = [selection.id.as_str(), selection.words.as_str()].into_iter();
            let meant = meant.chain(ids.clone()).chain(names);
            let meaning = one_meaning(&selection.id, meant, paper)?;
            match meaning {
                Some(Meaning::Option(option)) => {
                    if let Some(other) = taken.insert(option, selection)
                        && !is_same(other, selection)
                    {
                        let message = format!(
                            "two candidates of the file are the option {:?}: the selections {:?} and \
                             {:?}; give the options the ids of the file",
                            paper.id(option),
                            other.id,
                            selection.id
                        );
                        return Err(At::new(1, message));
                    }
                    selections.insert(selection.id.clone(), Target::Option(option));
                }
                Some(Meaning::Several(options)) => {
                    alike.entry(options).or_default().push(selection)
                }
                _ if selection.is_write_in => {
                    let write_in = paper.names.write_in();
                    let target = write_in.map_or(Target::Other, Target::Option);
                    selections.insert(selection.id.clone(), target);
                }
                _ => {}
            }
        }
        for (options, called) in alike {
            if options.len() != called.len() {
                let name = paper.names.shown(options[0]);
                return Err(At::new(1, paper.several(name, &options)));
            }
            // As many of the name on the paper as in the file: they stand in the same order, if the file
            // has only one.
            let place = |selection: &&SelectionPart| {
                let id = selection.candidates.first()?;
                order.iter().position(|candidate| candidate.id == *id)
            };
            let places: Vec<Option<usize>> = called.iter().map(place).collect();
            if !places.is_sorted() {
                let name = paper.names.shown(options[0]);
                let message = format!(
                    "several candidates are called {name:?}, and its selections stand in another \
                     order than its candidates: give the options the ids of the file"
                );
                return Err(At::new(1, message));
            }
            for (option, selection) in options.into_iter().zip(called) {
                selections.insert(selection.id.clone(), Target::Option(option));
            }
        }
        Ok(Self {
            id: Some(contest.id.clone()),
            selections,
        })
    }

    pub(super) fn target(&self, selection: &str, paper: &Paper<'_>) -> Result<Target, String> {
        let known = self.selections.get(selection).copied();
        let known = known.or_else(|| paper.names.find(selection).map(Target::Option));
        known.ok_or_else(|| format!("the selection {selection:?} is not an option of this contest"))
    }
}

/// What a selection means by its ids and names; refuses those of two options.
fn one_meaning<'a>(
    selection: &str,
    names: impl Iterator<Item = &'a str>,
    paper: &Paper<'_>,
) -> Result<Option<Meaning>, At> {
    let mut meanings = names.map(|name| paper.names.meaning(name));
    let meaning = meanings.find(|meaning| *meaning != Meaning::Nothing);
    if let Some(one) = &meaning
        && let Some(other) = meanings.find(|other| contradict(one, other))
    {
        let shown = |meaning: &Meaning| match meaning {
            Meaning::Option(option) => format!("the option {:?}", paper.id(*option)),
            _ => "another".to_owned(),
        };
        let message = format!(
            "the selection {selection:?} is {} by one of its ids and names and {} by another; give the options the \
             ids of the file, or names alone",
            shown(one),
            shown(&other)
        );
        return Err(At::new(1, message));
    }
    Ok(meaning)
}

/// Whether two names of one thing are not of one option.
fn contradict(one: &Meaning, other: &Meaning) -> bool {
    match (one, other) {
        (Meaning::Nothing, _) | (_, Meaning::Nothing) => false,
        (Meaning::Option(one), Meaning::Option(other)) => one != other,
        (Meaning::Option(one), Meaning::Several(several))
        | (Meaning::Several(several), Meaning::Option(one)) => !several.contains(one),
        (Meaning::Several(one), Meaning::Several(other)) => one != other,
    }
}

/// Whether two selections are of the same candidates, such as one on two party lines.
fn is_same(one: &SelectionPart, other: &SelectionPart) -> bool {
    !one.candidates.is_empty() && one.candidates == other.candidates
}

/// The contest of the file that is meant; `None` where the file describes none.
fn choose<'a>(
    elections: &'a [ElectionPart],
    paper: &Paper<'_>,
) -> Result<Option<&'a ContestPart>, At> {
    let contests: Vec<&ContestPart> = elections.iter().flat_map(|e| &e.contests).collect();
    let wanted = paper.contest.text();
    let by_id: Vec<_> = contests
        .iter()
        .filter(|contest| wanted == Some(&*contest.id))
        .collect();
    let by_name: Vec<_> = contests
        .iter()
        .filter(|contest| wanted.is_some_and(|wanted| fold(wanted) == fold(&contest.name)))
        .collect();
    let known = || {
        let shown = contests.iter().map(|contest| match &*contest.name {
            "" => contest.id.clone(),
            name => format!("{} ({name})", contest.id),
        });
        shown.collect::<Vec<_>>().join(", ")
    };
    let message = match (&by_id[..], &by_name[..], &contests[..]) {
        ([one], ..) | ([], [one], _) => return Ok(Some(one)),
        ([], [], [only]) if !matches!(paper.contest, ContestName::Asked(_)) => {
            return Ok(Some(only));
        }
        ([], [], []) => return Ok(None),
        ([_, _, ..], ..) | ([], [_, _, ..], _) => format!(
            "several contests of the file are called {:?}; choose one by its id with --contest: {}",
            wanted.unwrap_or_default(),
            known()
        ),
        ([], [], _) => match wanted {
            Some(name) => format!(
                "expected a contest named {name:?}; the file has {}, and --contest chooses one",
                known()
            ),
            None => format!("expected --contest to name one of the file's: {}", known()),
        },
    };
    Err(At::new(1, message))
}
