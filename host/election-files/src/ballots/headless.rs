//! Tables without a head in words: what their rows alone can mean.

use std::borrow::Cow;

use tabella_runtime::BallotKind;

use super::layout::{EXPECTED, Layout, Marks, option_columns};
use super::paper::Paper;
use super::problem::{At, brief};
use super::rows::{Row, Rows};

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
    rest: &Rows<'_>,
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
            has_unique_ids: false,
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
    refuse_numbers_of_two_readings(row, rest, paper)?;
    refuse_a_head_without_a_name(row, rest, paper)?;
    if !all_names || cells.len() < 2 {
        return Ok(None);
    }
    let below = below(rest, cells.len(), paper)?;
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
    rest: &Rows<'_>,
    paper: &Paper<'_>,
) -> Result<(), At> {
    let Some((first, named)) = row.cells.split_first() else {
        return Ok(());
    };
    if !first.is_empty() || named.is_empty() || !named.iter().all(|cell| paper.names.is_name(cell))
    {
        return Ok(());
    }
    let (mut rows, line) = (rest.clone(), row.line);
    while let Some(row) = rows.next()? {
        let Some((first, marks)) = row.cells.split_first() else {
            continue;
        };
        let is_mark = |cell: &Cow<'_, str>| is_mark(cell, paper.kind);
        let is_ballot = first.is_empty() || paper.rank(first).is_ok();
        if !is_ballot && marks.len() == named.len() && marks.iter().all(is_mark) {
            let message = "the first line may be a head whose first column has no name: write what \
                           it is above it, such as `id`";
            return Err(At::new(line, message));
        }
    }
    Ok(())
}

fn two_readings(row: &Row<'_>, other: &str) -> String {
    format!(
        "the first line may be a head of options, with marks below it, or {other}: {}; write a head \
         such as `rank1,rank2` above it, or say what the columns are with --columns, such as \
         --columns rank1,rank2 or --columns count,...",
        brief(&row.cells.join(","))
    )
}

fn below(rest: &Rows<'_>, width: usize, paper: &Paper<'_>) -> Result<Below, At> {
    let mut rows = rest.clone();
    let mut below = Below::default();
    while let Some(row) = rows.next()? {
        if row.is_blank() {
            continue;
        }
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
    }
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
    rest: &Rows<'_>,
    paper: &Paper<'_>,
) -> Result<(), At> {
    let number = |row: &Row<'_>| match row.cells.len() {
        0 | 1 => None,
        _ => row.cells[0].parse::<u64>().ok(),
    };
    let mut rows = rest.clone();
    let mut numbers = Vec::new();
    let mut first_option = None;
    let mut next = Some(row.clone());
    while let Some(row) = next {
        if !row.is_blank() {
            let Some(number) = number(&row) else {
                return Ok(());
            };
            numbers.push(number);
            if first_option.is_none() && paper.names.is_name(&row.cells[0]) {
                first_option = Some((row.line, row.cells.join(",")));
            }
        }
        next = rows.next()?;
    }
    let (line, shown, readings) = match first_option {
        Some((line, shown)) => {
            let readings = "a number of ballots and a ballot, or a ballot whose first choice is an \
                            option; say which with --columns count,... or --columns ..., or write a \
                            head such as `count,rank1,rank2` or `rank1,rank2` above";
            (line, shown, readings)
        }
        None if are_like_ids(&numbers) => {
            let readings = "how many ballots a line stands for, or the ballot's own number, as the \
                            numbers of all lines have it; say which with --columns count,... or \
                            --columns id,..., or write a head such as `count,rank1` or `id,rank1` above";
            (row.line, row.cells.join(","), readings)
        }
        None => return Ok(()),
    };
    let message = format!("{} may be {readings}", brief(&shown));
    Err(At::new(line, message))
}

/// Whether numbers rise from line to line, or are too many different ones, as numbers of rows and ballots
/// are and numbers of ballots hardly ever.
fn are_like_ids(numbers: &[u64]) -> bool {
    let by_one = numbers
        .windows(2)
        .all(|pair| pair[0].checked_add(1) == Some(pair[1]));
    let rise = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let are_different = || {
        let mut sorted = numbers.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] < pair[1])
    };
    match numbers.len() {
        0 | 1 => false,
        2 => by_one,
        lines => rise || (lines >= DIFFERENT_COUNTS_MAX && are_different()),
    }
}
