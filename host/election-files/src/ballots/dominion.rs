//! Dominion's exports: `CvrExport.json`, or `CvrExport_1.json` and so on, with `ContestManifest.json` and
//! `CandidateManifest.json` beside them, in a folder or a zip archive.
//!
//! A contest with the condition `InvalidContest` does not count, by the export's own word.
//!
//! Of a session its current reading counts: `Original`, or `Modified` where somebody adjudicated. A mark
//! counts unless it is ambiguous; among choices also unless `IsVote` is false where the contest is not
//! overvoted, and an overvoted one is the rule's to judge. Ranked marks are kept as they were made.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use tabella_contest::BallotKind;

use super::archive::Part;
use super::cvr_selections::Target;
use super::dominion_files::{CANDIDATES, CONDITIONS, CONTESTS, is_export, refuse_two_exports};
use super::json::{Lines, at};
use super::marks::Marks;
use super::paper::Paper;
use super::problem::{At, Cast, Unread};
use crate::election::ContestName;
use crate::options::{Meaning, fold};

/// The condition of a contest that does not count, and its number where no manifest lists it.
const INVALID: (&str, &str) = ("InvalidContest", "7");

/// A number or a text that names something.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Manifest<T> {
    #[serde(rename = "List")]
    list: Vec<T>,
}

#[derive(Deserialize)]
struct ContestEntry {
    #[serde(rename = "Id")]
    id: Id,
    #[serde(rename = "Description", default)]
    name: String,
}

#[derive(Deserialize)]
struct CandidateEntry {
    #[serde(rename = "Id")]
    id: Id,
    #[serde(rename = "Description", default)]
    name: String,
    #[serde(rename = "ContestId")]
    contest: Id,
    #[serde(rename = "Type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "Id")]
    id: Id,
    #[serde(rename = "Description", default)]
    name: String,
}

#[derive(Deserialize)]
struct Export<'a> {
    #[serde(borrow, rename = "Sessions")]
    sessions: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Session {
    #[serde(rename = "TabulatorId", default)]
    tabulator: Option<Id>,
    #[serde(rename = "BatchId", default)]
    batch: Option<Id>,
    #[serde(rename = "RecordId", default)]
    record: Option<Id>,
    #[serde(rename = "Original")]
    original: Reading,
    #[serde(rename = "Modified", default)]
    modified: Option<Reading>,
}

#[derive(Deserialize)]
struct Reading {
    #[serde(rename = "IsCurrent")]
    is_current: bool,
    #[serde(rename = "Cards", default)]
    cards: Vec<Card>,
    /// Where an older program wrote no cards.
    #[serde(rename = "Contests", default)]
    contests: Vec<MarkedContest>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(rename = "Contests", default)]
    contests: Vec<MarkedContest>,
}

#[derive(Deserialize)]
struct MarkedContest {
    #[serde(rename = "Id")]
    id: Id,
    #[serde(rename = "Overvotes", default)]
    overvotes: u64,
    #[serde(rename = "Marks", default)]
    marks: Vec<Mark>,
    /// What the machine found unusual, by number.
    #[serde(rename = "OutstackConditionIds", default)]
    conditions: Vec<Id>,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "CandidateId")]
    candidate: Id,
    #[serde(rename = "Rank", default)]
    rank: Option<u64>,
    #[serde(rename = "IsAmbiguous", default)]
    is_ambiguous: bool,
    #[serde(rename = "IsVote", default)]
    is_vote: Option<bool>,
}

impl Session {
    /// The session's own id; `None` where it was taken out before the export was published.
    fn id(&self) -> Option<String> {
        let record = self
            .record
            .as_ref()
            .filter(|id| matches!(id, Id::Number(_)))?;
        let parts = [&self.tabulator, &self.batch].into_iter().flatten();
        let parts: Vec<String> = parts.chain([record]).map(Id::text).collect();
        Some(parts.join("-"))
    }

    fn holds(&self, contest: &str) -> bool {
        let readings = std::iter::once(&self.original).chain(&self.modified);
        readings
            .flat_map(|reading| {
                let cards = reading.cards.iter().flat_map(|card| &card.contests);
                cards.chain(&reading.contests)
            })
            .any(|marked| marked.id.text() == contest)
    }

    fn current(self) -> Result<Reading, Unread> {
        match (self.original.is_current, self.modified) {
            (
                true,
                None
                | Some(Reading {
                    is_current: false, ..
                }),
            ) => Ok(self.original),
            (false, Some(modified)) if modified.is_current => Ok(modified),
            (true, Some(_)) => Err(Unread::File(
                "the session has two current readings, Original and Modified".into(),
            )),
            (false, _) => Err(Unread::Undecided(
                "the session has no current reading: somebody has to decide about it first".into(),
            )),
        }
    }
}

pub(super) fn read(
    parts: &[Part],
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    paper.takes_marks_of_machines()?;
    refuse_two_exports(parts)?;
    let contest = Contest::find(parts, paper)?;
    let mut seen = HashSet::new();
    let mut holds_contest = false;
    for part in parts.iter().filter(|part| is_export(&part.name)) {
        let text = text(part)?;
        let export: Export<'_> =
            serde_json::from_str(text).map_err(|error| at(&error).of(&part.name))?;
        let mut lines = Lines::new(text);
        for session in export.sessions {
            let line = lines.of(session.get());
            let cast = match serde_json::from_str::<Session>(session.get()) {
                Ok(session) => contest.cast(session, line, &mut seen, paper),
                Err(error) => {
                    let reason = format!("the session is not as specified: {error}");
                    Some(Cast::new(line, 1, Err(reason.into())))
                }
            };
            // A session without this contest is of a voter who was not asked.
            if let Some(mut cast) = cast {
                holds_contest = true;
                cast.part = Some(part.name.as_str().into());
                sink(cast);
            }
        }
    }
    match holds_contest {
        true => Ok(()),
        false => Err(At::new(
            1,
            format!("no session holds the contest {}", contest.id),
        )),
    }
}

fn text(part: &Part) -> Result<&str, At> {
    let text = std::str::from_utf8(&part.bytes);
    let text = text.map_err(|_| At::new(1, "expected UTF-8, found other bytes").of(&part.name))?;
    Ok(text.trim_start_matches('\u{feff}'))
}

fn manifest<'a, T: Deserialize<'a>>(parts: &'a [Part], name: &str) -> Result<Vec<T>, At> {
    let Some(part) = parts.iter().find(|part| part.name == name) else {
        let message =
            format!("expected {name} beside CvrExport.json, which says what its numbers mean");
        return Err(At::new(1, message));
    };
    let manifest: Result<Manifest<T>, _> = serde_json::from_str(text(part)?);
    Ok(manifest.map_err(|error| at(&error).of(name))?.list)
}

/// The contest that is counted.
struct Contest {
    id: String,
    /// By a candidate's id, whom it is; or why that cannot be said.
    candidates: HashMap<String, Result<Target, Unread>>,
    /// The number of the condition of a contest that does not count.
    invalid: String,
}

impl Contest {
    fn find(parts: &[Part], paper: &Paper<'_>) -> Result<Self, At> {
        let contests: Vec<ContestEntry> = manifest(parts, CONTESTS)?;
        let id = choose(&contests, paper).map_err(|message| At::new(1, message).of(CONTESTS))?;
        let mut taken: HashMap<usize, String> = HashMap::new();
        let mut candidates = HashMap::new();
        for entry in manifest::<CandidateEntry>(parts, CANDIDATES)? {
            if entry.contest.text() != id {
                continue;
            }
            let target = target(&entry, paper);
            if let Ok(Target::Option(option)) = target
                && paper.names.write_in() != Some(option)
                && let Some(other) = taken.insert(option, entry.name.clone())
            {
                let message = format!(
                    "two candidates of the file are the option {:?}: {other:?} and {:?}",
                    paper.id(option),
                    entry.name
                );
                return Err(At::new(1, message).of(CANDIDATES));
            }
            if candidates.insert(entry.id.text(), target).is_some() {
                let message = format!(
                    "two candidates of the contest have the number {}",
                    entry.id.text()
                );
                return Err(At::new(1, message).of(CANDIDATES));
            }
        }
        Ok(Self {
            id,
            candidates,
            invalid: invalid(parts)?,
        })
    }

    fn cast(
        &self,
        session: Session,
        line: u64,
        seen: &mut HashSet<String>,
        paper: &Paper<'_>,
    ) -> Option<Cast> {
        if !session.holds(&self.id) {
            return None;
        }
        let id = session.id();
        let mut cast = match session.current().and_then(|reading| self.marked(reading)) {
            Ok(None) => return None,
            Ok(Some(marked)) => match self.marks(&marked, paper) {
                Ok(marks) => marks.cast(line, paper),
                Err(reason) => Cast::new(line, 1, Err(reason)),
            },
            Err(reason) => Cast::new(line, 1, Err(reason)),
        };
        if let Some(id) = &id
            && !seen.insert(id.clone())
        {
            let message = format!("the session {id} stands twice, and a ballot counts once");
            cast.ballot = Err(Unread::File(message));
        }
        cast.id = id;
        cast.is_id_unique = true;
        Some(cast)
    }

    /// The contest's part of a reading; `None` where the voter was not asked.
    fn marked(&self, reading: Reading) -> Result<Option<MarkedContest>, Unread> {
        let cards = reading.cards.into_iter().flat_map(|card| card.contests);
        let contests = cards.chain(reading.contests);
        let mut own = contests.filter(|contest| contest.id.text() == self.id);
        match (own.next(), own.next()) {
            (one, None) => Ok(one),
            (_, Some(_)) => Err(Unread::File(
                "the session holds the contest twice, and a ballot counts once".into(),
            )),
        }
    }

    fn marks(&self, contest: &MarkedContest, paper: &Paper<'_>) -> Result<Marks, Unread> {
        if contest
            .conditions
            .iter()
            .any(|id| id.text() == self.invalid)
        {
            let reason = "the contest is an InvalidContest: by its maker it does not count";
            return Err(Unread::Invalid(reason.into()));
        }
        let mut marks = Marks::default();
        let is_ranking = paper.kind == BallotKind::Ranking;
        for mark in contest.marks.iter().filter(|mark| !mark.is_ambiguous) {
            if !is_ranking && mark.is_vote == Some(false) && contest.overvotes == 0 {
                continue;
            }
            let id = mark.candidate.text();
            let target = match self.candidates.get(&id) {
                Some(Ok(target)) => *target,
                Some(Err(reason)) => return Err(reason.clone()),
                None => {
                    return Err(
                        format!("the manifest has no candidate {id} in this contest").into(),
                    );
                }
            };
            marks.add(target, mark.rank, 1, &id, paper)?;
        }
        Ok(marks)
    }
}

/// The number of the condition of a contest that does not count.
fn invalid(parts: &[Part]) -> Result<String, At> {
    let (name, number) = INVALID;
    if parts.iter().all(|part| part.name != CONDITIONS) {
        return Ok(number.to_owned());
    }
    let conditions: Vec<Condition> = manifest(parts, CONDITIONS)?;
    if let Some(listed) = conditions.iter().find(|condition| condition.name == name) {
        return Ok(listed.id.text());
    }
    // Programs list what occurred; a number that means something else here is not it.
    let is_other = conditions
        .iter()
        .any(|condition| condition.id.text() == number);
    Ok(if is_other {
        String::new()
    } else {
        number.to_owned()
    })
}

/// Whom a candidate of the manifest is: an option by name, or else by id where the two agree.
fn target(entry: &CandidateEntry, paper: &Paper<'_>) -> Result<Target, Unread> {
    let number = entry.id.text();
    let by_id = (paper.names.exact(&number)).or_else(|| paper.names.alias(&number));
    match (paper.names.meaning(&entry.name), by_id) {
        (Meaning::Option(option), Some(other)) if option != other => Err(Unread::File(format!(
            "the candidate {} is the option {:?} by its name and {:?} by its id; give the options other \
             ids",
            entry.id.text(),
            paper.id(option),
            paper.id(other)
        ))),
        (Meaning::Option(option), _) | (Meaning::Several(_), Some(option)) => {
            Ok(Target::Option(option))
        }
        (Meaning::Several(options), None) => {
            Err(Unread::File(paper.several(&entry.name, &options)))
        }
        (Meaning::Nothing, _)
            if entry.kind == "WriteIn" || paper.names.is_write_in(&entry.name) =>
        {
            let write_in = paper.names.write_in();
            Ok(write_in.map_or(Target::Other, Target::Option))
        }
        // Ids such as 1 and 2 are everybody's: one proves nothing beside two names that differ, unless
        // the election says that it is another name of the option.
        (Meaning::Nothing, Some(option))
            if entry.name.trim().is_empty()
                || !paper.has_title(option)
                || paper.names.alias(&number) == Some(option) =>
        {
            Ok(Target::Option(option))
        }
        (Meaning::Nothing, _) => paper.option(&entry.name).map(Target::Option),
    }
}

/// The id of the contest that is meant.
fn choose(contests: &[ContestEntry], paper: &Paper<'_>) -> Result<String, String> {
    let shown = || {
        let shown = contests
            .iter()
            .map(|c| format!("{} ({})", c.id.text(), c.name));
        shown.collect::<Vec<_>>().join(", ")
    };
    let wanted = paper.contest.text();
    let is_id = |contest: &&ContestEntry| wanted == Some(&*contest.id.text());
    let is_name = |contest: &&ContestEntry| wanted.is_some_and(|w| fold(w) == fold(&contest.name));
    let by_id: Vec<_> = contests.iter().filter(is_id).collect();
    let by_name: Vec<_> = contests.iter().filter(is_name).collect();
    match (&by_id[..], &by_name[..], contests) {
        ([one], ..) | ([], [one], _) => Ok(one.id.text()),
        ([], [], [only]) if !matches!(paper.contest, ContestName::Asked(_)) => Ok(only.id.text()),
        ([_, _, ..], ..) | ([], [_, _, ..], _) => Err(format!(
            "several contests of the file are called {:?}; choose one by its id with --contest: {}",
            wanted.unwrap_or_default(),
            shown()
        )),
        ([], [], _) => match wanted {
            Some(name) => Err(format!(
                "expected a contest named {name:?}; the file has {}, and --contest chooses one",
                shown()
            )),
            None => Err(format!(
                "expected --contest to name one of the file's: {}",
                shown()
            )),
        },
    }
}
