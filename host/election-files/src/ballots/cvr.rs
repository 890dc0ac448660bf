//! Cast Vote Records: NIST SP 1500-103, the Common Data Format, version 1.0, in JSON.
//!
//! Of each record the current snapshot counts. A mark counts unless `HasIndication` or
//! `IsAllocable` says no. An option that was marked at several ranks stands at the best of them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tabella_runtime::BallotKind;

use super::json::{Lines, at};
use super::{At, Cast, Paper};
use crate::election::ContestName;

#[derive(Deserialize)]
struct Report<'a> {
    #[serde(rename = "Election", default)]
    elections: Vec<ElectionPart>,
    #[serde(borrow, rename = "CVR")]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct ElectionPart {
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

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "CurrentSnapshotId", default)]
    current: Option<String>,
    #[serde(rename = "CVRSnapshot")]
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
struct Snapshot {
    #[serde(rename = "@id", default)]
    id: Option<String>,
    #[serde(rename = "CVRContest", default)]
    contests: Vec<MarkedContest>,
}

#[derive(Deserialize)]
struct MarkedContest {
    #[serde(rename = "ContestId")]
    id: String,
    #[serde(rename = "CVRContestSelection", default)]
    selections: Vec<MarkedSelection>,
}

#[derive(Deserialize)]
struct MarkedSelection {
    #[serde(rename = "ContestSelectionId", default)]
    id: Option<String>,
    #[serde(rename = "Rank", default)]
    rank: Option<u64>,
    #[serde(rename = "SelectionPosition", default)]
    positions: Vec<Mark>,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "HasIndication", default)]
    has_indication: Option<String>,
    #[serde(rename = "IsAllocable", default)]
    is_allocable: Option<String>,
    #[serde(rename = "NumberVotes", default)]
    votes: Option<u64>,
    #[serde(rename = "Rank", default)]
    rank: Option<u64>,
}

impl Mark {
    fn counts(&self) -> bool {
        let is_no = |word: &Option<String>| word.as_deref() == Some("no");
        !is_no(&self.has_indication) && !is_no(&self.is_allocable) && self.votes != Some(0)
    }
}

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    if matches!(
        paper.kind,
        BallotKind::Scores | BallotKind::Grades | BallotKind::Raw
    ) {
        let kind = paper.kind.name();
        let message = format!("Cast Vote Records hold marks, not ballots of {kind}");
        return Err(At::new(1, message));
    }
    let report: Report<'_> = serde_json::from_str(text).map_err(|error| at(&error))?;
    let contest = Contest::find(&report.elections, paper)?;
    let mut lines = Lines::new(text);
    let mut holds_contest = report.records.is_empty();
    for record in report.records {
        let line = lines.of(record.get());
        let ballot = match serde_json::from_str::<Record>(record.get()) {
            Ok(record) => contest.ballot(&record, paper),
            Err(error) => Some(Err(format!("the record is not as specified: {error}"))),
        };
        // A record without this contest is of a voter who was not asked.
        if let Some(ballot) = ballot {
            holds_contest = true;
            sink(Cast {
                line,
                weight: 1,
                ballot,
            });
        }
    }
    if !holds_contest {
        let name = contest.id.as_deref().or(paper.contest.text());
        let message = format!("no record holds the contest {:?}", name.unwrap_or_default());
        return Err(At::new(1, message));
    }
    Ok(())
}

/// The contest that is counted.
struct Contest {
    /// `None` where the file describes no contests; then each record must have just one.
    id: Option<String>,
    /// By the id of a selection, the option.
    selections: HashMap<String, usize>,
}

impl Contest {
    fn find(elections: &[ElectionPart], paper: &Paper<'_>) -> Result<Self, At> {
        let contests: Vec<&ContestPart> = elections.iter().flat_map(|e| &e.contests).collect();
        let named = contests.iter().find(|contest| {
            (paper.contest.text())
                .is_some_and(|wanted| contest.id == wanted || contest.name == wanted)
        });
        let contest = match (named, contests.as_slice()) {
            (Some(named), _) => *named,
            (None, [only]) if !matches!(paper.contest, ContestName::Asked(_)) => *only,
            (None, []) => {
                return Ok(Self {
                    id: None,
                    selections: HashMap::new(),
                });
            }
            (None, others) => {
                let known: Vec<_> = others.iter().map(|contest| contest.id.as_str()).collect();
                let known = known.join(", ");
                let message = match paper.contest.text() {
                    Some(name) => format!(
                        "expected a contest named {name:?}; the file has {known}, and --contest \
                         chooses one"
                    ),
                    None => format!("expected --contest to name one of the file's: {known}"),
                };
                return Err(At::new(1, message));
            }
        };
        let candidates: HashMap<&str, &str> = elections
            .iter()
            .flat_map(|election| &election.candidates)
            .map(|candidate| (candidate.id.as_str(), candidate.name.as_str()))
            .collect();
        let mut selections = HashMap::new();
        for selection in &contest.selections {
            let ids = selection.candidates.iter().map(String::as_str);
            let names = ids.clone().filter_map(|id| candidates.get(id).copied());
            let write_in = selection.is_write_in.then_some("write-in");
            let mut meant = [selection.id.as_str(), &selection.words]
                .into_iter()
                .chain(ids.clone())
                .chain(names)
                .chain(write_in);
            if let Some(option) = meant.find_map(|name| paper.names.find(name)) {
                selections.insert(selection.id.clone(), option);
            }
        }
        Ok(Self {
            id: Some(contest.id.clone()),
            selections,
        })
    }

    fn option(&self, selection: &str, paper: &Paper<'_>) -> Result<usize, String> {
        let known = self.selections.get(selection).copied();
        let known = known.or_else(|| paper.names.find(selection));
        known.ok_or_else(|| format!("the selection {selection:?} is not an option of this contest"))
    }

    fn ballot(&self, record: &Record, paper: &Paper<'_>) -> Option<Result<Value, String>> {
        let current = record
            .snapshots
            .iter()
            .find(|snapshot| record.current.is_none() || snapshot.id == record.current);
        let Some(snapshot) = current else {
            let id = record.current.as_deref().unwrap_or("none");
            return Some(Err(format!(
                "the record has no snapshot {id:?}, its current one"
            )));
        };
        let wanted = self.id.as_deref().or(paper.contest.text());
        let named = snapshot.contests.iter();
        let named = named.clone().find(|contest| Some(&*contest.id) == wanted);
        let contest = match (named, snapshot.contests.as_slice()) {
            (Some(named), _) => named,
            _ if self.id.is_some() || matches!(paper.contest, ContestName::Asked(_)) => {
                return None;
            }
            (None, [only]) => only,
            (None, []) => return None,
            (None, _) => {
                return Some(Err(
                    "the record has several contests; choose one with --contest".into(),
                ));
            }
        };
        Some(self.marks(contest, paper))
    }

    fn marks(&self, contest: &MarkedContest, paper: &Paper<'_>) -> Result<Value, String> {
        let mut ranked = Vec::new();
        let mut votes = Map::new();
        for selection in &contest.selections {
            let marks = selection.positions.iter().filter(|mark| mark.counts());
            let marks: Vec<&Mark> = marks.collect();
            if marks.is_empty() {
                continue;
            }
            let id = selection.id.as_deref().unwrap_or_default();
            let option = self.option(id, paper)?;
            let ranks = marks.iter().filter_map(|mark| mark.rank.or(selection.rank));
            match ranks.min() {
                Some(rank) => ranked.push((rank, option)),
                None if paper.kind == BallotKind::Ranking => {
                    return Err(format!("the mark for {:?} has no Rank", paper.id(option)));
                }
                None => ranked.push((0, option)),
            }
            let number: u64 = marks
                .iter()
                .map(|mark| mark.votes.unwrap_or(1))
                .fold(0, u64::saturating_add);
            votes.insert(paper.id(option).to_owned(), number.into());
        }
        if paper.kind == BallotKind::Votes {
            return paper.ballot_of_values(votes);
        }
        ranked.sort_unstable();
        let mut seen = vec![false; paper.options.len()];
        ranked.retain(|(_, option)| !std::mem::replace(&mut seen[*option], true));
        let ranks = ranked.chunk_by(|a, b| a.0 == b.0);
        let ranks = ranks.map(|rank| rank.iter().map(|(_, option)| *option).collect());
        paper.ballot_of_ranks(&ranks.collect::<Vec<_>>())
    }
}
