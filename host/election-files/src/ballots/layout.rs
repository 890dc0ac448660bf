//! Which cell of a table says what: by its head, by what the user says, or by what alone its rows can
//! mean. Where they can mean two things, the file is refused with both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tabella_runtime::BallotKind;

use super::columns::{Columns, RankHead, Role, is_ballot, is_beside, is_count, is_id, rank_head};
use super::paper::Paper;
use super::problem::{At, brief};
use super::rows::{Row, Rows};
use crate::options::fold;

/// Which cell says what.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) count: Option<usize>,
    pub(crate) id: Option<usize>,
    /// Cells of every row; `None` where rows may differ.
    pub(crate) width: Option<usize>,
    pub(crate) marks: Marks,
}

/// Where the marks are.
#[derive(Debug)]
pub(crate) enum Marks {
    /// One cell holds the ballot.
    One(usize),
    /// A cell for each rank, best first.
    Ranks(Vec<usize>),
    /// A cell for each of the first ranks, and from that cell on each is the next rank.
    RanksFrom(Vec<usize>, usize),
    /// A cell for each option: cell and option.
    Options(Vec<(usize, usize)>),
    /// As many cells as the voter ranked; a number in the first that is no option is a count.
    Free,
}

const EXPECTED: &str =
    "expected a head such as `count,ranking`, `rank1,rank2` or the ids of the options";

/// Finds the layout; leaves `rows` at the first ballot.
pub(crate) fn find(
    rows: &mut Rows<'_>,
    columns: Option<&Columns>,
    paper: &Paper<'_>,
) -> Result<Option<Layout>, At> {
    let mut first = rows.clone();
    let mut empty_line = None;
    let first_row = loop {
        *rows = first.clone();
        match first.next()? {
            None => return Ok(None),
            Some(row) if row.is_blank() => empty_line = empty_line.or(Some(row.line)),
            Some(row) => break row,
        }
    };
    if let Some(columns) = columns {
        if columns.has_head {
            *rows = first;
        }
        return Ok(Some(as_said(columns)));
    }
    let found = match head(&first_row, paper)? {
        Some(layout) => Some(layout),
        None => headless(&first_row, &first, paper)?,
    };
    if let Some(layout) = found {
        *rows = first;
        return Ok(Some(layout));
    }
    if let Some(line) = empty_line {
        let message = "an empty line stands before the first ballot: it may be a blank ballot or \
                       nothing; write a head such as `ballot` above it, or take it out";
        return Err(At::new(line, message));
    }
    Ok(Some(Layout {
        count: None,
        id: None,
        width: None,
        marks: Marks::Free,
    }))
}

fn as_said(columns: &Columns) -> Layout {
    let place = |role: &Role| columns.roles.iter().position(|known| known == role);
    let ranks = (columns.roles.iter().enumerate()).filter_map(|(cell, role)| match role {
        Role::Rank(number) => Some((*number, cell)),
        _ => None,
    });
    let mut ranks: Vec<(u64, usize)> = ranks.collect();
    ranks.sort_unstable();
    let ranks = ranks.into_iter().map(|(_, cell)| cell).collect();
    let marks = match place(&Role::Ballot) {
        Some(cell) => Marks::One(cell),
        None if columns.goes_on => Marks::RanksFrom(ranks, columns.roles.len()),
        None => Marks::Ranks(ranks),
    };
    Layout {
        count: place(&Role::Count),
        id: place(&Role::Id),
        width: (!columns.goes_on).then_some(columns.roles.len()),
        marks,
    }
}

/// What the cells of a first row can be.
struct Cells<'a> {
    cells: &'a [Cow<'a, str>],
    line: u64,
    counts: Vec<usize>,
    ballots: Vec<usize>,
    ranks: Vec<(RankHead, usize)>,
    options: Vec<(usize, usize)>,
    beside: Vec<usize>,
    unknown: Vec<usize>,
}

/// The layout, where the row says in words that it is a head.
fn head(row: &Row<'_>, paper: &Paper<'_>) -> Result<Option<Layout>, At> {
    let mut found = Cells {
        cells: &row.cells,
        line: row.line,
        counts: Vec::new(),
        ballots: Vec::new(),
        ranks: Vec::new(),
        options: Vec::new(),
        beside: Vec::new(),
        unknown: Vec::new(),
    };
    let mut both = None;
    for (position, cell) in row.cells.iter().enumerate() {
        let rank = rank_head(cell);
        let is_word = is_count(cell) || is_ballot(cell) || rank.is_some() || is_beside(cell);
        let is_name = !cell.is_empty() && paper.names.is_name(cell);
        if is_word && is_name {
            both = both.or(Some(position));
        }
        match (is_name, rank) {
            (true, _) => found.options.push((position, position)),
            (false, _) if is_count(cell) => found.counts.push(position),
            (false, Some(rank)) => found.ranks.push((rank, position)),
            (false, None) if is_ballot(cell) => found.ballots.push(position),
            (false, None) if is_beside(cell) => found.beside.push(position),
            (false, None) => found.unknown.push(position),
        }
    }
    let says_so = |cell: &usize| !row.cells[*cell].is_empty();
    let is_head = !found.counts.is_empty()
        || !found.ballots.is_empty()
        || !found.ranks.is_empty()
        || found.beside.iter().any(says_so);
    if let Some(position) = both {
        let message = format!(
            "{} is the name of an option, and a word for a column; say what the columns are, such as \
             --columns count,... or --columns head,id,rank1,rank2",
            brief(&row.cells[position])
        );
        return Err(At::new(row.line, message));
    }
    match is_head {
        true => found.layout(paper).map(Some),
        false => Ok(None),
    }
}

impl Cells<'_> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, At> {
        Err(At::new(self.line, message))
    }

    fn layout(self, paper: &Paper<'_>) -> Result<Layout, At> {
        if self.counts.len() > 1 {
            return self.refuse("the head has two columns for the number of ballots");
        }
        let is_own_id = |cell: &&usize| is_id(&self.cells[**cell]);
        let id = self.beside.iter().find(is_own_id).copied();
        let kinds = [self.ranks.len(), self.ballots.len(), self.options.len()];
        if kinds.iter().filter(|kind| **kind > 0).count() > 1 {
            return self.refuse(
                "the head has columns for ranks, whole ballots and options beside each other; say \
                 which are which with --columns",
            );
        }
        let marks = match kinds {
            [0, 0, 0] => {
                let unknown = self.unknown.first();
                let found = unknown.map_or("nothing else".to_owned(), |c| brief(&self.cells[*c]));
                return self.refuse(format!("{EXPECTED}, found {found}"));
            }
            [_, 0, 0] => {
                let (ranks, is_one_of_many) = self.ranks_of_contest(paper)?;
                if !is_one_of_many {
                    self.know_all()?;
                }
                Marks::Ranks(ranks)
            }
            [_, 1, _] => {
                self.know_all()?;
                Marks::One(self.ballots[0])
            }
            [_, 0, _] => {
                self.know_all()?;
                Marks::Options(self.options_of(paper)?)
            }
            _ => return self.refuse("the head has several columns for a whole ballot"),
        };
        Ok(Layout {
            count: self.counts.first().copied(),
            id,
            width: Some(self.cells.len()),
            marks,
        })
    }

    /// Refuses a column of which nothing is known.
    fn know_all(&self) -> Result<(), At> {
        match self.unknown.first() {
            None => Ok(()),
            Some(cell) => self.refuse(format!(
                "{EXPECTED}, found {}; where a column has nothing to do with the ballot, say so with \
                 --columns, such as --columns head,ignore,rank1,rank2",
                brief(&self.cells[*cell])
            )),
        }
    }

    /// The columns of ranks, best first, and whether the file has those of other contests too.
    fn ranks_of_contest(&self, paper: &Paper<'_>) -> Result<(Vec<usize>, bool), At> {
        let mut contests: BTreeMap<&str, Vec<(u64, usize)>> = BTreeMap::new();
        for (rank, cell) in &self.ranks {
            let ranks = contests.entry(&rank.contest).or_default();
            ranks.push((rank.number, *cell));
        }
        let is_one_of_many = contests.len() > 1;
        let names: Vec<&str> = contests.keys().copied().collect();
        let mut ranks = match contests.len() {
            1 => contests.into_values().next().unwrap_or_default(),
            _ => {
                let wanted = paper.contest.text().map(words);
                let fitting: Vec<_> = contests
                    .iter()
                    .filter(|(contest, _)| wanted.as_deref() == Some(&*words(contest)))
                    .collect();
                match fitting[..] {
                    [(_, ranks)] => ranks.clone(),
                    _ => {
                        return self.refuse(format!(
                            "the file has ranks for several contests: {}; choose one with --contest",
                            names.join(", ")
                        ));
                    }
                }
            }
        };
        ranks.sort_unstable();
        for (expected, (number, _)) in (1..).zip(&ranks) {
            if *number == 0 {
                return self.refuse("ranks start at 1, found a column for rank 0");
            }
            if *number < expected {
                return self.refuse(format!("the head has two columns for rank {number}"));
            }
            if *number > expected {
                return self.refuse(format!(
                    "the head has a column for rank {number} and none for rank {expected}"
                ));
            }
        }
        Ok((
            ranks.into_iter().map(|(_, cell)| cell).collect(),
            is_one_of_many,
        ))
    }

    fn options_of(&self, paper: &Paper<'_>) -> Result<Vec<(usize, usize)>, At> {
        let cells = self.options.iter().map(|(cell, _)| *cell);
        option_columns(self.cells, cells, self.line, paper)
    }
}

/// Words of a contest's name, as heads of columns show it.
fn words(name: &str) -> String {
    let folded = fold(name);
    let words = folded.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Cells that each name an option, by option.
fn option_columns(
    cells: &[Cow<'_, str>],
    named: impl Iterator<Item = usize>,
    line: u64,
    paper: &Paper<'_>,
) -> Result<Vec<(usize, usize)>, At> {
    use crate::options::Meaning;
    let mut columns = Vec::new();
    for cell in named {
        match paper.names.meaning(&cells[cell]) {
            Meaning::Option(option) => columns.push((cell, option)),
            Meaning::Several(options) => {
                return Err(At::new(line, paper.several(&cells[cell], &options)));
            }
            Meaning::Nothing => {}
        }
    }
    columns.sort_by_key(|(_, option)| *option);
    if columns.windows(2).any(|pair| pair[0].1 == pair[1].1) {
        return Err(At::new(line, "the head names an option twice"));
    }
    Ok(columns)
}

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
fn headless(row: &Row<'_>, rest: &Rows<'_>, paper: &Paper<'_>) -> Result<Option<Layout>, At> {
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
    refuse_counts_that_are_options(row, rest, paper)?;
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
        _ => ["", "1", "0", "x", "yes", "no", "true", "false"].contains(&&*cell.to_lowercase()),
    }
}

/// Refuses rows that all begin with a number, some of which are options.
fn refuse_counts_that_are_options(
    row: &Row<'_>,
    rest: &Rows<'_>,
    paper: &Paper<'_>,
) -> Result<(), At> {
    let number = |row: &Row<'_>| row.cells.len() > 1 && row.cells[0].parse::<u64>().is_ok();
    if !number(row) {
        return Ok(());
    }
    let mut rows = rest.clone();
    let mut first_option = None;
    let mut next = Some(row.clone());
    while let Some(row) = next {
        if !row.is_blank() {
            if !number(&row) {
                return Ok(());
            }
            if first_option.is_none() && paper.names.is_name(&row.cells[0]) {
                first_option = Some((row.line, row.cells.join(",")));
            }
        }
        next = rows.next()?;
    }
    match first_option {
        None => Ok(()),
        Some((line, shown)) => {
            let message = format!(
                "{} may be a number of ballots and a ballot, or a ballot whose first choice is an \
                 option; say which with --columns count,... or --columns ..., or write a head such as \
                 `count,rank1,rank2` or `rank1,rank2` above",
                brief(&shown)
            );
            Err(At::new(line, message))
        }
    }
}
