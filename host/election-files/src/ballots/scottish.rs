//! Wards of Scottish council elections as the data set scot-elex keeps them: `6,3,` (candidates, seats),
//! lines such as `12,4,2,` (a number of ballots, then candidates best first), a line for each candidate,
//! `Candidate 1,Ann Lee,Party (P),`, and the name of the ward.

use super::Facts;
use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use super::rows::{Row, Rows};
use crate::options::{Meaning, OptionNames};

/// A file, read as far as its candidates.
struct Ward {
    seats: u64,
    /// By candidate, from 1.
    candidates: Vec<(u64, String)>,
}

const CANDIDATE: &str = "candidate ";

/// Whether a text has the two numbers at its start.
pub(super) fn starts_like(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let numbers: Vec<&str> = first
        .split(',')
        .map(str::trim)
        .filter(|n| !n.is_empty())
        .collect();
    numbers.len() == 2 && numbers.iter().all(|n| n.parse::<u64>().is_ok())
}

/// Whether a text has the two numbers at its start and candidates at its end.
pub(super) fn looks_like(text: &str) -> bool {
    starts_like(text)
        && text.lines().skip(1).any(|line| {
            let line = line.trim_start_matches('"').to_lowercase();
            line.strip_prefix(CANDIDATE)
                .is_some_and(|rest| rest.starts_with('1'))
        })
}

/// The number of a candidate's line.
fn candidate(row: &Row<'_>) -> Option<u64> {
    let cell = row.cells[0].to_lowercase();
    cell.strip_prefix(CANDIDATE)?.trim().parse().ok()
}

fn filled<'a>(row: &'a Row<'_>) -> Vec<&'a str> {
    let mut cells: Vec<&str> = row.cells.iter().map(|cell| &**cell).collect();
    while cells.last().is_some_and(|cell| cell.is_empty()) {
        cells.pop();
    }
    cells
}

impl Ward {
    fn read(text: &str) -> Result<Self, At> {
        let mut rows = Rows::new(text);
        let first = rows.next()?;
        let numbers = first.as_ref().and_then(|row| {
            let numbers: Option<Vec<u64>> = filled(row).iter().map(|n| n.parse().ok()).collect();
            numbers.filter(|numbers| numbers.len() == 2)
        });
        let Some([count, seats]) = numbers.as_deref() else {
            let message = "expected the numbers of candidates and seats, such as `6,3,`";
            return Err(At::new(1, message));
        };
        let mut candidates = Vec::new();
        // Behind the candidates stands the ward's name, often in quotation marks of its own.
        while candidates.len() as u64 != *count
            && let Some(row) = rows.next()?
        {
            let Some(number) = candidate(&row) else {
                continue;
            };
            if number != candidates.len() as u64 + 1 {
                let message = format!(
                    "expected candidate {}, found {}",
                    candidates.len() + 1,
                    brief(&row.cells[0])
                );
                return Err(At::new(row.line, message));
            }
            let name = row.cells.get(1).map_or("", |name| name);
            candidates.push((row.line, name.to_owned()));
        }
        let is_candidate = |line: &&str| {
            let line = line.trim_start_matches('"').to_lowercase();
            line.starts_with(CANDIDATE)
        };
        let more = rows.rest().lines().filter(is_candidate).count();
        // The ward's name may stand there, in quotation marks of its own, and no more ballots.
        for (line, text) in (rows.line()..).zip(rows.rest().lines()) {
            let cells = text
                .split(',')
                .map(str::trim)
                .filter(|cell| !cell.is_empty());
            let numbers: Vec<bool> = cells.map(|cell| cell.parse::<u64>().is_ok()).collect();
            if numbers.len() > 1 && numbers.iter().all(|is_number| *is_number) {
                let message = format!(
                    "expected no ballots below the candidates, found {}",
                    brief(text)
                );
                return Err(At::new(line, message));
            }
        }
        if candidates.len() as u64 != *count || more > 0 {
            let found = candidates.len() + more;
            let message = format!("expected {count} candidates, found {found}");
            return Err(At::new(1, message));
        }
        Ok(Self {
            seats: *seats,
            candidates,
        })
    }

    fn options(&self, names: &OptionNames) -> Result<Vec<usize>, At> {
        let mut options = Vec::new();
        for (line, name) in &self.candidates {
            match names.meaning(name) {
                Meaning::Option(option) if !options.contains(&option) => options.push(option),
                Meaning::Option(_) => {
                    let message = format!("a second candidate is the option of {name:?}");
                    return Err(At::new(*line, message));
                }
                Meaning::Several(_) => {
                    let message = format!("several options are called {name:?}; use aliases");
                    return Err(At::new(*line, message));
                }
                Meaning::Nothing => {
                    let message =
                        format!("the candidate {name:?} is neither id nor title of an option");
                    return Err(At::new(*line, message));
                }
            }
        }
        Ok(options)
    }
}

pub(super) fn facts(text: &str) -> Result<Facts, At> {
    Ok(Facts {
        seats: Some(Ward::read(text)?.seats),
        ..Facts::default()
    })
}

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    let options = Ward::read(text)?.options(&paper.names)?;
    let mut rows = Rows::new(text);
    rows.next()?;
    while let Some(row) = rows.next()? {
        if candidate(&row).is_some() {
            // Candidates, the ward, and no more ballots.
            break;
        }
        if row.is_blank() {
            continue;
        }
        let cells = filled(&row);
        let weight = cells.first().and_then(|weight| weight.parse::<u64>().ok());
        let Some(weight) = weight else {
            let reason = format!(
                "expected a number of ballots, found {}",
                brief(&row.cells[0])
            );
            sink(Cast::new(row.line, 1, Err(reason.into())));
            continue;
        };
        let ranks = cells[1..].iter().map(|cell| rank(cell, &options));
        sink(paper.cast(row.line, weight, ranks.collect()));
    }
    Ok(())
}

fn rank(cell: &str, options: &[usize]) -> Result<Rank, Unread> {
    if cell.is_empty() {
        return Ok(Rank::Skipped);
    }
    let number = cell
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1));
    let option = number.and_then(|number| options.get(number));
    option
        .map(|option| Rank::Options(vec![*option]))
        .ok_or_else(|| {
            Unread::Spoiled(format!(
                "expected a candidate from 1 to {}, found {}",
                options.len(),
                brief(cell)
            ))
        })
}
