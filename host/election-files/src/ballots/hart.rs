//! Hart's Cast Vote Records: an XML file for each ballot, in a folder or a zip archive.
//!
//! ```text
//! <Cvr> <CvrGuid>…</CvrGuid>
//!   <Contests> <Contest> <Name>Mayor</Name> <Id>…</Id>
//!     <Options> <Option> <Name>Ann</Name> <Id>…</Id> <Value>010</Value> </Option> </Options>
//! ```
//!
//! `Value` has a digit for each rank, from the best: `010` is a mark at rank 2. Where nothing is ranked it is
//! `1`.

use std::collections::HashSet;

use super::archive::Part;
use super::cvr_selections::Target;
use super::marks::Marks;
use super::paper::Paper;
use super::problem::{At, Cast, Unread};
use super::xml::{self, Element};
use crate::election::ContestName;
use crate::options::{Meaning, fold};

/// Whether a file of that name is a ballot.
pub(super) fn is_ballot(name: &str) -> bool {
    name.to_lowercase().ends_with(".xml")
}

pub(super) fn read(
    parts: &[Part],
    paper: &Paper<'_>,
    sink: &mut dyn FnMut(Cast),
) -> Result<(), At> {
    paper.takes_marks_of_machines()?;
    let mut seen = HashSet::new();
    let mut ids = HashSet::new();
    let mut holds_contest = false;
    for part in parts.iter().filter(|part| is_ballot(&part.name)) {
        let cast = ballot(part, paper, &mut ids).map_err(|at| at.of(&part.name))?;
        let Some(mut cast) = cast else { continue };
        holds_contest = true;
        if let Some(id) = &cast.id
            && !seen.insert(id.clone())
        {
            let message = format!("the ballot {id} stands twice, and a ballot counts once");
            cast.ballot = Err(Unread::File(message));
        }
        cast.part = Some(part.name.as_str().into());
        sink(cast);
    }
    if holds_contest {
        return Ok(());
    }
    let name = paper.contest.text().unwrap_or_default();
    Err(At::new(1, format!("no ballot holds the contest {name:?}")))
}

/// The ballot of a file; `None` where its voter was not asked. `ids` are those of the contest so far.
fn ballot(part: &Part, paper: &Paper<'_>, ids: &mut HashSet<String>) -> Result<Option<Cast>, At> {
    let text = std::str::from_utf8(&part.bytes);
    let text = text.map_err(|_| At::new(1, "expected UTF-8, found other bytes"))?;
    let mut id = None;
    let mut contests = Vec::new();
    let root = xml::read(text.trim_start_matches('\u{feff}'), &mut |element| {
        match &*element.name {
            "CvrGuid" => id = Some(element.text.trim().to_owned()),
            "Contests" => contests.extend(element.children),
            _ => {}
        }
        Ok(())
    })?;
    if root != "Cvr" {
        return Err(At::new(
            1,
            format!("expected Cvr as the first element, found {root}"),
        ));
    }
    let Some(contest) = choose(&contests, paper)? else {
        return Ok(None);
    };
    if let Some(id) = contest.child("Id") {
        ids.insert(id.to_owned());
        if ids.len() > 1 {
            let message = "contests with several ids have the name that is counted; choose one by its \
                           id with --contest";
            return Err(At::new(contest.line, message));
        }
    }
    let mut cast = match marks(contest, paper) {
        Ok(marks) => marks.cast(contest.line, paper),
        Err(reason) => Cast::new(contest.line, 1, Err(reason)),
    };
    cast.id = id.filter(|id| !id.is_empty());
    cast.is_id_unique = true;
    Ok(Some(cast))
}

fn choose<'a>(contests: &'a [Element], paper: &Paper<'_>) -> Result<Option<&'a Element>, At> {
    let wanted = paper.contest.text();
    let is_named = |contest: &&Element| {
        let is_id = wanted.is_some() && contest.child("Id") == wanted;
        let name = contest.child("Name").unwrap_or_default();
        is_id || wanted.is_some_and(|wanted| fold(wanted) == fold(name))
    };
    let mut named = contests.iter().filter(is_named);
    match (named.next(), named.next(), contests) {
        (Some(one), None, _) => Ok(Some(one)),
        (Some(one), Some(_), _) => Err(At::new(
            one.line,
            "two contests of the ballot are called so; choose one by its id with --contest",
        )),
        (None, _, [only]) if !matches!(paper.contest, ContestName::Asked(_)) => Ok(Some(only)),
        (None, _, [first, ..]) if !matches!(paper.contest, ContestName::Asked(_)) => Err(At::new(
            first.line,
            "the ballot has several contests; choose one with --contest",
        )),
        _ => Ok(None),
    }
}

fn marks(contest: &Element, paper: &Paper<'_>) -> Result<Marks, Unread> {
    let mut marks = Marks::default();
    let options = contest.children.iter().filter(|c| c.name == "Options");
    for option in options.flat_map(|options| &options.children) {
        let Some(value) = option.child("Value").filter(|value| !value.is_empty()) else {
            let name = option.child("Name").unwrap_or_default();
            return Err(format!(
                "the option {name:?} has no Value, which says whether it is marked"
            )
            .into());
        };
        if !value.bytes().all(|digit| digit == b'0' || digit == b'1') {
            return Err(format!("expected a Value of 0 and 1, found {value:?}").into());
        }
        let ranks = (1u64..)
            .zip(value.bytes())
            .filter(|(_, digit)| *digit == b'1');
        let ranks: Vec<u64> = ranks.map(|(rank, _)| rank).collect();
        if ranks.is_empty() {
            continue;
        }
        let (id, name) = (option.child("Id"), option.child("Name"));
        let is_write_in = option
            .children
            .iter()
            .any(|child| child.name == "WriteInData");
        let target = target(id, name, is_write_in, paper)?;
        for rank in ranks {
            let shown = name.or(id).unwrap_or_default();
            marks.add(target, Some(rank), 1, shown, paper)?;
        }
    }
    Ok(marks)
}

fn target(
    id: Option<&str>,
    name: Option<&str>,
    is_write_in: bool,
    paper: &Paper<'_>,
) -> Result<Target, Unread> {
    if let Some(option) = id.and_then(|id| paper.names.exact(id)) {
        if let Some(Meaning::Option(other)) = name.map(|name| paper.names.meaning(name))
            && option != other
        {
            return Err(Unread::File(format!(
                "an option of the file is {:?} by its id and {:?} by its name; give the options the ids of the \
                 file, or names alone",
                paper.id(option),
                paper.id(other)
            )));
        }
        return Ok(Target::Option(option));
    }
    let name = name.or(id).unwrap_or_default();
    let is_nobody = paper.names.meaning(name) == Meaning::Nothing;
    if is_nobody && (is_write_in || paper.names.is_write_in(name)) {
        return Ok(paper.names.write_in().map_or(Target::Other, Target::Option));
    }
    paper.option(name).map(Target::Option)
}
