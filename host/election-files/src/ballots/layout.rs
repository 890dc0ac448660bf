//! Which cell of a table says what: by its head, by what the user says, or by what alone its rows can
//! mean. Where they can mean two things, the file is refused with both.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::columns::{
    Columns, RankHead, Role, is_ballot, is_beside, is_count, is_id, is_unique_id, is_voter,
    rank_head,
};
use super::content::GO_ON;
use super::headless::headless;
use super::paper::Paper;
use super::problem::{At, brief};
use super::rows::{Row, Table};
use crate::election::ContestName;
use crate::options::fold;

/// Which cell says what.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) count: Option<usize>,
    pub(crate) id: Option<usize>,
    /// Cells with an id that no two ballots can have.
    pub(crate) unique_ids: Vec<usize>,
    /// Cells of which the head says nothing: they must be empty.
    pub(crate) unnamed: Vec<usize>,
    /// Who voted.
    pub(crate) voter: Option<usize>,
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

pub(super) const EXPECTED: &str =
    "expected a head such as `count,ranking`, `rank1,rank2` or the ids of the options";

/// Finds the layout, and the line from which on ballots stand.
pub(crate) fn find(
    table: &Table<'_>,
    columns: Option<&Columns>,
    paper: &Paper<'_>,
) -> Result<Option<(Layout, u64)>, At> {
    let mut first_row = None;
    let mut empty_line = None;
    table.each(0, &mut |_, row| {
        match row {
            Some(row) if row.is_blank() => empty_line = empty_line.or(Some(row.line)),
            Some(row) => first_row = Some(row.into_owned()),
            None => {}
        }
        match first_row {
            Some(_) => Ok(ControlFlow::Break(())),
            None => GO_ON,
        }
    })?;
    let Some(first_row) = first_row else {
        return Ok(None);
    };
    let (at_it, below_it) = (first_row.line, first_row.line + 1);
    if let Some(columns) = columns {
        let from = if columns.has_head { below_it } else { at_it };
        return Ok(Some((as_said(columns), from)));
    }
    let found = match head(&first_row, paper)? {
        Some(layout) => Some(layout),
        None => headless(&first_row, table, paper)?,
    };
    if let Some(layout) = found {
        return Ok(Some((layout, below_it)));
    }
    if let Some(line) = empty_line {
        let message = "an empty line stands before the first ballot: it may be a blank ballot or \
                       nothing; write a head such as `ballot` above it, or take it out";
        return Err(At::new(line, message));
    }
    let free = Layout {
        count: None,
        id: None,
        unique_ids: Vec::new(),
        unnamed: Vec::new(),
        voter: None,
        width: None,
        marks: Marks::Free,
    };
    Ok(Some((free, at_it)))
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
        unique_ids: place(&Role::Id).into_iter().collect(),
        unnamed: Vec::new(),
        voter: None,
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
    /// Rows of a form's grid, `Rank them [Ann]`: question and cell.
    grid: Vec<(&'a str, usize)>,
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
        grid: Vec::new(),
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
        let grid = grid_cell(cell).filter(|(_, name)| paper.names.is_name(name));
        if !is_word
            && !is_name
            && let Some((question, _)) = grid
        {
            found.grid.push((question, position));
            continue;
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
        || !found.grid.is_empty()
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
        let all = |known: fn(&str) -> bool| {
            let beside = self.beside.iter().copied();
            beside.filter(move |cell| known(&self.cells[*cell]))
        };
        let is = |known: fn(&str) -> bool| all(known).next();
        let unique_ids: Vec<usize> = all(is_unique_id).collect();
        let unnamed = all(str::is_empty).collect();
        let id = unique_ids.first().copied().or_else(|| is(is_id));
        let voter = is(is_voter);
        let options = self.options.len() + self.grid.len();
        if !self.options.is_empty() && !self.grid.is_empty() {
            return self.refuse("the head names options both alone and as rows of a grid");
        }
        let kinds = [self.ranks.len(), self.ballots.len(), options];
        if kinds.iter().filter(|kind| **kind > 0).count() > 1 {
            return self.refuse(
                "the head has columns for ranks, whole ballots and options beside each other; say \
                 which are which with --columns",
            );
        }
        let marks = match kinds {
            [0, 0, 0] => Marks::One(self.question(paper)?),
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
            unique_ids,
            unnamed,
            voter,
            width: Some(self.cells.len()),
            marks,
        })
    }

    /// The column whose head is the contest that is counted, as of a form's question.
    fn question(&self, paper: &Paper<'_>) -> Result<usize, At> {
        let wanted = paper.contest.text().map(words);
        let is_asked = |cell: &&usize| wanted.as_deref() == Some(&*words(&self.cells[**cell]));
        let asked: Vec<&usize> = self.unknown.iter().filter(is_asked).collect();
        if let [cell] = asked[..] {
            return Ok(*cell);
        }
        let Some(first) = self.unknown.first() else {
            return self.refuse(format!("{EXPECTED}, found nothing else"));
        };
        let role = |cell: usize| match cell {
            cell if cell == *first => "ballot",
            cell if self.counts.contains(&cell) => "count",
            _ => "ignore",
        };
        let roles: Vec<&str> = (0..self.cells.len()).map(role).collect();
        self.refuse(format!(
            "{EXPECTED}, found {}; a column of ballots is named by --contest, or by its place with \
             --columns, such as --columns head,{}",
            brief(&self.cells[*first]),
            roles.join(",")
        ))
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
            let ranks = contests.entry(self.contest_of(rank)).or_default();
            ranks.push((rank.number, *cell));
        }
        let is_one_of_many = contests.len() > 1;
        let names: Vec<&str> = contests.keys().copied().collect();
        let wanted = paper.contest.text().map(words);
        let fits = |contest: &str| {
            let wanted = wanted.as_deref();
            let wanted = [wanted, wanted.map(without_number)];
            wanted.contains(&Some(&*words(contest)))
        };
        let mut ranks = match contests.len() {
            1 => {
                refuse_another_contest(names[0], fits(names[0]), self.line, paper)?;
                contests.into_values().next().unwrap_or_default()
            }
            _ => {
                let fitting: Vec<_> = contests
                    .iter()
                    .filter(|(contest, _)| fits(contest))
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
        if is_one_of_many {
            self.refuse_columns_that_may_be_of(&ranks)?;
        }
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

    /// Refuses, in a file of several contests, columns that are of no contest and may be of the one whose ranks
    /// these are: unknown ones that have its words, and ranks of a contest that has no first one.
    fn refuse_columns_that_may_be_of(&self, ranks: &[(u64, usize)]) -> Result<(), At> {
        let of_contest = self
            .ranks
            .iter()
            .find(|(_, cell)| ranks.iter().any(|(_, own)| own == cell));
        let contest = of_contest.map_or("", |(rank, _)| self.contest_of(rank));
        let wanted = words(contest);
        let has_its_words = |cell: &&usize| {
            let found = words(&self.cells[**cell]);
            let mut wanted = wanted.split_whitespace().peekable();
            wanted.peek().is_some()
                && wanted.all(|word| found.split_whitespace().any(|f| f == word))
        };
        let lonely = self.ranks.iter().find(|(rank, _)| {
            let own = self.contest_of(rank);
            let mut all = self.ranks.iter().map(|(rank, _)| rank);
            !all.any(|rank| rank.number == 1 && self.contest_of(rank) == own)
        });
        let unknown = self.unknown.iter().find(has_its_words).copied();
        match unknown.or(lonely.map(|(_, cell)| *cell)) {
            None => Ok(()),
            Some(cell) => self.refuse(format!(
                "{} may be a column of {contest:?}, or of another contest: write its head as those of its \
                 contest, or say what the columns are with --columns",
                brief(&self.cells[cell])
            )),
        }
    }

    /// The contest of a column of ranks. A number at the end of its name that differs from rank to
    /// rank, as in `Mayor Choice 1 (45)`, `Mayor Choice 2 (50)`, is the column's and not the contest's.
    fn contest_of<'b>(&self, rank: &'b RankHead) -> &'b str {
        let base = without_number(&rank.contest);
        let of_base = self.ranks.iter().map(|(other, _)| other);
        let of_base = of_base.filter(|other| without_number(&other.contest) == base);
        let mut numbers: Vec<u64> = of_base.map(|other| other.number).collect();
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        match numbers.len() == all {
            true => base,
            false => &rank.contest,
        }
    }

    fn options_of(&self, paper: &Paper<'_>) -> Result<Vec<(usize, usize)>, At> {
        if self.grid.is_empty() {
            let cells = self.options.iter().map(|(cell, _)| *cell);
            return option_columns(self.cells, cells, self.line, paper);
        }
        let mut questions: Vec<&str> = Vec::new();
        for (question, _) in &self.grid {
            if !questions.contains(question) {
                questions.push(question);
            }
        }
        let wanted = paper.contest.text().map(words);
        let fits = |question: &&&str| wanted.as_deref() == Some(&*words(question));
        let fitting: Vec<&&str> = questions.iter().filter(fits).collect();
        let question = match (&questions[..], &fitting[..]) {
            (_, [only]) => **only,
            ([only], _) => {
                refuse_another_contest(only, false, self.line, paper)?;
                *only
            }
            _ => {
                return self.refuse(format!(
                    "the file has grids for several questions: {}; choose one with --contest",
                    questions.join(", ")
                ));
            }
        };
        let rows = self.grid.iter().filter(|(of, _)| *of == question);
        option_columns(self.cells, rows.map(|(_, cell)| *cell), self.line, paper)
    }
}

/// Refuses the only contest of a file where its columns name it and somebody asks for another.
fn refuse_another_contest(name: &str, fits: bool, line: u64, paper: &Paper<'_>) -> Result<(), At> {
    match paper.contest {
        ContestName::Asked(asked) if !fits && !name.is_empty() => {
            let message = format!(
                "expected the contest {asked:?}, as --contest has it; the columns of the file are of {name:?}"
            );
            Err(At::new(line, message))
        }
        _ => Ok(()),
    }
}

/// The question and the row of a form's grid, as in `Rank them [Ann]`.
fn grid_cell(cell: &str) -> Option<(&str, &str)> {
    let (question, name) = cell.trim().strip_suffix(']')?.rsplit_once('[')?;
    Some((question.trim(), name.trim()))
}

/// A contest's words without a number at their end.
fn without_number(contest: &str) -> &str {
    let (base, last) = contest.rsplit_once(' ').unwrap_or(("", contest));
    match last.bytes().all(|byte| byte.is_ascii_digit()) {
        true => base,
        false => contest,
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
pub(super) fn option_columns(
    cells: &[Cow<'_, str>],
    named: impl Iterator<Item = usize>,
    line: u64,
    paper: &Paper<'_>,
) -> Result<Vec<(usize, usize)>, At> {
    use crate::options::Meaning;
    let mut columns = Vec::new();
    for cell in named {
        let name = match grid_cell(&cells[cell]) {
            Some((_, name)) if !paper.names.is_name(&cells[cell]) => name,
            _ => &*cells[cell],
        };
        match paper.names.meaning(name) {
            Meaning::Option(option) => columns.push((cell, option)),
            Meaning::Several(options) => {
                return Err(At::new(line, paper.several(name, &options)));
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
