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

use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use crate::options::Meaning;

const NAME: &str = "ALTERNATIVE NAME ";

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

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    // By an alternative's number, the option.
    let mut options: BTreeMap<u64, usize> = BTreeMap::new();
    let mut has_ballots = false;
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if let Some(about) = content.strip_prefix('#') {
            if about.trim().starts_with("NUMBER CATEGORIES") {
                let message = "expected orders of preference, found categories, which are not read";
                return Err(At::new(line, message));
            }
            let Some(named) = about.trim().strip_prefix(NAME) else {
                continue;
            };
            if has_ballots {
                return Err(At::new(
                    line,
                    "expected names of alternatives above the orders",
                ));
            }
            let (number, option) = alternative(named, line, paper)?;
            if options.values().any(|known| *known == option) || options.contains_key(&number) {
                let message = format!("an alternative is named twice: {}", brief(named));
                return Err(At::new(line, message));
            }
            options.insert(number, option);
        } else if !content.is_empty() {
            if options.is_empty() {
                let message = "expected lines `# ALTERNATIVE NAME 1: …` above the orders";
                return Err(At::new(line, message));
            }
            has_ballots = true;
            sink(order(content, line, &options, paper));
        }
    }
    Ok(())
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

fn order(content: &str, line: u64, options: &BTreeMap<u64, usize>, paper: &Paper<'_>) -> Cast {
    let Some((weight, order)) = content.split_once(':') else {
        let reason = format!(
            "expected a number of ballots and `:`, found {}",
            brief(content)
        );
        return Cast::new(line, 1, Err(reason.into()));
    };
    match weight.trim().parse::<u64>() {
        Ok(weight) => paper.cast(line, weight, ranks(order, options)),
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
