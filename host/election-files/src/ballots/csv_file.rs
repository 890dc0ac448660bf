//! Lines of cells, in the layouts that are found in the wild.
//!
//! - `count,ranking` and lines such as `3,a > b = c`; `count` may be left out or called `weight`,
//!   `ranking` may be called `choice`, `choices`, `approve` or `ballot`;
//! - a column for each rank (`rank1,rank2,…`, `1st choice,…`) with an option in each cell;
//! - a column for each option with its score, votes, grade, mark or rank in each cell;
//! - no head: a ballot a line, as `a > b = c` or as `a,b,c`, best first. A first line that names every
//!   option in order is a head where marks stand below it, and a ballot where options do.

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};
use tabella_runtime::BallotKind;

use super::json::Lines;
use super::{At, Cast, Paper, brief};

/// Which cell says what.
struct Layout {
    weight: Option<usize>,
    ballot: Cells,
}

enum Cells {
    /// One cell holds the ballot.
    One(usize),
    /// A cell for each rank, best first.
    Ranks(Vec<usize>),
    /// A cell for each option.
    Options(Vec<(usize, usize)>),
    /// As many cells as the voter ranked; a first cell with a number is a weight.
    Any,
}

const WEIGHT: [&str; 3] = ["count", "weight", "ballots"];
const BALLOT: [&str; 6] = ["ranking", "choice", "choices", "approve", "ballot", "vote"];

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    let delimiter = delimiter(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut layout = None;
    let mut lines = Lines::new(text);
    let mut records = reader.records().peekable();
    while let Some(record) = records.next() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            At::new(line, error.to_string())
        })?;
        let raw = raw(text, &record);
        let line = lines.of(raw);
        if records.peek().is_none() && ends_in_quotes(raw, delimiter) {
            return Err(At::new(
                line,
                "a quotation mark is opened here and never closed",
            ));
        }
        if record.iter().all(|cell| cell.trim().is_empty()) && layout.is_none() {
            continue;
        }
        let layout = match &layout {
            Some(layout) => layout,
            None => {
                let below = records.peek().and_then(|record| record.as_ref().ok());
                let (found, is_head) = head(&record, below, line, paper)?;
                let found = layout.insert(found);
                if is_head {
                    continue;
                }
                found
            }
        };
        let (weight, ballot) = layout.read(&record, paper);
        sink(Cast {
            line,
            weight,
            ballot,
        });
    }
    Ok(())
}

/// The text from a record on. The reader's own place of a record is before the ends of lines and the
/// comments that it passes over.
fn raw<'a>(text: &'a str, record: &StringRecord) -> &'a str {
    let start = record.position().map_or(0, csv::Position::byte);
    let mut rest = usize::try_from(start)
        .ok()
        .and_then(|start| text.get(start..))
        .unwrap_or_default();
    loop {
        rest = rest.trim_start_matches(['\r', '\n']);
        match rest.strip_prefix('#') {
            Some(comment) => rest = comment.find('\n').map_or("", |end| &comment[end..]),
            None => return rest,
        }
    }
}

/// Whether the last record of a file has a cell whose quotation marks are not closed.
fn ends_in_quotes(raw: &str, delimiter: u8) -> bool {
    let opens = raw.starts_with('"') || raw.contains(&format!("{}\"", char::from(delimiter)));
    opens && raw.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
}

/// The first of the usual separators that the first line has.
fn delimiter(text: &str) -> u8 {
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or_default();
    let usual = [b',', b'\t', b';'];
    let found = usual
        .into_iter()
        .find(|usual| first.contains(char::from(*usual)));
    found.unwrap_or(b',')
}

/// The layout, and whether the first line is a head. `below` is the line after it.
fn head(
    record: &StringRecord,
    below: Option<&StringRecord>,
    line: u64,
    paper: &Paper<'_>,
) -> Result<(Layout, bool), At> {
    let cells: Vec<String> = record
        .iter()
        .map(|cell| cell.trim().to_lowercase())
        .collect();
    let weight = cells
        .iter()
        .position(|cell| WEIGHT.contains(&cell.as_str()));
    let others: Vec<usize> = (0..cells.len())
        .filter(|cell| Some(*cell) != weight)
        .collect();
    let is_option = |cell: &usize| paper.names.find(&record[*cell]).is_some();
    if let [only] = others[..]
        && BALLOT.contains(&cells[only].as_str())
        && !is_option(&only)
    {
        let ballot = Cells::One(only);
        return Ok((Layout { weight, ballot }, true));
    }
    let all_options = !others.is_empty() && others.iter().all(is_option);
    let takes_order = matches!(
        paper.kind,
        BallotKind::Ranking | BallotKind::Choice | BallotKind::Approval
    );
    // A head of options and a first ballot look alike where ballots are lists of options; a head
    // names them all, in the order of the paper, and stands above marks.
    let in_order = || {
        let found = others.iter().map(|cell| paper.names.find(&record[*cell]));
        found.eq((0..paper.options.len()).map(Some))
    };
    let may_be_head = all_options && others.len() > 1 && in_order();
    let names_options = |below: &StringRecord| {
        let mut cells = below.iter();
        cells.any(|cell| paper.names.find(cell).is_some())
    };
    let is_above_marks = below.is_some_and(|below| !names_options(below));
    let all_numbers = || cells.iter().all(|cell| cell.parse::<u64>().is_ok());
    if may_be_head && takes_order && weight.is_none() && below.is_some() && all_numbers() {
        let message = "the first line may be a head of options or a ballot, as options are numbers; \
                       write a head such as `rank1,rank2` above it";
        return Err(At::new(line, message));
    }
    if all_options && (!takes_order || weight.is_some() || (may_be_head && is_above_marks)) {
        let columns = others
            .iter()
            .map(|cell| (*cell, paper.names.find(&record[*cell])));
        let mut columns: Vec<(usize, usize)> = columns
            .filter_map(|(cell, option)| Some((cell, option?)))
            .collect();
        columns.sort_by_key(|(_, option)| *option);
        if columns.windows(2).any(|pair| pair[0].1 == pair[1].1) {
            return Err(At::new(line, "the head names an option twice"));
        }
        let ballot = Cells::Options(columns);
        return Ok((Layout { weight, ballot }, true));
    }
    let numbers: Option<Vec<(u64, usize)>> = others
        .iter()
        .map(|cell| Some((rank_number(&cells[*cell])?, *cell)))
        .collect();
    if let Some(mut ranks) = numbers.filter(|ranks| !ranks.is_empty() && !all_options) {
        ranks.sort_unstable();
        let ballot = Cells::Ranks(ranks.into_iter().map(|(_, cell)| cell).collect());
        return Ok((Layout { weight, ballot }, true));
    }
    if weight.is_none() && takes_order {
        let ballot = Cells::Any;
        return Ok((Layout { weight, ballot }, false));
    }
    let unknown = others.iter().find(|cell| !is_option(cell));
    let found = unknown.map_or("nothing else", |cell| &record[*cell]);
    let message = format!(
        "expected a head such as `count,ranking`, `rank1,rank2` or the ids of the options, found {}",
        brief(found)
    );
    Err(At::new(line, message))
}

/// The number in `rank1`, `2`, `3rd choice`, `preference_4`.
fn rank_number(cell: &str) -> Option<u64> {
    let words = ["rank", "choice", "preference", "pref"];
    let blank = |c: char| c == ' ' || c == '_' || c == '-';
    let mut rest = cell;
    for word in words {
        let before = rest;
        rest = rest.strip_prefix(word).unwrap_or(rest);
        rest = rest.strip_suffix(word).unwrap_or(rest);
        rest = rest.trim_matches(blank);
        if rest.len() != before.len() {
            break;
        }
    }
    let named = rest.len() != cell.len();
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &rest[digits.len()..];
    let fits = ["st", "nd", "rd", "th"].contains(&suffix) || (named && suffix.is_empty());
    digits.parse().ok().filter(|_| fits)
}

impl Layout {
    fn read(&self, record: &StringRecord, paper: &Paper<'_>) -> (u64, Result<Value, String>) {
        let mut weight = 1;
        if let Some(cell) = self.weight {
            let text = record.get(cell).unwrap_or_default().trim();
            match text.parse() {
                Ok(given) => weight = given,
                Err(_) => {
                    let reason = format!("expected a number of ballots, found {}", brief(text));
                    return (1, Err(reason));
                }
            }
        }
        if let Cells::Any = self.ballot {
            return any(record, paper);
        }
        (weight, self.ballot(record, paper))
    }

    fn ballot(&self, record: &StringRecord, paper: &Paper<'_>) -> Result<Value, String> {
        let columns = match &self.ballot {
            Cells::One(_) | Cells::Any => 1,
            Cells::Ranks(cells) => cells.len(),
            Cells::Options(cells) => cells.len(),
        };
        let expected = columns + usize::from(self.weight.is_some());
        if record.len() != expected {
            let found = record.len();
            return Err(format!("expected {expected} cells, found {found}"));
        }
        match &self.ballot {
            Cells::One(cell) => paper.ballot_of_ranks(&ranks(&record[*cell], paper)?),
            Cells::Ranks(cells) => {
                let cells = cells.iter().map(|cell| &record[*cell]);
                paper.ballot_of_ranks(&rank_cells(cells, paper)?)
            }
            Cells::Options(cells) => option_cells(cells, record, paper),
            Cells::Any => any(record, paper).1,
        }
    }
}

/// A line without a head.
fn any(record: &StringRecord, paper: &Paper<'_>) -> (u64, Result<Value, String>) {
    let mut cells: Vec<&str> = record.iter().collect();
    let mut weight = 1;
    if let [first, _, ..] = cells[..]
        && paper.names.find(first).is_none()
        && let Ok(given) = first.trim().parse()
    {
        weight = given;
        cells.remove(0);
    }
    let ranks = match cells[..] {
        [only] => ranks(only, paper),
        _ => rank_cells(cells.into_iter(), paper),
    };
    (
        weight,
        ranks.and_then(|ranks| paper.ballot_of_ranks(&ranks)),
    )
}

/// `a > b = c`; sets of options may also be separated by `,`, `;`, `|` or `+`.
fn ranks(cell: &str, paper: &Paper<'_>) -> Result<Vec<Vec<usize>>, String> {
    if cell.trim().is_empty() {
        return Ok(Vec::new());
    }
    if let Some(option) = paper.names.find(cell) {
        return Ok(vec![vec![option]]);
    }
    let is_set = paper.kind != BallotKind::Ranking;
    let separates = |c: char| c == '=' || (is_set && matches!(c, ',' | ';' | '|' | '+'));
    let rank = |rank: &str| {
        rank.split(separates)
            .map(|name| paper.option(name))
            .collect()
    };
    cell.split('>').map(rank).collect()
}

/// A cell for each rank. An option that was marked before adds nothing where it is marked again.
fn rank_cells<'a>(
    cells: impl Iterator<Item = &'a str>,
    paper: &Paper<'_>,
) -> Result<Vec<Vec<usize>>, String> {
    let mut seen = vec![false; paper.options.len()];
    let mut all = Vec::new();
    for cell in cells {
        let text = cell.trim();
        if text.is_empty() || ["skipped", "undervote"].contains(&&*text.to_lowercase()) {
            continue;
        }
        let mut rank = match paper.names.find(text) {
            Some(option) => vec![option],
            None => text
                .split('=')
                .map(|name| paper.option(name))
                .collect::<Result<_, _>>()?,
        };
        rank.retain(|option| !std::mem::replace(&mut seen[*option], true));
        all.push(rank);
    }
    Ok(all)
}

/// A cell for each option.
fn option_cells(
    cells: &[(usize, usize)],
    record: &StringRecord,
    paper: &Paper<'_>,
) -> Result<Value, String> {
    let filled = cells
        .iter()
        .map(|(cell, option)| (record[*cell].trim(), *option));
    let filled = filled.filter(|(text, _)| !text.is_empty());
    let number = |text: &str, option: usize| {
        let id = paper.id(option);
        let parsed = text.parse::<u64>();
        parsed.map_err(|_| format!("expected a whole number for {id}, found {}", brief(text)))
    };
    match paper.kind {
        BallotKind::Ranking => {
            let mut marks = Vec::new();
            for (text, option) in filled {
                marks.push((number(text, option)?, option));
            }
            marks.sort_unstable();
            let ranks = marks.chunk_by(|a, b| a.0 == b.0);
            let ranks = ranks.map(|rank| rank.iter().map(|(_, option)| *option).collect());
            paper.ballot_of_ranks(&ranks.collect::<Vec<_>>())
        }
        BallotKind::Choice | BallotKind::Approval => {
            let mut marked = Vec::new();
            for (text, option) in filled {
                match text.to_lowercase().as_str() {
                    "1" | "x" | "yes" | "true" => marked.push(option),
                    "0" | "no" | "false" => {}
                    _ => {
                        let id = paper.id(option);
                        return Err(format!("expected 1 or 0 for {id}, found {}", brief(text)));
                    }
                }
            }
            // All marks at once, so that the rule judges one too many.
            paper.ballot_of_ranks(&[marked])
        }
        BallotKind::Grades => {
            let values = filled.map(|(text, option)| (paper.id(option).into(), text.into()));
            paper.ballot_of_values(values.collect())
        }
        _ => {
            let mut values = Map::new();
            for (text, option) in filled {
                values.insert(paper.id(option).into(), number(text, option)?.into());
            }
            paper.ballot_of_values(values)
        }
    }
}
