//! Aggregated ballots (ABIF): a number of ballots, `:`, and what they say.
//!
//! ```text
//! # a remark
//! {"title": "Capital"}                         about the election; not read
//! =Memph:[Memphis, TN]                         what a short name stands for
//! 42: Memph > Nash = Chat > Knox
//! 10: Memph/5, Nash/2, Chat/0
//! 3: Memph/5 > Nash/2
//! ```

use std::collections::HashMap;

use serde_json::Map;
use tabella_contest::BallotKind;

use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use crate::options::Meaning;

/// One option on a line.
struct Entry {
    option: usize,
    score: Option<u64>,
}

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    let mut short: HashMap<&str, usize> = HashMap::new();
    // Short names may be given below the ballots too.
    for (line, content) in (1..).zip(text.lines()) {
        let Some(definition) = without_remark(content).strip_prefix('=') else {
            continue;
        };
        let Some((name, stands_for)) = definition.split_once(':') else {
            let message = format!("expected `=short:[name]`, found {}", brief(content));
            return Err(At::new(line, message));
        };
        let (name, stands_for) = (name.trim(), unbracketed(stands_for.trim()));
        let meaning = match (paper.names.exact(name), paper.names.meaning(stands_for)) {
            (Some(option), Meaning::Option(other)) if option != other => {
                let message = format!(
                    "{} is the option {:?} by its short name and {:?} by its name; give the options the short \
                     names of the file as ids",
                    brief(content),
                    paper.id(option),
                    paper.id(other)
                );
                return Err(At::new(line, message));
            }
            (Some(option), _) => Meaning::Option(option),
            (None, meaning) => meaning,
        };
        let option = match meaning {
            Meaning::Option(option) => option,
            Meaning::Several(options) => {
                return Err(At::new(line, paper.several(stands_for, &options)));
            }
            Meaning::Nothing => {
                let message = format!("{stands_for:?} is neither id nor title of an option");
                return Err(At::new(line, message));
            }
        };
        if short.values().any(|known| *known == option) || short.insert(name, option).is_some() {
            let message = format!("an option has a short name twice: {}", brief(name));
            return Err(At::new(line, message));
        }
    }
    for (line, content) in (1..).zip(text.lines()) {
        let content = without_remark(content);
        if content.is_empty() || content.starts_with(['=', '{']) {
            continue;
        }
        sink(ballots(content, line, &short, paper));
    }
    Ok(())
}

/// What stands before `#`, where that is not within brackets.
fn without_remark(line: &str) -> &str {
    let mut within = false;
    let end = line.find(|character: char| {
        match character {
            '[' => within = true,
            ']' => within = false,
            _ => {}
        }
        character == '#' && !within
    });
    line[..end.unwrap_or(line.len())].trim()
}

fn unbracketed(text: &str) -> &str {
    let within = |start: char, end: char| text.strip_prefix(start)?.strip_suffix(end);
    let inner = within('[', ']').or_else(|| within('"', '"'));
    inner.unwrap_or(text)
}

fn ballots(content: &str, line: u64, short: &HashMap<&str, usize>, paper: &Paper<'_>) -> Cast {
    let (weight, said) = content.split_once(':').unwrap_or(("", content));
    let Ok(weight) = weight.trim().parse::<u64>() else {
        let reason = format!(
            "expected a number of ballots and `:`, found {}",
            brief(content)
        );
        return Cast::new(line, 1, Err(reason.into()));
    };
    match said_of(said, short, paper) {
        Err(reason) => Cast::new(line, weight, Err(reason)),
        Ok(ranks) if paper.kind == BallotKind::Scores => Cast::new(
            line,
            weight,
            scores(&ranks, paper).and_then(|s| paper.ballot_of_values(s)),
        ),
        Ok(ranks) => paper.cast(line, weight, ordered(ranks, paper)),
    }
}

/// What stands between names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Better,
    Equal,
    /// Nothing about the order.
    Beside,
}

/// Options with the sign that stands before each.
fn said_of(
    said: &str,
    short: &HashMap<&str, usize>,
    paper: &Paper<'_>,
) -> Result<Vec<(Sign, Entry)>, Unread> {
    let mut found = Vec::new();
    let mut sign = Sign::Better;
    let mut rest = said.trim();
    while !rest.is_empty() {
        let end = match rest.chars().next() {
            Some('[') => rest.find(']').map(|end| end + 1),
            Some('"') => rest[1..].find('"').map(|end| end + 2),
            _ => Some(rest.find(['>', '=', ',', '/']).unwrap_or(rest.len())),
        };
        let Some(end) = end else {
            return Err("expected `]` or a quotation mark at the end of a name".into());
        };
        let name = unbracketed(rest[..end].trim());
        let option = match short.get(name) {
            Some(option) => *option,
            None => paper.option(name)?,
        };
        rest = rest[end..].trim_start();
        let mut score = None;
        if let Some(after) = rest.strip_prefix('/') {
            let end = after.find(['>', '=', ',']).unwrap_or(after.len());
            let text = after[..end].trim();
            let parsed = text
                .parse()
                .map_err(|_| format!("expected a score, found {}", brief(text)));
            score = Some(parsed?);
            rest = after[end..].trim_start();
        }
        found.push((sign, Entry { option, score }));
        let Some(next) = rest.chars().next() else {
            break;
        };
        sign = match next {
            '>' => Sign::Better,
            '=' => Sign::Equal,
            ',' => Sign::Beside,
            _ => return Err(format!("expected `>`, `=` or `,`, found {}", brief(rest)).into()),
        };
        rest = rest[1..].trim_start();
        if rest.is_empty() {
            return Err("expected a name after the last sign".into());
        }
    }
    Ok(found)
}

fn scores(
    said: &[(Sign, Entry)],
    paper: &Paper<'_>,
) -> Result<Map<String, serde_json::Value>, Unread> {
    let mut values = Map::new();
    for (_, Entry { option, score }) in said {
        let id = paper.id(*option);
        let Some(score) = score else {
            return Err(format!("expected a score for {id}, such as {id}/3").into());
        };
        if values.insert(id.into(), (*score).into()).is_some() {
            return Err(format!("{id} is named twice").into());
        }
    }
    Ok(values)
}

/// The ranks: by `>` and `=` where the line has them, by scores where it has those alone. A line that has
/// both must not contradict itself.
fn ordered(said: Vec<(Sign, Entry)>, paper: &Paper<'_>) -> Result<Vec<Rank>, Unread> {
    let signs = || said.iter().skip(1).map(|(sign, _)| *sign);
    let has_order = signs().any(|sign| sign != Sign::Beside);
    let is_beside = signs().any(|sign| sign == Sign::Beside);
    let all_scored = said.iter().all(|(_, entry)| entry.score.is_some());
    let is_scored = said.iter().any(|(_, entry)| entry.score.is_some());
    if is_scored && matches!(paper.kind, BallotKind::Approval | BallotKind::Choice) {
        let kind = paper.kind.name();
        return Err(Unread::File(format!(
            "scores do not say whom a voter marked, and the rule takes ballots of {kind}"
        )));
    }
    if has_order && is_beside {
        return Err("`,` says nothing of an order, and stands beside `>` or `=`".into());
    }
    let takes_order = paper.kind == BallotKind::Ranking;
    if is_beside && !all_scored && takes_order {
        return Err("`,` says nothing of an order, and the rule takes rankings".into());
    }
    let mut ranks: Vec<Vec<Entry>> = Vec::new();
    let mut entries: Vec<(Sign, Entry)> = said;
    if is_beside && all_scored && takes_order {
        entries.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.score));
        let mut above = None;
        for (sign, entry) in &mut entries {
            *sign = if above == Some(entry.score) {
                Sign::Equal
            } else {
                Sign::Better
            };
            above = Some(entry.score);
        }
    }
    for (sign, entry) in entries {
        match (sign, ranks.last_mut()) {
            (Sign::Better, _) | (_, None) => ranks.push(vec![entry]),
            (_, Some(rank)) => rank.push(entry),
        }
    }
    if has_order && all_scored && contradicts(&ranks) {
        return Err("the scores contradict the order".into());
    }
    let options = |rank: Vec<Entry>| Rank::Options(rank.iter().map(|entry| entry.option).collect());
    Ok(ranks.into_iter().map(options).collect())
}

fn contradicts(ranks: &[Vec<Entry>]) -> bool {
    let unequal = |rank: &Vec<Entry>| rank.iter().any(|entry| entry.score != rank[0].score);
    let rises = |pair: &[Vec<Entry>]| pair[1][0].score >= pair[0][0].score;
    ranks.iter().any(unequal) || ranks.windows(2).any(rises)
}
