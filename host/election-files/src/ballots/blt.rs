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

use tabella_runtime::ContestOption;

use super::Facts;
use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use crate::options::{Meaning, OptionNames};

/// A file, read but not yet matched with the options of an election.
pub(super) struct Blt {
    candidates: usize,
    seats: u64,
    /// Numbers from 0.
    withdrawn: Vec<usize>,
    ballots: Vec<Ballot>,
    /// As many as candidates, or none.
    names: Vec<(u64, String)>,
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
    let first = content(text).next();
    let numbers = first.map(|(_, line)| line.split_whitespace().map(str::parse::<u64>));
    numbers.is_some_and(|mut numbers| {
        matches!(
            (numbers.next(), numbers.next(), numbers.next()),
            (Some(Ok(_)), Some(Ok(_)), None)
        )
    })
}

/// Lines that say something, without their comments.
fn content(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, without_comment(line).trim()))
        .filter(|(_, line)| !line.is_empty())
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

impl Blt {
    pub(super) fn parse(text: &str) -> Result<Self, At> {
        let mut lines = content(text);
        let (line, head) = lines.next().ok_or_else(|| {
            At::new(
                1,
                "expected the numbers of candidates and seats, found nothing",
            )
        })?;
        let numbers: Option<Vec<u64>> = head
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect();
        let (candidates, seats) = match numbers.as_deref() {
            Some([candidates, seats]) if (1..=Self::CANDIDATES_MAX).contains(candidates) => {
                (*candidates as usize, *seats)
            }
            _ => {
                let message = format!(
                    "expected the numbers of candidates and seats, such as `4 2`, found {}",
                    brief(head)
                );
                return Err(At::new(line, message));
            }
        };
        let mut blt = Self {
            candidates,
            seats,
            withdrawn: Vec::new(),
            ballots: Vec::new(),
            names: Vec::new(),
        };
        blt.body(&mut lines)?;
        blt.names(lines)?;
        Ok(blt)
    }

    const CANDIDATES_MAX: u64 = 100_000;

    /// Withdrawals and ballots, up to the line that ends them.
    fn body<'a>(&mut self, lines: &mut impl Iterator<Item = (u64, &'a str)>) -> Result<(), At> {
        let mut last = 1;
        for (line, text) in lines.by_ref() {
            last = line;
            if text == "0" {
                return Ok(());
            }
            if text.starts_with('[') {
                let message = format!("expected ballots, found the directive {}", brief(text));
                return Err(At::new(line, message));
            }
            if self.ballots.is_empty() && text.starts_with('-') {
                self.withdraw(line, text)?;
            } else if text.starts_with('"') {
                let message = format!(
                    "expected a line with only `0` after the last ballot, found {}",
                    brief(text)
                );
                return Err(At::new(line, message));
            } else {
                self.ballots.push(self.ballot(line, text));
            }
        }
        let message = "the file ends before the line with only `0` that ends the ballots";
        Err(At::new(last, message))
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

    fn ranks<'a>(&self, words: impl Iterator<Item = &'a str>) -> Result<Vec<Vec<usize>>, String> {
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
    fn names<'a>(&mut self, lines: impl Iterator<Item = (u64, &'a str)>) -> Result<(), At> {
        let mut last = 0;
        for (line, text) in lines {
            last = line;
            // Candidates, then the title; what follows says nothing of ballots, such as a source. Only
            // ballots must not stand there.
            if self.names.len() > self.candidates && !text.starts_with('"') {
                if self.ballot(line, text).ranks.is_ok() {
                    let message = format!(
                        "expected the end of the file after its title, found {}",
                        brief(text)
                    );
                    return Err(At::new(line, message));
                }
                continue;
            }
            for name in quoted(text) {
                self.names.push((line, name));
            }
        }
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
            if self.candidates == options.len() {
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
            // A candidate who withdrew and is no option was marked all the same.
            false => match rank
                .iter()
                .filter_map(|number| positions[*number])
                .collect()
            {
                options if Vec::is_empty(&options) => Rank::Other,
                options => Rank::Options(options),
            },
        };
        for ballot in &self.ballots {
            let ranks = ballot
                .ranks
                .as_ref()
                .map_err(|e| Unread::Spoiled(e.clone()));
            let ranks = ranks.map(|ranks| ranks.iter().map(rank).collect());
            let mut cast = paper.cast(ballot.line, ballot.weight, ranks);
            cast.id.clone_from(&ballot.id);
            sink(cast);
        }
        Ok(())
    }
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
