//! BLT, as OpaVote and OpenSTV write it.
//!
//! ```text
//! 4 2                 four candidates, two seats
//! -3                  the third withdrew
//! 12 1 2=4 0          twelve ballots: 1 first, then 2 and 4 alike
//! (b7) 1 4 - 1 0      one ballot with an id; a rank was skipped
//! 0                   the end of the ballots
//! "Ann"               names, one for each candidate
//! "Bea"
//! "Cyd"
//! "Dee"
//! "Title"
//! ```

use std::collections::HashSet;
use std::ops::ControlFlow;

use tabella_contest::ContestOption;

use super::Facts;
use super::content::{Content, GO_ON, Visit};
use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use crate::options::{Meaning, OptionNames};
use crate::repeats::short;

/// All of a file but its ballots, not yet matched with the options of an election. The names of candidates
/// stand below the ballots, so that a file is read once for them and once for the ballots.
pub(super) struct Blt<'a> {
    content: &'a Content,
    candidates: usize,
    seats: u64,
    /// Numbers from 0.
    withdrawn: Vec<usize>,
    /// As many as candidates, or none.
    names: Vec<(u64, String)>,
}

/// The part of a file that a line belongs to.
enum Part {
    Head,
    /// Withdrawals, as long as no ballot came.
    Withdrawals,
    Ballots,
    Names,
}

struct Ballot {
    line: u64,
    id: Option<String>,
    weight: u64,
    /// By rank the candidates, none where the voter skipped it.
    ranks: Result<Vec<Vec<usize>>, String>,
}

/// Whether a text starts with two whole numbers on a line of their own.
pub(super) fn looks_like(text: &str) -> bool {
    let first = text.lines().map(said).find(|line| !line.is_empty());
    let numbers = first.map(|line| line.split_whitespace().map(str::parse::<u64>));
    numbers.is_some_and(|mut numbers| {
        matches!(
            (numbers.next(), numbers.next(), numbers.next()),
            (Some(Ok(_)), Some(Ok(_)), None)
        )
    })
}

/// What a line says, without its comment.
fn said(line: &str) -> &str {
    without_comment(line).trim()
}

/// `#` starts a comment, but not within quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (position, character) in line.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '#' if !quoted => return &line[..position],
            _ => {}
        }
    }
    line
}

impl<'a> Blt<'a> {
    pub(super) fn parse(content: &'a Content) -> Result<Self, At> {
        let mut blt = Self {
            content,
            candidates: 0,
            seats: 0,
            withdrawn: Vec::new(),
            names: Vec::new(),
        };
        let mut part = Part::Head;
        let mut last = 1;
        each_said(content, &mut |line, text| {
            last = line;
            match part {
                Part::Head => {
                    blt.head(line, text)?;
                    part = Part::Withdrawals;
                }
                Part::Names => blt.name(line, text)?,
                _ if text == "0" => part = Part::Names,
                _ => {
                    refuse_no_ballot(line, text)?;
                    match part {
                        Part::Withdrawals if text.starts_with('-') => blt.withdraw(line, text)?,
                        _ => part = Part::Ballots,
                    }
                }
            }
            GO_ON
        })?;
        match part {
            Part::Head => Err(At::new(
                1,
                "expected the numbers of candidates and seats, found nothing",
            )),
            Part::Names => blt.know_names(last).map(|()| blt),
            _ => {
                let message = "the file ends before the line with only `0` that ends the ballots";
                Err(At::new(last, message))
            }
        }
    }

    const CANDIDATES_MAX: u64 = 100_000;

    fn head(&mut self, line: u64, head: &str) -> Result<(), At> {
        let numbers: Option<Vec<u64>> = head
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect();
        match numbers.as_deref() {
            Some([candidates, seats]) if (1..=Self::CANDIDATES_MAX).contains(candidates) => {
                (self.candidates, self.seats) = (*candidates as usize, *seats);
                Ok(())
            }
            _ => {
                let message = format!(
                    "expected the numbers of candidates and seats, such as `4 2`, found {}",
                    brief(head)
                );
                Err(At::new(line, message))
            }
        }
    }

    fn withdraw(&mut self, line: u64, text: &str) -> Result<(), At> {
        for word in text.split_whitespace() {
            let number = word.strip_prefix('-').map(|number| self.candidate(number));
            match number {
                Some(Ok(candidate)) if !self.withdrawn.contains(&candidate) => {
                    self.withdrawn.push(candidate);
                }
                Some(Ok(_)) => {}
                _ => {
                    let message = format!(
                        "expected withdrawn candidates such as `-2`, found {}",
                        brief(word)
                    );
                    return Err(At::new(line, message));
                }
            }
        }
        Ok(())
    }

    fn candidate(&self, number: &str) -> Result<usize, String> {
        let all_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = number.parse::<usize>().ok().filter(|_| all_digits);
        match parsed {
            Some(number) if (1..=self.candidates).contains(&number) => Ok(number - 1),
            _ => Err(format!(
                "expected a candidate from 1 to {}, found {}",
                self.candidates,
                brief(number)
            )),
        }
    }

    fn ballot(&self, line: u64, text: &str) -> Ballot {
        // OpaVote writes a ballot's id in front, in parentheses.
        let (id, marks) = match text.strip_prefix('(').map(|rest| rest.split_once(')')) {
            None => (None, text),
            Some(Some((id, marks))) => (Some(id.trim().to_owned()), marks),
            Some(None) => {
                let reason = "the ballot's id has no closing parenthesis";
                return Ballot {
                    line,
                    id: None,
                    weight: 1,
                    ranks: Err(reason.into()),
                };
            }
        };
        let mut words = marks.split_whitespace();
        let weight = words.next().unwrap_or_default();
        let (weight, ranks) = match weight.parse::<u64>().ok().filter(|weight| *weight > 0) {
            Some(weight) => (weight, self.ranks(words)),
            None => {
                let reason = format!("expected a number of ballots, found {}", brief(weight));
                (1, Err(reason))
            }
        };
        Ballot {
            line,
            id,
            weight,
            ranks,
        }
    }

    fn ranks<'b>(&self, words: impl Iterator<Item = &'b str>) -> Result<Vec<Vec<usize>>, String> {
        let mut ranks = Vec::new();
        let mut ended = false;
        for word in words {
            if ended {
                return Err(format!("expected the line to end, found {}", brief(word)));
            }
            match word {
                "0" => ended = true,
                "-" => ranks.push(Vec::new()),
                _ => {
                    let numbers = word.split('=').map(|number| self.candidate(number));
                    ranks.push(numbers.collect::<Result<_, _>>()?);
                }
            }
        }
        match ended {
            true => Ok(ranks),
            false => Err("expected `0` at the end of the ballot".into()),
        }
    }

    /// Names and the title, in quotes or a line each; whatever else in quotes follows is left alone.
    fn name(&mut self, line: u64, text: &str) -> Result<(), At> {
        // Candidates, then the title; what follows says nothing of ballots, such as a source. Only
        // ballots must not stand there.
        let may_be_ballot = !text.starts_with('"') && self.ballot(line, text).ranks.is_ok();
        if may_be_ballot && self.names.len() <= self.candidates {
            let message = format!(
                "expected a name in quotation marks after the line with only `0` that ends the ballots, found {}, \
                 which may be a ballot",
                brief(text)
            );
            return Err(At::new(line, message));
        }
        if self.names.len() <= self.candidates {
            let names = quoted(text).into_iter().map(|name| (line, name));
            self.names.extend(names);
        } else if may_be_ballot {
            let message = format!(
                "expected the end of the file after its title, found {}",
                brief(text)
            );
            return Err(At::new(line, message));
        }
        Ok(())
    }

    /// Refuses names of some candidates only; takes the title from among them.
    fn know_names(&mut self, last: u64) -> Result<(), At> {
        let (found, needed) = (self.names.len(), self.candidates);
        if found > 0 && found < needed {
            let message = format!("expected {needed} names of candidates, found {found}");
            return Err(At::new(last, message));
        }
        self.names.truncate(needed);
        Ok(())
    }

    /// By candidate, the position of the option it is; `None` for a withdrawn one that the election
    /// does not list.
    ///
    /// Candidates are options by name. Where no name is known and the numbers agree, they are
    /// options by place.
    fn positions(
        &self,
        options: &[ContestOption],
        names: &OptionNames,
    ) -> Result<Vec<Option<usize>>, At> {
        for (line, name) in &self.names {
            if let Meaning::Several(several) = names.meaning(name) {
                let ids: Vec<&str> = several.iter().map(|option| &*options[*option].id).collect();
                let message = format!(
                    "{} options are called {name:?}; name the candidates by their ids, {}",
                    several.len(),
                    ids.join(" and ")
                );
                return Err(At::new(*line, message));
            }
        }
        let found: Vec<_> = self
            .names
            .iter()
            .map(|(_, name)| names.find(name))
            .collect();
        if found.iter().all(Option::is_none) {
            let numbers = (1..).zip(options);
            let are_numbered =
                { numbers }.all(|(number, option)| option.id == u64::to_string(&number));
            let is_by_place = self.names.is_empty() || are_numbered;
            if is_by_place && self.candidates == options.len() {
                return Ok((0..self.candidates).map(Some).collect());
            }
            let message = format!(
                "the file has {} candidates, the election {} options, and no name is common to both",
                self.candidates,
                options.len()
            );
            return Err(At::new(1, message));
        }
        let mut taken = vec![false; options.len()];
        for (candidate, position) in found.iter().enumerate() {
            let (line, name) = &self.names[candidate];
            match position {
                None if self.withdrawn.contains(&candidate) => {}
                None => {
                    let near = match names.nearest(name) {
                        Some(near) => format!("; the nearest is {near:?}"),
                        None => String::new(),
                    };
                    let message = format!(
                        "the candidate {name:?} is neither id nor title of an option{near}"
                    );
                    return Err(At::new(*line, message));
                }
                Some(position) if std::mem::replace(&mut taken[*position], true) => {
                    let id = &options[*position].id;
                    let message = format!("a second candidate is the option {id:?}: {name:?}");
                    return Err(At::new(*line, message));
                }
                Some(_) => {}
            }
        }
        Ok(found)
    }

    pub(super) fn facts(
        &self,
        options: &[ContestOption],
        names: &OptionNames,
    ) -> Result<Facts, At> {
        let positions = self.positions(options, names)?;
        let withdrawn = self.withdrawn.iter();
        let mut withdrawn: Vec<_> = withdrawn.filter_map(|number| positions[*number]).collect();
        withdrawn.sort_unstable();
        Ok(Facts {
            withdrawn,
            seats: Some(self.seats),
            ..Facts::default()
        })
    }

    pub(super) fn each(&self, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
        let positions = self.positions(paper.options, &paper.names)?;
        let rank = |rank: &Vec<usize>| match rank.is_empty() {
            true => Rank::Skipped,
            // Of candidates who withdrew and are no options nothing is left.
            false => {
                let options = rank.iter().filter_map(|number| positions[*number]);
                Rank::Options(options.collect())
            }
        };
        let mut part = Part::Head;
        let mut seen = HashSet::new();
        each_said(self.content, &mut |line, text| {
            match part {
                Part::Head => part = Part::Withdrawals,
                _ if text == "0" => return Ok(ControlFlow::Break(())),
                Part::Withdrawals if text.starts_with('-') => {}
                _ => {
                    part = Part::Ballots;
                    let ballot = self.ballot(line, text);
                    let ranks = ballot.ranks.map_err(Unread::Spoiled);
                    let ranks = ranks.map(|ranks| ranks.iter().map(rank).collect());
                    let mut cast = paper.cast(ballot.line, ballot.weight, ranks);
                    if let Some(id) = &ballot.id
                        && !seen.insert(short(id.as_bytes()))
                    {
                        let message =
                            format!("the ballot {id} stands twice, and a ballot counts once");
                        cast.ballot = Err(Unread::File(message));
                    }
                    cast.is_id_unique = ballot.id.is_some();
                    cast.id = ballot.id;
                    sink(cast);
                }
            }
            GO_ON
        })
    }
}

/// Visits the lines that say something, without their comments.
fn each_said(content: &Content, visit: &mut dyn FnMut(u64, &str) -> Visit<()>) -> Result<(), At> {
    content.each_line(&mut |line, text| match said(text) {
        "" => GO_ON,
        text => visit(line, text),
    })
}

/// Refuses a line among ballots that cannot be one.
fn refuse_no_ballot(line: u64, text: &str) -> Result<(), At> {
    let message = if text.starts_with('[') {
        format!("expected ballots, found the directive {}", brief(text))
    } else if text.starts_with('"') {
        format!(
            "expected a line with only `0` after the last ballot, found {}",
            brief(text)
        )
    } else {
        return Ok(());
    };
    Err(At::new(line, message))
}

/// The quoted texts of a line, or the whole line where nothing is quoted.
fn quoted(line: &str) -> Vec<String> {
    if !line.starts_with('"') {
        return vec![line.to_owned()];
    }
    let mut texts = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('"') {
        let mut text = String::new();
        let mut characters = rest[start + 1..].char_indices().peekable();
        let mut end = rest.len();
        while let Some((position, character)) = characters.next() {
            match character {
                '\\' if characters.peek().is_some_and(|(_, next)| *next == '"') => {
                    characters.next();
                    text.push('"');
                }
                '"' => {
                    end = start + 1 + position + 1;
                    break;
                }
                other => text.push(other),
            }
        }
        texts.push(text);
        rest = &rest[end..];
    }
    texts
}
