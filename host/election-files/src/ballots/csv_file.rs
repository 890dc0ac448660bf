//! Tables of ballots as text. The grammar is in `docs/election-files.md`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::{Map, Value};
use tabella_contest::BallotKind;

use super::columns::Columns;
use super::content::{Content, GO_ON};
use super::layout::{self, Layout, Marks};
use super::paper::{Paper, Rank, ranks_of_numbers};
use super::problem::{At, Cast, Unread, brief};
use super::rows::{Row, Rows, Table};
use crate::options::fold;
use crate::repeats::{Short, short};

pub(super) fn read(
    content: &Content,
    columns: Option<&Columns>,
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    let table = Table::new(content)?;
    let Some((layout, from)) = layout::find(&table, columns, paper)? else {
        return Ok(());
    };
    let is_one_column = match layout.marks {
        Marks::Free => is_one_column(&table, from)?,
        _ => layout.width == Some(1),
    };
    // Of scores, votes and grades a sum would be in the cells.
    let holds_marks = matches!(
        paper.kind,
        BallotKind::Ranking | BallotKind::Choice | BallotKind::Approval
    );
    let mut empty_lines = Vec::new();
    let mut seen = Seen::default();
    let mut sums = Sums::default();
    let mut numbers = Numbers::default();
    table.each(from, &mut |rows, row| {
        refuse_remarks_that_may_be_ballots(rows, &layout, paper)?;
        let Some(row) = row else { return GO_ON };
        // In a file of one column an empty line is an empty cell: a blank ballot. In any other it is
        // nothing at the end, and cannot be told from a lost ballot before it.
        if row.is_empty_line() && !is_one_column {
            empty_lines.push(row.line);
            return GO_ON;
        }
        for line in empty_lines.drain(..) {
            let reason = "expected cells, found an empty line; a blank ballot has its separators, or `blank` in \
                          place of its marks";
            sink(Cast::new(line, 1, Err(reason.into())));
        }
        let mut cast = layout.cast(&row, paper);
        if let Some(message) = seen.again(&row, &layout) {
            cast.ballot = Err(Unread::File(message));
        }
        if let Some(message) = layout.unnamed_mark(&row) {
            cast.ballot = Err(Unread::File(message));
        }
        numbers.see(&row, &layout, paper);
        if layout.count.is_some() && holds_marks {
            sums.see(&row, &layout, cast.weight);
        }
        sink(cast);
        GO_ON
    })?;
    numbers.refuse_what_starts_nowhere()?;
    sums.refuse_a_total()
}

/// The numbers in columns of options of a rule that ranks.
#[derive(Default)]
struct Numbers {
    /// The line of the first one, as long as none of them is a first rank.
    first: Option<u64>,
    has_first_rank: bool,
}

impl Numbers {
    fn see(&mut self, row: &Row<'_>, layout: &Layout, paper: &Paper<'_>) {
        let Marks::Options(cells) = &layout.marks else {
            return;
        };
        if self.has_first_rank || paper.kind != BallotKind::Ranking {
            return;
        }
        let numbers = cells.iter().filter_map(|(cell, _)| row.cells.get(*cell));
        for text in numbers.filter(|text| !text.is_empty()) {
            self.first.get_or_insert(row.line);
            // What is more than a rank is told of its ballot.
            let rank = rank_of(text);
            self.has_first_rank |= rank.is_none_or(|rank| rank == 1 || rank > ranks_max(paper));
        }
    }

    /// Refuses numbers of which none is 1: they may be scores, whose best is the highest.
    fn refuse_what_starts_nowhere(&self) -> Result<(), At> {
        match self.first {
            Some(line) if !self.has_first_rank => {
                let message = "no ballot has a rank 1: the numbers may be scores, of which the highest is the \
                               best, or ranks without the best one; write ranks that start at 1";
                Err(At::new(line, message))
            }
            _ => Ok(()),
        }
    }
}

/// How many ballots the lines stand for, for a last line that may be their sum.
#[derive(Default)]
struct Sums {
    lines: u64,
    all: u128,
    /// The last line, where it has no marks and as many ballots as all before it.
    total: Option<u64>,
}

impl Sums {
    fn see(&mut self, row: &Row<'_>, layout: &Layout, weight: u64) {
        let is_sum = self.lines > 1 && weight > 1 && self.all == u128::from(weight);
        let may_be_total = is_sum && layout.is_unmarked(row);
        self.total = may_be_total.then_some(row.line);
        self.lines += 1;
        self.all += u128::from(weight);
    }

    fn refuse_a_total(&self) -> Result<(), At> {
        match self.total {
            None => Ok(()),
            Some(line) => {
                let message = "the last line may be the sum of all lines above it, or as many blank \
                               ballots; take it out, or write a word such as `blank` where its marks \
                               would be";
                Err(At::new(line, message))
            }
        }
    }
}

/// Ballots and voters so far, by digests of their ids: 16 bytes for each, and 8 for the line of a voter.
#[derive(Default)]
struct Seen {
    /// By column.
    ballots: Vec<HashSet<Short>>,
    voters: HashMap<Short, u64>,
}

impl Seen {
    /// Why the row counts a ballot or a voter again, if it does.
    fn again(&mut self, row: &Row<'_>, layout: &Layout) -> Option<String> {
        let mut message = None;
        self.ballots
            .resize_with(layout.unique_ids.len(), HashSet::new);
        for (cell, seen) in layout.unique_ids.iter().zip(&mut self.ballots) {
            if let Some(id) = row.cells.get(*cell).filter(|id| !id.is_empty())
                && !seen.insert(short(id.as_bytes()))
            {
                message = Some(format!(
                    "the ballot {id} stands twice, and a ballot counts once; take one out, or say with \
                     --columns that the column is no id"
                ));
            }
        }
        if let Some(person) = layout.voter.map(|cell| row.cells.get(cell))
            && let Some(person) = person.filter(|person| !person.is_empty())
            && let Some(line) = self.voters.insert(short(fold(person).as_bytes()), row.line)
        {
            message = Some(format!(
                "{} stands on line {line} too, and a voter counts once; take one out, or pass the \
                 column over with --columns, as `ignore`",
                brief(person)
            ));
        }
        message
    }
}

/// Refuses a line that starts with `#` where it can be read as a ballot: by an option or an id that starts so.
fn refuse_remarks_that_may_be_ballots(
    rows: &Rows<'_>,
    layout: &Layout,
    paper: &Paper<'_>,
) -> Result<(), At> {
    for (line, text) in rows.remarks() {
        let Some(cells) = rows.cells_of(text) else {
            continue;
        };
        let line = *line;
        let cast = layout.cast(&Row { line, cells }, paper);
        if matches!(cast.ballot, Ok(_) | Err(Unread::File(_))) {
            let message = format!(
                "{} may be a remark, or a ballot that starts with `#`: take the line out, or put \
                 quotation marks around its first cell",
                brief(text)
            );
            return Err(At::new(line, message));
        }
    }
    Ok(())
}

fn is_one_column(table: &Table<'_>, from: u64) -> Result<bool, At> {
    let mut is_one = true;
    table.each(from, &mut |_, row| {
        is_one = row.is_none_or(|row| row.cells.len() == 1);
        match is_one {
            true => GO_ON,
            false => Ok(ControlFlow::Break(())),
        }
    })?;
    Ok(is_one)
}

impl Layout {
    /// Whether none of the cells that hold marks has anything in it.
    fn is_unmarked(&self, row: &Row<'_>) -> bool {
        let is_empty = |cell: usize| row.cells.get(cell).is_none_or(|text| text.is_empty());
        match &self.marks {
            Marks::One(cell) => is_empty(*cell),
            Marks::Ranks(cells) => cells.iter().all(|cell| is_empty(*cell)),
            Marks::Options(cells) => cells.iter().all(|(cell, _)| is_empty(*cell)),
            Marks::RanksFrom(first, start) => {
                first.iter().all(|cell| is_empty(*cell))
                    && row.cells.iter().skip(*start).all(|cell| cell.is_empty())
            }
            Marks::Free => row.is_blank(),
        }
    }

    /// Why a cell that the head does not name cannot be passed over, if the row has something in one.
    fn unnamed_mark(&self, row: &Row<'_>) -> Option<String> {
        let cells = self.unnamed.iter();
        let mut filled = cells.filter_map(|cell| Some((cell, row.cells.get(*cell)?)));
        let (cell, text) = filled.find(|(_, text)| !text.is_empty())?;
        Some(format!(
            "column {} has no name in the head, and {} in it: write above it what it is, such as `count`, `id` \
             or `rank3`, or say what the columns are with --columns, such as --columns head,ignore,rank1,rank2",
            cell + 1,
            brief(text)
        ))
    }

    fn cast(&self, row: &Row<'_>, paper: &Paper<'_>) -> Cast {
        let mut cast = self.cast_without_id(row, paper);
        let id = self.id.and_then(|cell| row.cells.get(cell));
        cast.id = id.filter(|id| !id.is_empty()).map(|id| id.to_string());
        cast.is_id_unique = self.id.is_some_and(|id| self.unique_ids.contains(&id));
        cast
    }

    fn cast_without_id(&self, row: &Row<'_>, paper: &Paper<'_>) -> Cast {
        let spoiled = |weight, reason: String| Cast::new(row.line, weight, Err(reason.into()));
        let mut weight = 1;
        if let Some(cell) = self.count {
            let text = row.cells.get(cell).map_or("", |cell| cell);
            match text.parse() {
                Ok(given) => weight = given,
                Err(_) => {
                    let reason = format!("expected a number of ballots, found {}", brief(text));
                    return spoiled(1, reason);
                }
            }
        }
        let found = row.cells.len();
        if let Some(expected) = self.width
            && found != expected
        {
            return spoiled(weight, format!("expected {expected} cells, found {found}"));
        }
        let ranks = match &self.marks {
            Marks::One(cell) => ranks(&row.cells[*cell], paper),
            Marks::Ranks(cells) => rank_cells(cells.iter().map(|cell| &row.cells[*cell]), paper),
            Marks::RanksFrom(first, start) => {
                // Where rows differ in length, a row may end before its first ranks.
                let first = first.iter().filter_map(|cell| row.cells.get(*cell));
                rank_cells(first.chain(row.cells.iter().skip(*start)), paper)
            }
            Marks::Options(cells) => match paper.kind {
                BallotKind::Ranking => numbered(cells, row, paper),
                BallotKind::Choice | BallotKind::Approval => marked(cells, row, paper),
                _ => return Cast::new(row.line, weight, values(cells, row, paper)),
            },
            Marks::Free => return free(row, paper),
        };
        paper.cast(row.line, weight, ranks)
    }
}

/// A row of a table without a head.
fn free(row: &Row<'_>, paper: &Paper<'_>) -> Cast {
    let mut cells = &row.cells[..];
    let mut weight = 1;
    if let [first, rest @ ..] = cells
        && !rest.is_empty()
        && !paper.names.is_name(first)
        && let Ok(given) = first.parse()
    {
        weight = given;
        cells = rest;
    }
    let ranks = match cells {
        [only] => ranks(only, paper),
        _ => rank_cells(cells.iter(), paper),
    };
    paper.cast(row.line, weight, ranks)
}

/// `a > b = c`; sets of options may also be separated by `,`, `;`, `|` or `+`.
fn ranks(cell: &str, paper: &Paper<'_>) -> Result<Vec<Rank>, Unread> {
    let is_set = paper.kind != BallotKind::Ranking;
    let separates = |c: char| c == '=' || (is_set && matches!(c, ',' | ';' | '|' | '+'));
    let is_name = paper.names.is_name(cell);
    if is_name && is_set && cell.contains(separates) {
        let mut parts = cell.split(separates);
        if parts.all(|part| paper.names.is_name(part)) {
            return Err(Unread::File(format!(
                "{} is the name of one option, and the names of several with separators between them; name them \
                 by their ids",
                brief(cell)
            )));
        }
    }
    // Forms of Microsoft end a set with its separator.
    let cell = match is_set && !is_name {
        true => cell.strip_suffix(';').unwrap_or(cell),
        false => cell,
    };
    if !is_set && !is_name && cell.contains('|') && !cell.contains('>') {
        return Err(Unread::File(format!(
            "{} may be options best first, or options that share one rank: write `>` between those that follow \
             each other, and `=` between those that share a rank",
            brief(cell)
        )));
    }
    if is_name || !cell.contains(|c| c == '>' || separates(c)) {
        return Ok(vec![paper.rank(cell)?]);
    }
    let rank = |rank: &str| {
        if rank.trim().is_empty() {
            return Err("expected an option beside `>`, found nothing; `-` skips a rank".into());
        }
        if paper.names.is_name(rank) || !rank.contains(separates) {
            return paper.rank(rank);
        }
        let names = rank.split(separates).map(|name| paper.option(name));
        Ok(Rank::Options(names.collect::<Result<_, _>>()?))
    };
    cell.split('>').map(rank).collect()
}

/// A cell for each rank.
fn rank_cells<'a>(
    cells: impl Iterator<Item = &'a Cow<'a, str>>,
    paper: &Paper<'_>,
) -> Result<Vec<Rank>, Unread> {
    cells.map(|cell| paper.rank(cell)).collect()
}

/// The cells with something in them, each with its option.
fn filled<'a>(
    cells: &'a [(usize, usize)],
    row: &'a Row<'_>,
) -> impl Iterator<Item = (&'a str, usize)> {
    let cells = cells.iter();
    let cells = cells.map(|(cell, option)| (&*row.cells[*cell], *option));
    cells.filter(|(text, _)| !text.is_empty())
}

/// The rank that a cell has: a form's grid says `1st choice` where a table says 1.
fn rank_of(text: &str) -> Option<u64> {
    let said = super::columns::rank_head(text).filter(|rank| rank.contest.is_empty());
    said.map_or_else(|| text.parse().ok(), |rank| Some(rank.number))
}

fn number(text: &str, option: usize, paper: &Paper<'_>) -> Result<u64, Unread> {
    let id = paper.id(option);
    let parsed = text.parse::<u64>();
    parsed.map_err(|_| format!("expected a whole number for {id}, found {}", brief(text)).into())
}

/// Ranks on papers that have more of them than options, at most: what is more is a code or a score.
const PAPER_RANKS_MAX: u64 = 10;

fn ranks_max(paper: &Paper<'_>) -> u64 {
    PAPER_RANKS_MAX.max(paper.options.len() as u64)
}

/// A rank in the cell of each option.
fn numbered(
    cells: &[(usize, usize)],
    row: &Row<'_>,
    paper: &Paper<'_>,
) -> Result<Vec<Rank>, Unread> {
    let mut marks = Vec::new();
    for (text, option) in filled(cells, row) {
        let rank = match rank_of(text) {
            Some(rank) => rank,
            None => number(text, option, paper)?,
        };
        match rank {
            0 => {
                return Err(Unread::File(format!(
                    "ranks start at 1, found 0 for {}; leave the cell blank where an option is not \
                     ranked",
                    paper.id(option)
                )));
            }
            rank if rank > ranks_max(paper) => {
                return Err(Unread::File(format!(
                    "expected a rank, found {rank} for {}, which is more than there are options; leave \
                     the cell blank where an option is not ranked",
                    paper.id(option)
                )));
            }
            rank => marks.push((rank, option)),
        }
    }
    ranks_of_numbers(marks)
}

/// A mark in the cell of each option.
fn marked(cells: &[(usize, usize)], row: &Row<'_>, paper: &Paper<'_>) -> Result<Vec<Rank>, Unread> {
    let mut marked = Vec::new();
    for (text, option) in filled(cells, row) {
        match text.to_lowercase().as_str() {
            "1" | "x" | "yes" | "true" | "✓" | "✔" => marked.push(option),
            "0" | "no" | "false" => {}
            _ => {
                let id = paper.id(option);
                return Err(format!("expected 1 or 0 for {id}, found {}", brief(text)).into());
            }
        }
    }
    // All marks at once, so that the rule judges one too many.
    match marked.is_empty() {
        true => Ok(Vec::new()),
        false => Ok(vec![Rank::Options(marked)]),
    }
}

/// A value in the cell of each option.
fn values(cells: &[(usize, usize)], row: &Row<'_>, paper: &Paper<'_>) -> Result<Value, Unread> {
    let mut values = Map::new();
    for (text, option) in filled(cells, row) {
        let value = match paper.kind {
            BallotKind::Grades => Value::from(text),
            _ => number(text, option, paper)?.into(),
        };
        values.insert(paper.id(option).into(), value);
    }
    paper.ballot_of_values(values)
}
