//! Tables without a head in words: what their rows alone can mean.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use tabella_contest::BallotKind;

use super::content::GO_ON;
use super::layout::{EXPECTED, Layout, Marks, option_columns};
use super::paper::Paper;
use super::problem::{At, brief};
use super::rows::{Row, Table};
use crate::options::fold;
use crate::repeats::{Short, short};

/// What the rows below a first row of options can be.
#[derive(Default)]
struct Below {
    rows: usize,
    /// Rows that can only be marks in columns of options.
    only_marks: usize,
    /// Rows that can only be ballots.
    only_ballots: usize,
    /// Rows that can be both.
    both: usize,
}

/// The layout of a table whose first row is no head in words: `None` where it is the first ballot.
pub(super) fn headless(
    row: &Row<'_>,
    table: &Table<'_>,
    paper: &Paper<'_>,
) -> Result<Option<Layout>, At> {
    let cells = &row.cells;
    let takes_order = matches!(
        paper.kind,
        BallotKind::Ranking | BallotKind::Choice | BallotKind::Approval
    );
    let all_names = cells.iter().all(|cell| paper.names.is_name(cell));
    let columns = || {
        let columns = option_columns(cells, 0..cells.len(), row.line, paper)?;
        Ok(Some(Layout {
            count: None,
            id: None,
            unique_ids: Vec::new(),
            unnamed: Vec::new(),
            voter: None,
            width: Some(cells.len()),
            marks: Marks::Options(columns),
        }))
    };
    if !takes_order {
        if all_names {
            return columns();
        }
        let unknown = cells.iter().find(|cell| !paper.names.is_name(cell));
        let found = unknown.map_or(String::new(), |cell| brief(cell));
        return Err(At::new(row.line, format!("{EXPECTED}, found {found}")));
    }
    refuse_numbers_of_two_readings(row, table, paper)?;
    refuse_a_head_without_a_name(row, table, paper)?;
    if !all_names || cells.len() < 2 {
        return Ok(None);
    }
    let below = below(table, row.line + 1, cells.len(), paper)?;
    let is_whole = cells.len() == paper.options.len();
    match (below.only_marks, below.only_ballots, below.both) {
        (0, 0, 0) if !is_whole => Ok(None),
        (0, 1.., _) => Ok(None),
        (1.., 0, _) => columns(),
        (0, 0, _) => Err(At::new(
            row.line,
            two_readings(row, "a ballot that ranks them"),
        )),
        (_, _, _) => Err(At::new(
            row.line,
            two_readings(row, "a ballot, for options stand below it as well as marks"),
        )),
    }
}

/// Refuses a first row of options behind an empty cell, where marks stand below the options.
fn refuse_a_head_without_a_name(
    row: &Row<'_>,
    table: &Table<'_>,
    paper: &Paper<'_>,
) -> Result<(), At> {
    let Some((first, named)) = row.cells.split_first() else {
        return Ok(());
    };
    if !first.is_empty() || named.is_empty() || !named.iter().all(|cell| paper.names.is_name(cell))
    {
        return Ok(());
    }
    let line = row.line;
    table.each(line + 1, &mut |_, row| {
        let row = row.as_ref();
        let Some((first, marks)) = row.and_then(|row| row.cells.split_first()) else {
            return GO_ON;
        };
        let is_mark = |cell: &Cow<'_, str>| is_mark(cell, paper.kind);
        let is_ballot = first.is_empty() || paper.rank(first).is_ok();
        if !is_ballot && marks.len() == named.len() && marks.iter().all(is_mark) {
            let message = "the first line may be a head whose first column has no name: write what \
                           it is above it, such as `id`";
            return Err(At::new(line, message));
        }
        GO_ON
    })
}

fn two_readings(row: &Row<'_>, other: &str) -> String {
    format!(
        "the first line may be a head of options, with marks below it, or {other}: {}; write a head \
         such as `rank1,rank2` above it, or say what the columns are with --columns, such as \
         --columns rank1,rank2 or --columns count,...",
        brief(&row.cells.join(","))
    )
}

fn below(table: &Table<'_>, from: u64, width: usize, paper: &Paper<'_>) -> Result<Below, At> {
    let mut below = Below::default();
    table.each(from, &mut |_, row| {
        let Some(row) = row.filter(|row| !row.is_blank()) else {
            return GO_ON;
        };
        below.rows += 1;
        let may_be_marks =
            row.cells.len() == width && row.cells.iter().all(|cell| is_mark(cell, paper.kind));
        let names = |cells: &[Cow<'_, str>]| {
            let mut filled = cells.iter().filter(|cell| !cell.is_empty()).peekable();
            filled.peek().is_some() && filled.all(|cell| paper.rank(cell).is_ok())
        };
        let may_be_ballot = names(&row.cells)
            || (row.cells.len() > 1
                && row.cells[0].parse::<u64>().is_ok()
                && names(&row.cells[1..]));
        match (may_be_marks, may_be_ballot) {
            (true, true) => below.both += 1,
            (true, false) => below.only_marks += 1,
            // A row that is neither is a ballot that cannot be read.
            (false, true) => below.only_ballots += 1,
            (false, false) if row.cells.iter().any(|cell| paper.names.is_name(cell)) => {
                below.only_ballots += 1;
            }
            (false, false) => {}
        }
        GO_ON
    })?;
    Ok(below)
}

/// Whether a cell can be a mark in a column of an option.
fn is_mark(cell: &str, kind: BallotKind) -> bool {
    match kind {
        BallotKind::Ranking => cell.is_empty() || cell.parse::<u64>().is_ok(),
        _ => ["", "1", "0", "x", "yes", "no", "true", "false", "✓", "✔"]
            .contains(&&*cell.to_lowercase()),
    }
}

/// Rows of different numbers, from which on it is unlikely that each is a number of ballots.
const DIFFERENT_COUNTS_MAX: usize = 20;

/// Refuses rows that all begin with a number, where the numbers may be options, or the ballots' own.
fn refuse_numbers_of_two_readings(
    row: &Row<'_>,
    table: &Table<'_>,
    paper: &Paper<'_>,
) -> Result<(), At> {
    let number = |row: &Row<'_>| match row.cells.len() {
        0 | 1 => None,
        _ => row.cells[0].parse::<u64>().ok(),
    };
    let mut numbers = Numbers::default();
    let mut first_option = None;
    let mut are_all = true;
    table.each(row.line, &mut |_, row| {
        let Some(row) = row.filter(|row| !row.is_blank()) else {
            return GO_ON;
        };
        let Some(number) = number(&row) else {
            are_all = false;
            return Ok(ControlFlow::Break(()));
        };
        numbers.see(number, &row);
        if first_option.is_none() && paper.names.is_name(&row.cells[0]) {
            first_option = Some((row.line, row.cells.join(",")));
        }
        GO_ON
    })?;
    if !are_all {
        return Ok(());
    }
    let (line, shown, readings) = match first_option {
        Some((line, shown)) => {
            let readings = "a number of ballots and a ballot, or a ballot whose first choice is an \
                            option; say which with --columns count,... or --columns ..., or write a \
                            head such as `count,rank1,rank2` or `rank1,rank2` above";
            (line, shown, readings)
        }
        None if numbers.are_like_ids() => {
            let readings = "how many ballots a line stands for, or the ballot's own number, as the \
                            numbers of all lines have it; say which with --columns count,... or \
                            --columns id,..., or write a head such as `count,rank1` or `id,rank1` above";
            (row.line, row.cells.join(","), readings)
        }
        None if numbers.repeats_a_line => {
            let readings = "how many ballots a line stands for, or of which precinct or year it is, as \
                            the same line stands several times; say which with --columns count,... or \
                            --columns ignore,..., or write a head such as `count,rank1` or \
                            `precinct,rank1` above";
            (row.line, row.cells.join(","), readings)
        }
        None => return Ok(()),
    };
    let message = format!("{} may be {readings}", brief(&shown));
    Err(At::new(line, message))
}

/// The numbers at the start of rows.
#[derive(Default)]
struct Numbers {
    rows: usize,
    last: u64,
    /// Whether one of them does not follow, does not exceed, or is one of those before.
    breaks: bool,
    falls: bool,
    repeats: bool,
    seen: HashSet<u64>,
    /// Whether a number is not 1, and whether a line stands twice.
    is_weighty: bool,
    is_line_twice: bool,
    lines: HashSet<Short>,
    repeats_a_line: bool,
}

impl Numbers {
    /// So many are compared with each other: where they are all different, further ones do not matter.
    const SEEN_MAX: usize = 1_000_000;

    fn see(&mut self, number: u64, row: &Row<'_>) {
        self.is_weighty |= number != 1;
        if !self.is_line_twice && self.lines.len() < Self::SEEN_MAX {
            let cells: Vec<String> = row.cells.iter().map(|cell| fold(cell)).collect();
            self.is_line_twice = !self.lines.insert(short(cells.join("\n").as_bytes()));
        }
        // Where every number is 1, both readings are the same.
        self.repeats_a_line = self.is_weighty && self.is_line_twice;
        if self.rows > 0 {
            self.breaks |= self.last.checked_add(1) != Some(number);
            self.falls |= number <= self.last;
        }
        (self.rows, self.last) = (self.rows + 1, number);
        if !self.repeats && self.seen.len() < Self::SEEN_MAX && !self.seen.insert(number) {
            self.repeats = true;
            self.seen = HashSet::new();
        }
    }

    /// Whether they rise from line to line, or are too many different ones, as numbers of rows and ballots
    /// are and numbers of ballots hardly ever.
    fn are_like_ids(&self) -> bool {
        match self.rows {
            0 | 1 => false,
            2 => !self.breaks,
            rows => !self.falls || (rows >= DIFFERENT_COUNTS_MAX && !self.repeats),
        }
    }
}
