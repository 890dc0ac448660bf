//! Orders of preference as PrefLib keeps them: lines `# KEY: value`, then lines such as `3: 1,{2,4},5`.
//!
//! ```text
//! # FILE NAME: 00001-00000001.toi
//! # NUMBER ALTERNATIVES: 3
//! # ALTERNATIVE NAME 1: Ann
//! # ALTERNATIVE NAME 2: Bea
//! # ALTERNATIVE NAME 3: Cyd
//! 12: 1,{2,3}
//! 4: 2
//! ```

use std::collections::BTreeMap;

use tabella_contest::BallotKind;

use super::categories::Categories;
use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use crate::options::Meaning;

const NAME: &str = "ALTERNATIVE NAME ";
const CATEGORY: &str = "CATEGORY NAME ";

/// Kinds of files in which every alternative stands in every order.
const COMPLETE: [&str; 2] = ["soc", "toc"];

/// Kinds of files in which no alternatives share a rank.
const STRICT: [&str; 2] = ["soc", "soi"];

/// Kinds of files of orders.
const ORDERS: [&str; 4] = ["soc", "soi", "toc", "toi"];

/// The kind of files of categories.
const CATEGORIES: &str = "cat";

/// Numbers that the lines above the orders say, and that the file must hold.
#[derive(Default)]
struct Said {
    /// By line and key.
    numbers: Vec<(u64, &'static str, u64)>,
}

impl Said {
    const ALTERNATIVES: &'static str = "NUMBER ALTERNATIVES";
    const CATEGORIES: &'static str = "NUMBER CATEGORIES";
    const VOTERS: &'static str = "NUMBER VOTERS";
    const ORDERS: &'static str = "NUMBER UNIQUE ORDERS";

    fn note(&mut self, line: u64, about: &str) -> Result<(), At> {
        let Some((key, number)) = about.split_once(':') else {
            return Ok(());
        };
        let known = [
            Self::ALTERNATIVES,
            Self::CATEGORIES,
            Self::VOTERS,
            Self::ORDERS,
        ];
        let Some(key) = known.into_iter().find(|known| *known == key.trim()) else {
            return Ok(());
        };
        let number = number.trim().parse().map_err(|_| {
            At::new(
                line,
                format!("expected a number in {key}, found {}", brief(number)),
            )
        })?;
        self.numbers.push((line, key, number));
        Ok(())
    }

    /// Refuses a file that holds another number than it says: some of it may be missing.
    fn hold(&self, key: &str, found: u64) -> Result<(), At> {
        match self.numbers.iter().find(|(_, known, _)| *known == key) {
            Some((line, _, said)) if *said != found => {
                let message = format!("{key} says {said}, found {found}: the file is not whole");
                Err(At::new(*line, message))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a text starts as these files do.
pub(super) fn looks_like(text: &str) -> bool {
    let mut lines = text
        .lines()
        .map(str::trim_start)
        .take_while(|line| line.starts_with('#'));
    lines.any(|line| {
        let line = line[1..].trim_start();
        line.starts_with("FILE NAME:") || line.starts_with(NAME)
    })
}

/// What stands above the orders.
#[derive(Default)]
struct Head {
    said: Said,
    /// By an alternative's number, the option.
    options: BTreeMap<u64, usize>,
    categories: Categories,
    kind: Kind,
}

/// What a file is by its word: by its name, and by what stands above its orders. No word loosens another.
#[derive(Default)]
struct Kind {
    /// Every alternative stands in every order.
    is_complete: bool,
    /// No alternatives share a rank.
    is_strict: bool,
    is_of_orders: bool,
    is_of_categories: bool,
}

impl Kind {
    /// Takes a kind, or a file's name that ends in one.
    fn note(&mut self, word: &str) {
        let kind = word.trim().rsplit('.').next().unwrap_or_default();
        let kind = kind.to_lowercase();
        self.is_complete |= COMPLETE.contains(&&*kind);
        self.is_strict |= STRICT.contains(&&*kind);
        self.is_of_orders |= ORDERS.contains(&&*kind);
        self.is_of_categories |= kind == CATEGORIES;
    }
}

/// Reads the text of a file of that name.
pub(super) fn read(
    name: &str,
    text: &str,
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    let mut head = Head::default();
    head.kind.note(name);
    let (mut voters, mut orders) = (0u64, 0u64);
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if let Some(about) = content.strip_prefix('#') {
            head.line(about.trim(), line, orders > 0, paper)?;
        } else if !content.is_empty() {
            if head.options.is_empty() {
                let message = "expected lines `# ALTERNATIVE NAME 1: …` above the orders";
                return Err(At::new(line, message));
            }
            head.has_categories_by_its_kind(line)?;
            if head.kind.is_complete && paper.kind == BallotKind::Approval {
                let message = "every alternative stands in every order of this file, which says \
                               nothing of whom a voter approves";
                return Err(At::new(line, message));
            }
            let cast = order(content, line, &head, paper);
            orders += 1;
            voters = voters.saturating_add(cast.weight);
            sink(cast);
        }
    }
    let said = &head.said;
    said.hold(Said::ALTERNATIVES, head.options.len() as u64)?;
    said.hold(Said::CATEGORIES, head.categories.len())?;
    said.hold(Said::VOTERS, voters)?;
    said.hold(Said::ORDERS, orders)
}

impl Head {
    /// Takes a line that starts with `#`.
    fn line(&mut self, about: &str, line: u64, below: bool, paper: &Paper<'_>) -> Result<(), At> {
        self.said.note(line, about)?;
        if let Some(file) = about.strip_prefix("FILE NAME:") {
            self.kind.note(file);
        }
        if let Some(kind) = about.strip_prefix("DATA TYPE:") {
            self.kind.note(kind);
        }
        if let Some(named) = about.strip_prefix(CATEGORY) {
            return self.categories.name(named, line);
        }
        let Some(named) = about.strip_prefix(NAME) else {
            return Ok(());
        };
        if below {
            let message = "expected names of alternatives above the orders";
            return Err(At::new(line, message));
        }
        let (number, option) = alternative(named, line, paper)?;
        let options = &mut self.options;
        if options.values().any(|known| *known == option) || options.contains_key(&number) {
            let message = format!("an alternative is named twice: {}", brief(named));
            return Err(At::new(line, message));
        }
        options.insert(number, option);
        Ok(())
    }
}

impl Head {
    /// Refuses a file of orders that has categories, and one of categories that has none.
    fn has_categories_by_its_kind(&self, line: u64) -> Result<(), At> {
        let message = match self.categories.are_none() {
            true if self.kind.is_of_categories => {
                "expected lines `# CATEGORY NAME 1: …` above the lines of ballots, as by its kind the file is of \
                 categories"
            }
            false if self.kind.is_of_orders => {
                "by its kind the file is of orders, not categories, and lines `# CATEGORY NAME 1: …` stand above them"
            }
            _ => return Ok(()),
        };
        Err(At::new(line, message))
    }

    /// Refuses the file where an order is not of the file's kind.
    fn fits(&self, ranks: &[Rank]) -> Result<(), Unread> {
        let options = |rank: &Rank| match rank {
            Rank::Options(options) => options.clone(),
            _ => Vec::new(),
        };
        if self.kind.is_strict && ranks.iter().any(|rank| options(rank).len() > 1) {
            let message = "alternatives share a rank, and by its kind the file has strict orders";
            return Err(Unread::File(message.into()));
        }
        let mut ranked: Vec<usize> = ranks.iter().flat_map(options).collect();
        ranked.sort_unstable();
        ranked.dedup();
        let (found, all) = (ranked.len(), self.options.len());
        if self.kind.is_complete && found < all {
            return Err(Unread::File(format!(
                "{found} of {all} alternatives stand in this order, and by its kind the file has \
                 complete ones"
            )));
        }
        Ok(())
    }
}

fn alternative(named: &str, line: u64, paper: &Paper<'_>) -> Result<(u64, usize), At> {
    let parts = named.split_once(':').and_then(|(number, name)| {
        let number = number.trim().parse::<u64>().ok()?;
        Some((number, name.trim()))
    });
    let Some((number, name)) = parts else {
        let message = format!(
            "expected `1: name` of an alternative, found {}",
            brief(named)
        );
        return Err(At::new(line, message));
    };
    match paper.names.meaning(name) {
        Meaning::Option(option) => Ok((number, option)),
        Meaning::Several(options) => Err(At::new(line, paper.several(name, &options))),
        Meaning::Nothing => {
            let message = format!("the alternative {name:?} is neither id nor title of an option");
            Err(At::new(line, message))
        }
    }
}

fn order(content: &str, line: u64, head: &Head, paper: &Paper<'_>) -> Cast {
    let Some((weight, order)) = content.split_once(':') else {
        let reason = format!(
            "expected a number of ballots and `:`, found {}",
            brief(content)
        );
        return Cast::new(line, 1, Err(reason.into()));
    };
    match weight.trim().parse::<u64>() {
        Ok(weight) if head.categories.are_none() => {
            let ranks = ranks(order, &head.options);
            let ranks = ranks.and_then(|ranks| head.fits(&ranks).map(|()| ranks));
            paper.cast(line, weight, ranks)
        }
        Ok(weight) => {
            let sorted = ranks(order, &head.options);
            let ballot = sorted.and_then(|sorted| head.categories.ballot(&sorted, paper));
            Cast::new(line, weight, ballot)
        }
        Err(_) => {
            let reason = format!("expected a number of ballots, found {}", brief(weight));
            Cast::new(line, 1, Err(reason.into()))
        }
    }
}

fn ranks(order: &str, options: &BTreeMap<u64, usize>) -> Result<Vec<Rank>, Unread> {
    let option = |number: &str| {
        let known = number
            .trim()
            .parse()
            .ok()
            .and_then(|number: u64| options.get(&number));
        known.copied().ok_or_else(|| {
            Unread::Spoiled(format!(
                "expected the number of an alternative, found {}",
                brief(number.trim())
            ))
        })
    };
    let mut ranks = Vec::new();
    let mut rest = order.trim();
    while !rest.is_empty() {
        let (rank, after) = match rest.strip_prefix('{') {
            Some(shared) => {
                let Some((shared, after)) = shared.split_once('}') else {
                    return Err("expected `}` at the end of a shared rank".into());
                };
                let numbers = shared.split(',').filter(|number| !number.trim().is_empty());
                (numbers.map(option).collect::<Result<Vec<_>, _>>()?, after)
            }
            None => {
                let (one, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (vec![option(one)?], after)
            }
        };
        ranks.push(match rank.is_empty() {
            true => Rank::Skipped,
            false => Rank::Options(rank),
        });
        rest = after.trim_start();
        if !rest.is_empty() {
            let Some(next) = rest.strip_prefix(',') else {
                return Err(format!("expected `,` between ranks, found {}", brief(rest)).into());
            };
            rest = next.trim_start();
        }
    }
    Ok(ranks)
}
