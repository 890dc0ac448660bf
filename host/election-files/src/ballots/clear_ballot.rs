//! Clear Ballot's export of cast vote records: a table with a column for each option at each rank, named
//! `Choice_6_1:City Auditor:2:Vote For 1:Ann Lee:NON`: contest, rank, how many may be marked, option,
//! party. Contests that are not ranked have no rank in it. A cell is 1 where the voter marked it, else 0.

use std::borrow::Cow;
use std::collections::HashSet;

use super::content::{Content, GO_ON};
use super::cvr_selections::Target;
use super::marks::Marks;
use super::paper::Paper;
use super::problem::{At, Cast, Unread, brief};
use super::rows::{Row, Table};
use crate::election::ContestName;
use crate::options::fold;
use crate::repeats::short;

/// The first columns of every export.
const FIRST: [&str; 2] = ["RowNumber", "BoxID"];

/// What the head of a column of marks says.
struct Choice<'a> {
    contest: Cow<'a, str>,
    rank: Option<u64>,
    option: Cow<'a, str>,
}

/// The columns of the contest that is counted.
struct Columns {
    width: usize,
    id: Option<usize>,
    box_id: Option<usize>,
    position: Option<usize>,
    status: Option<usize>,
    remade: Option<usize>,
    marks: Vec<Column>,
}

struct Column {
    cell: usize,
    rank: Option<u64>,
    name: String,
    target: Result<Target, Unread>,
}

/// Whether a text starts as such an export does.
pub(super) fn looks_like(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
    FIRST.iter().all(|name| cells.next() == Some(name))
}

pub(super) fn read(
    content: &Content,
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    paper.takes_marks_of_machines()?;
    let table = Table::separated(content, ',');
    let mut columns = None;
    let mut seen = HashSet::new();
    table.each(0, &mut |_, row| {
        let Some(row) = row else { return GO_ON };
        let Some(columns) = &columns else {
            columns = Some(Columns::find(&row, paper)?);
            return GO_ON;
        };
        if row.is_empty_line() {
            return GO_ON;
        }
        let mut cast = match columns.marks_of(&row, paper) {
            Ok(marks) => marks.cast(row.line, paper),
            Err(reason) => Cast::new(row.line, 1, Err(reason)),
        };
        let cell = |cell: Option<usize>| {
            let text = cell.and_then(|cell| row.cells.get(cell));
            text.filter(|text| !text.is_empty())
        };
        // A box has one ballot at each place.
        let place = cell(columns.box_id).zip(cell(columns.position));
        let place = place.map(|(box_id, position)| format!("{position} of box {box_id}"));
        cast.is_id_unique = cell(columns.id).is_some();
        cast.id = cell(columns.id).map(|id| id.to_string()).or(place);
        if let Some(id) = &cast.id
            && !seen.insert(short(id.as_bytes()))
        {
            let message = format!("the ballot {id} stands twice, and a ballot counts once");
            cast.ballot = Err(Unread::File(message));
        }
        sink(cast);
        GO_ON
    })?;
    match columns {
        Some(_) => Ok(()),
        None => Err(At::new(1, "expected a head, found nothing")),
    }
}

/// Reads a column's head; `None` where it has nothing to do with marks.
fn choice(cell: &str) -> Option<Result<Choice<'_>, String>> {
    if !cell.starts_with("Choice_") {
        return None;
    }
    let parts: Vec<&str> = cell.split(':').collect();
    // Names may have colons in them: the rule stands between contest and option.
    let is_rule = |part: &&str| part.trim().to_lowercase().starts_with("vote for");
    let rule = parts.iter().position(is_rule);
    let rule = rule.unwrap_or(parts.len().saturating_sub(3));
    let found = match (parts.get(1..rule), parts.get(rule + 1..parts.len() - 1)) {
        (Some(contest @ [_, ..]), Some(option @ [_, ..])) => {
            // Without a rank, the last part is of the contest's name.
            let is_rank = |part: &&str| part.parse::<u64>().is_ok();
            match contest {
                [name @ .., rank] if !name.is_empty() && is_rank(rank) => {
                    Some((name, rank.parse().ok(), option))
                }
                name => Some((name, None, option)),
            }
        }
        _ => None,
    };
    Some(match found {
        Some((contest, rank, option)) => Ok(Choice {
            contest: joined(contest),
            rank,
            option: joined(option),
        }),
        None => Err(format!(
            "expected a column such as `Choice_6_1:Mayor:1:Vote For 1:Ann Lee:NON`, found {}",
            brief(cell)
        )),
    })
}

fn joined<'a>(parts: &[&'a str]) -> Cow<'a, str> {
    match parts {
        [one] => Cow::Borrowed(*one),
        several => Cow::Owned(several.join(":")),
    }
}

impl Columns {
    fn find(head: &Row<'_>, paper: &Paper<'_>) -> Result<Self, At> {
        let refuse = |message: String| At::new(head.line, message);
        let mut choices = Vec::new();
        for (cell, text) in head.cells.iter().enumerate() {
            if let Some(choice) = choice(text) {
                choices.push((cell, choice.map_err(refuse)?));
            }
        }
        let contest = contest(&choices, paper).map_err(refuse)?;
        let mut marks: Vec<Column> = Vec::new();
        for (cell, choice) in &choices {
            if choice.contest != contest {
                continue;
            }
            let same =
                |column: &&Column| column.rank == choice.rank && column.name == choice.option;
            if marks.iter().any(|column| same(&column)) {
                let rank = choice.rank.unwrap_or(1);
                let message = format!("two columns are for {:?} at rank {rank}", choice.option);
                return Err(refuse(message));
            }
            if choice.rank.is_some()
                != marks
                    .first()
                    .map_or(choice.rank, |first| first.rank)
                    .is_some()
            {
                let message = format!("some columns of {contest:?} have a rank and others none");
                return Err(refuse(message));
            }
            let target = target(&choice.option, paper);
            let is_taken =
                |column: &&Column| column.name != choice.option && column.target == target;
            if let Ok(Target::Option(option)) = target
                && paper.names.write_in() != Some(option)
                && let Some(other) = marks.iter().find(is_taken)
            {
                return Err(refuse(format!(
                    "two candidates of the file are the option {:?}: {:?} and {:?}",
                    paper.id(option),
                    other.name,
                    choice.option
                )));
            }
            marks.push(Column {
                cell: *cell,
                rank: choice.rank,
                name: choice.option.clone().into_owned(),
                target,
            });
        }
        let place = |name: &str| head.cells.iter().position(|cell| cell == name);
        Ok(Self {
            width: head.cells.len(),
            id: place("BallotID"),
            box_id: place("BoxID"),
            position: place("BoxPosition"),
            status: place("Status"),
            remade: place("Remade"),
            marks,
        })
    }

    fn marks_of(&self, row: &Row<'_>, paper: &Paper<'_>) -> Result<Marks, Unread> {
        let found = row.cells.len();
        if found != self.width {
            return Err(format!("expected {} cells, found {found}", self.width).into());
        }
        self.check_status(row)?;
        let mut marks = Marks::default();
        for column in &self.marks {
            match &*row.cells[column.cell] {
                "0" | "" => {}
                "1" => marks.add(column.target.clone()?, column.rank, 1, &column.name, paper)?,
                other => {
                    let (name, found) = (&column.name, brief(other));
                    return Err(format!("expected 1 or 0 for {name:?}, found {found}").into());
                }
            }
        }
        Ok(marks)
    }

    /// A ballot that people copied because a machine could not read it has the status -1, and counts.
    fn check_status(&self, row: &Row<'_>) -> Result<(), Unread> {
        let of = |cell: Option<usize>| cell.map_or("", |cell| &*row.cells[cell]);
        match (of(self.status), of(self.remade)) {
            ("" | "0", "" | "0" | "1") | ("-1", "1") => Ok(()),
            (status, remade) => Err(Unread::Undecided(format!(
                "the ballot has the status {status:?} and Remade {remade:?}, of which it is not known \
                 whether it counts"
            ))),
        }
    }
}

fn target(name: &str, paper: &Paper<'_>) -> Result<Target, Unread> {
    if paper.names.is_write_in(name) {
        let write_in = paper.names.write_in();
        return Ok(write_in.map_or(Target::Other, Target::Option));
    }
    paper.option(name).map(Target::Option)
}

/// The name of the contest that is meant.
fn contest(choices: &[(usize, Choice<'_>)], paper: &Paper<'_>) -> Result<String, String> {
    let mut names: Vec<&str> = Vec::new();
    for (_, choice) in choices {
        if !names.contains(&&*choice.contest) {
            names.push(&choice.contest);
        }
    }
    let shown = names.join(", ");
    let wanted = paper.contest.text();
    let fits = |name: &&&str| wanted.is_some_and(|wanted| fold(wanted) == fold(name));
    let fitting: Vec<&&str> = names.iter().filter(fits).collect();
    match (&fitting[..], &names[..]) {
        ([one], _) => Ok((**one).to_owned()),
        ([], [only]) if !matches!(paper.contest, ContestName::Asked(_)) => Ok((*only).to_owned()),
        (_, []) => {
            Err("expected columns such as `Choice_6_1:Mayor:1:Vote For 1:Ann Lee:NON`".into())
        }
        _ => Err(match wanted {
            Some(name) => format!(
                "expected one contest named {name:?}; the file has {shown}, and --contest chooses one"
            ),
            None => format!("expected --contest to name one of the file's: {shown}"),
        }),
    }
}
