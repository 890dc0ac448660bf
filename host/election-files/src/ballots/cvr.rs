//! Cast Vote Records: NIST SP 1500-103, the Common Data Format, version 1.0, in JSON.
//!
//! Of each record the current snapshot counts. A mark counts unless its status, `HasIndication` or
//! `IsAllocable` says no. What a status means that the format does not have is not guessed.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::content::Stored;
use super::cvr_selections::{Contest, ElectionPart};
use super::cvr_status::{Standing, Status, know_version};
use super::cvr_stream;
use super::json::{Lines, at};
use super::marks::Marks;
use super::paper::Paper;
use super::problem::{At, Cast, Unread};
use crate::election::ContestName;

#[derive(Deserialize)]
struct Report<'a> {
    #[serde(rename = "Election", default)]
    elections: Vec<ElectionPart>,
    #[serde(borrow, rename = "CVR")]
    records: Vec<&'a RawValue>,
    #[serde(rename = "Version", default)]
    version: Option<String>,
}

/// What makes records belong to one ballot.
#[derive(Deserialize)]
struct Ids {
    #[serde(rename = "BallotPrePrintedId", default)]
    printed: Option<String>,
    #[serde(rename = "UniqueId", default)]
    unique: Option<String>,
    #[serde(rename = "BallotAuditId", default)]
    audit: Option<String>,
    /// Texts or numbers.
    #[serde(rename = "CreatingDeviceId", default)]
    device: Value,
    #[serde(rename = "BatchId", default)]
    batch: Value,
    #[serde(rename = "BatchSequenceId", default)]
    place: Value,
}

/// Starts the id of a ballot that is known by its place only: each file may have such a batch of its own.
const PLACED: &str = "batch ";

impl Ids {
    fn ballot(self) -> Option<String> {
        let known = |id: &String| !id.trim().is_empty();
        // A batch has one ballot at each place.
        let Self {
            batch,
            place,
            device,
            ..
        } = &self;
        let is_placed = !batch.is_null() && !place.is_null();
        let placed = is_placed.then(|| format!("{PLACED}{batch} of {device}, place {place}"));
        let ids = [self.printed, self.unique, self.audit, placed];
        ids.into_iter().flatten().find(known)
    }
}

#[derive(Deserialize)]
struct Record {
    #[serde(flatten)]
    ids: Ids,
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
    #[serde(rename = "Status", default)]
    status: Status,
}

#[derive(Deserialize)]
struct MarkedContest {
    #[serde(rename = "ContestId")]
    id: String,
    #[serde(rename = "CVRContestSelection", default)]
    selections: Vec<MarkedSelection>,
    #[serde(rename = "Status", default)]
    status: Status,
}

#[derive(Deserialize)]
struct MarkedSelection {
    #[serde(rename = "ContestSelectionId", default)]
    id: Option<String>,
    #[serde(rename = "Rank", default)]
    rank: Option<u64>,
    #[serde(rename = "TotalNumberVotes", default)]
    total: Value,
    #[serde(rename = "SelectionPosition", default)]
    positions: Vec<Mark>,
    #[serde(rename = "Status", default)]
    status: Status,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(rename = "HasIndication", default)]
    has_indication: Option<String>,
    #[serde(rename = "IsAllocable", default)]
    is_allocable: Option<String>,
    #[serde(rename = "NumberVotes", default)]
    votes: Option<u64>,
    #[serde(rename = "FractionalVotes", default)]
    fraction: Option<IgnoredAny>,
    #[serde(rename = "Rank", default)]
    rank: Option<u64>,
    #[serde(rename = "Status", default)]
    status: Status,
}

impl Mark {
    fn counts(&self) -> Result<bool, Unread> {
        if self.fraction.is_some() {
            return Err("expected whole votes, found FractionalVotes".into());
        }
        let neutral = ["adjudicated", "generated-rules"];
        if let Standing::Invalid = self.status.standing("mark", &neutral)? {
            return Ok(false);
        }
        let undecided = |message: &str| Err(Unread::Undecided(message.to_owned()));
        match (self.has_indication.as_deref(), self.is_allocable.as_deref()) {
            // As a machine writes a vote that it made itself, and as nobody's mark: it cannot be both.
            (Some("no"), Some("yes")) => undecided(
                "a mark has HasIndication no and IsAllocable yes: somebody has to decide whether it is a vote",
            ),
            (_, Some("no")) | (Some("no"), None | Some("unknown")) => Ok(false),
            // Whether a write-in is for somebody who stands may be unknown; the voter made the mark.
            (Some("yes"), None | Some("yes" | "unknown"))
            | (None | Some("unknown"), Some("yes")) => Ok(self.votes != Some(0)),
            (Some("unknown"), None | Some("unknown")) => undecided(
                "it is unknown whether the voter made a mark: somebody has to decide first",
            ),
            (None, _) => Err("a mark has no HasIndication, which says whether there is one".into()),
            (Some(indication), allocable) => undecided(&format!(
                "expected yes, no or unknown of a mark, found HasIndication {indication:?} and \
                 IsAllocable {:?}",
                allocable.unwrap_or_default()
            )),
        }
    }
}

/// Records of one ballot, as long as more may follow.
struct Open {
    line: u64,
    marked: Vec<MarkedContest>,
}

/// The ballot ids that several records have, numbered in their order.
#[derive(Default)]
struct Repeated {
    seen: HashSet<String>,
    numbers: HashMap<String, usize>,
}

impl Repeated {
    fn see(&mut self, record: &str) {
        let ids = serde_json::from_str::<Ids>(record).ok();
        let Some(id) = ids.and_then(Ids::ballot) else {
            return;
        };
        if self.seen.contains(&id) {
            let number = self.numbers.len();
            self.numbers.entry(id).or_insert(number);
        } else {
            self.seen.insert(id);
        }
    }
}

/// The records as they come in.
struct Reading<'a> {
    contest: Contest,
    paper: &'a Paper<'a>,
    repeated: HashMap<String, usize>,
    open: BTreeMap<usize, (String, Open)>,
    holds_records: bool,
    holds_contest: bool,
}

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    paper.takes_marks_of_machines()?;
    let report: Report<'_> = serde_json::from_str(text).map_err(|error| at(&error))?;
    if let Some(version) = &report.version {
        know_version(version).map_err(|message| At::new(1, message))?;
    }
    let mut repeated = Repeated::default();
    for record in &report.records {
        repeated.see(record.get());
    }
    let contest = Contest::find(&report.elections, paper)?;
    let mut reading = Reading::new(contest, paper, repeated);
    let mut lines = Lines::new(text);
    for record in report.records {
        reading.record(lines.of(record.get()), record.get(), sink);
    }
    reading.finish(sink)
}

/// Reads a file twice, and never holds more of it than a record.
pub(super) fn read_large(
    file: &Stored,
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    paper.takes_marks_of_machines()?;
    let mut repeated = Repeated::default();
    let elections = cvr_stream::each(file, &mut |_, record| repeated.see(record))?;
    let contest = Contest::find(&elections, paper)?;
    let mut reading = Reading::new(contest, paper, repeated);
    cvr_stream::each(file, &mut |line, record| reading.record(line, record, sink))?;
    reading.finish(sink)
}

impl<'a> Reading<'a> {
    fn new(contest: Contest, paper: &'a Paper<'a>, repeated: Repeated) -> Self {
        Self {
            contest,
            paper,
            repeated: repeated.numbers,
            open: BTreeMap::new(),
            holds_records: false,
            holds_contest: false,
        }
    }

    fn record(&mut self, line: u64, record: &str, sink: &mut dyn FnMut(Cast)) {
        self.holds_records = true;
        let (id, marked) = match serde_json::from_str::<Record>(record) {
            Ok(mut record) => {
                let marked = marked_contest(&self.contest, &mut record, self.paper);
                (record.ids.ballot(), marked)
            }
            Err(error) => {
                let reason = format!("the record is not as specified: {error}");
                (None, Err(Unread::Spoiled(reason)))
            }
        };
        let together = id.as_ref().and_then(|id| self.repeated.get(id));
        let ballot = match (marked, together) {
            // A record without this contest is of a voter who was not asked.
            (Ok(None), _) => return,
            (Ok(Some(marked)), Some(number)) => {
                self.holds_contest = true;
                let new = || {
                    let marked = Vec::new();
                    (id.clone().unwrap_or_default(), Open { line, marked })
                };
                let (_, open) = self.open.entry(*number).or_insert_with(new);
                open.marked.push(marked);
                return;
            }
            (Ok(Some(marked)), None) => Ok(vec![marked]),
            (Err(reason), _) => Err(reason),
        };
        self.holds_contest = true;
        sink(cast(line, id, ballot, &self.contest, self.paper));
    }

    /// Hands on the ballots of several records.
    fn finish(self, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
        for (id, Open { line, marked }) in self.open.into_values() {
            let ballot = match belong_together(&marked) {
                true => Ok(marked),
                false => Err(Unread::File(format!(
                    "{} records hold the contest for the ballot {id:?}, and not one for each rank; a \
                     ballot counts once, so take out the records that repeat it",
                    marked.len()
                ))),
            };
            sink(cast(line, Some(id), ballot, &self.contest, self.paper));
        }
        if self.holds_records && !self.holds_contest {
            let name = self.contest.id.as_deref().or(self.paper.contest.text());
            let message = format!("no record holds the contest {:?}", name.unwrap_or_default());
            return Err(At::new(1, message));
        }
        Ok(())
    }
}

/// Whether records of one ballot each hold ranks that the others do not.
fn belong_together(marked: &[MarkedContest]) -> bool {
    if marked.len() < 2 {
        return true;
    }
    let mut ranks: Vec<u64> = Vec::new();
    for contest in marked {
        let mut own: Vec<u64> = Vec::new();
        for selection in &contest.selections {
            for mark in &selection.positions {
                match mark.rank.or(selection.rank) {
                    Some(rank) => own.push(rank),
                    None => return false,
                }
            }
        }
        if own.is_empty() || own.iter().any(|rank| ranks.contains(rank)) {
            return false;
        }
        ranks.extend(own);
    }
    true
}

/// The contest's part of a record; `None` where the voter was not asked.
fn marked_contest(
    contest: &Contest,
    record: &mut Record,
    paper: &Paper<'_>,
) -> Result<Option<MarkedContest>, Unread> {
    let current = record.current.as_ref();
    if current.is_none() && record.snapshots.len() > 1 {
        return Err(Unread::File(
            "the record has several snapshots and does not say which is its current one".into(),
        ));
    }
    let is_current =
        |snapshot: &&mut Snapshot| current.is_none() || snapshot.id.as_ref() == current;
    let current_ones = record.snapshots.iter_mut().filter(is_current).count();
    if current_ones > 1 {
        return Err(Unread::File(
            "the record has two snapshots with the id of its current one".into(),
        ));
    }
    let Some(snapshot) = record.snapshots.iter_mut().find(is_current) else {
        let id = record.current.as_deref().unwrap_or("none");
        return Err(format!("the record has no snapshot {id:?}, its current one").into());
    };
    let standing = snapshot.status.standing("snapshot", &[]);
    let mut contests = std::mem::take(&mut snapshot.contests);
    let wanted = contest.id.as_deref().or(paper.contest.text());
    let is_asked = contest.id.is_some() || matches!(paper.contest, ContestName::Asked(_));
    let is_wanted = |contest: &MarkedContest| Some(&*contest.id) == wanted;
    let found = match contests.iter().filter(|contest| is_wanted(contest)).count() {
        0 if is_asked => None,
        0 => match contests.len() {
            0 | 1 => contests.pop(),
            _ => return Err("the record has several contests; choose one with --contest".into()),
        },
        1 => contests.into_iter().find(is_wanted),
        _ => {
            return Err(Unread::File(
                "the record holds the contest twice, and a ballot counts once".into(),
            ));
        }
    };
    // What the record says of itself matters where its voter was asked.
    match (found, standing) {
        (None, _) => Ok(None),
        (Some(_), Err(undecided)) => Err(undecided),
        (Some(_), Ok(Standing::Invalid)) => Err(Unread::Invalid(
            "the record's status is invalidated-rules: by its maker it does not count".into(),
        )),
        (found, Ok(Standing::Counts)) => Ok(found),
    }
}

fn cast(
    line: u64,
    id: Option<String>,
    marked: Result<Vec<MarkedContest>, Unread>,
    contest: &Contest,
    paper: &Paper<'_>,
) -> Cast {
    let marks = marked.and_then(|marked| self::marks(&marked, contest, paper));
    let mut cast = match marks {
        Ok(marks) => marks.cast(line, paper),
        Err(reason) => Cast::new(line, 1, Err(reason)),
    };
    cast.is_id_unique = id.as_ref().is_some_and(|id| !id.starts_with(PLACED));
    cast.id = id;
    cast
}

/// Whether a number, which XML has as a text, is 0.
fn is_zero(number: &Value) -> bool {
    let parsed = number.as_str().and_then(|text| text.parse().ok());
    parsed.or(number.as_f64()) == Some(0.0)
}

/// The marks of a ballot that count.
fn marks(marked: &[MarkedContest], contest: &Contest, paper: &Paper<'_>) -> Result<Marks, Unread> {
    let mut marks = Marks::default();
    for part in marked {
        let neutral = ["not-indicated", "overvoted", "undervoted"];
        if let Standing::Invalid = part.status.standing("contest", &neutral)? {
            return Err(Unread::Invalid(
                "the contest's status is invalidated-rules: by its maker it does not count".into(),
            ));
        }
        for selection in &part.selections {
            let neutral = ["generated-rules"];
            if let Standing::Invalid = selection.status.standing("selection", &neutral)? {
                continue;
            }
            let id = selection.id.as_deref().unwrap_or_default();
            if selection.positions.is_empty() {
                return Err(format!(
                    "the selection {id:?} has no SelectionPosition, which says whether it is marked"
                )
                .into());
            }
            let mut target = None;
            for mark in &selection.positions {
                if !mark.counts()? {
                    continue;
                }
                if is_zero(&selection.total) {
                    return Err(format!(
                        "the selection {id:?} is marked, and its TotalNumberVotes is 0"
                    )
                    .into());
                }
                let target = match target {
                    Some(target) => target,
                    None => *target.insert(contest.target(id, paper)?),
                };
                if let (Some(own), Some(of_selection)) = (mark.rank, selection.rank)
                    && own != of_selection
                {
                    return Err(format!(
                        "the selection {id:?} has the rank {of_selection}, and its mark the rank {own}"
                    )
                    .into());
                }
                let rank = mark.rank.or(selection.rank);
                marks.add(target, rank, mark.votes.unwrap_or(1), id, paper)?;
            }
        }
    }
    Ok(marks)
}
