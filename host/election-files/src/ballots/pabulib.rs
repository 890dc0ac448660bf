//! Participatory budgeting as pabulib keeps it (`.pb`): sections `META`, `PROJECTS` and `VOTES`, each a
//! table of cells between `;` with a head.
//!
//! ```text
//! META
//! key;value
//! vote_type;approval          approval, choose-1, ordinal, cumulative or scoring
//! PROJECTS
//! project_id;cost;name
//! 7;1200;A bench
//! VOTES
//! voter_id;vote;points        project ids between `,`; points by place for cumulative and scoring
//! 1;7;
//! ```

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use tabella_contest::{BallotKind, ContestOption};

use super::Facts;
use super::paper::{Paper, Rank};
use super::problem::{At, Cast, Unread, brief};
use super::rows::{Row, Rows};
use crate::options::{Meaning, OptionNames};

/// Whether a text starts as these files do.
pub(super) fn looks_like(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.next() == Some("META") && lines.next().is_some_and(|head| head.starts_with("key;"))
}

/// How the votes are to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VoteType {
    /// A set of projects.
    Set,
    /// Projects, best first.
    Order,
    /// Projects with points.
    Points,
}

/// Which cells of a vote say what.
struct Columns {
    voter: Option<usize>,
    vote: usize,
    points: Option<usize>,
    width: usize,
}

pub(super) fn read(text: &str, paper: &Paper<'_>, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    let mut rows = Rows::separated(text, ';');
    let mut file = File::default();
    let mut section = String::new();
    let mut head: Option<Vec<String>> = None;
    let mut columns: Option<Columns> = None;
    let mut voters = HashSet::new();
    let mut votes = 0;
    while let Some(row) = rows.next()? {
        if row.is_blank() {
            continue;
        }
        if let [name] = &row.cells[..]
            && ["META", "PROJECTS", "VOTES"].contains(&&**name)
        {
            section = name.to_string();
            head = None;
            continue;
        }
        let Some(head) = &head else {
            let named = row.cells.iter().map(|cell| cell.to_lowercase());
            let named: Vec<String> = named.collect();
            if section == "VOTES" {
                columns = Some(Columns::find(&named, row.line)?);
                file.know(row.line)?;
            }
            head = Some(named);
            continue;
        };
        match &*section {
            "META" => file.meta(&row)?,
            "PROJECTS" => file.project(&row, head, paper)?,
            "VOTES" => {
                if let Some(columns) = &columns {
                    let mut cast = file.vote(&row, columns, paper);
                    if let Some(voter) = &cast.id
                        && !voters.insert(voter.clone())
                    {
                        let message =
                            format!("the voter {voter} stands twice, and a ballot counts once");
                        cast.ballot = Err(Unread::File(message));
                    }
                    votes += 1;
                    sink(cast);
                }
            }
            _ => return Err(At::new(row.line, "expected the section META first")),
        }
    }
    file.hold(File::PROJECTS, file.projects.len() as u64)?;
    file.hold(File::VOTES, votes)?;
    match columns {
        Some(_) => Ok(()),
        None => Err(At::new(1, "expected a section VOTES, found none")),
    }
}

/// What the file says may be spent, and what its projects cost, where both are whole numbers.
pub(super) fn facts(
    text: &str,
    options: &[ContestOption],
    names: &OptionNames,
) -> Result<Facts, At> {
    let mut facts = Facts::default();
    let mut costs = Map::new();
    let mut rows = Rows::separated(text, ';');
    let mut section = String::new();
    let mut head: Option<Vec<String>> = None;
    while let Some(row) = rows.next()? {
        match &row.cells[..] {
            [name] if &**name == "VOTES" => break,
            [name] if ["META", "PROJECTS"].contains(&&**name) => {
                section = name.to_string();
                head = None;
            }
            cells if head.is_none() => {
                head = Some(cells.iter().map(|cell| cell.to_lowercase()).collect());
            }
            [key, value, ..] if section == "META" && key == "budget" => {
                facts.budget = value.parse().ok();
            }
            cells if section == "PROJECTS" => {
                let cell = |name: &str| {
                    let place = head.as_ref()?.iter().position(|cell| cell == name)?;
                    cells.get(place)
                };
                let option = project(cell("project_id"), cell("name"), names);
                let cost = cell("cost").and_then(|cost| cost.parse::<u64>().ok());
                if let (Some(option), Some(cost)) = (option, cost) {
                    costs.insert(options[option].id.clone(), cost.into());
                }
            }
            _ => {}
        }
    }
    facts.costs = (!costs.is_empty()).then_some(costs);
    Ok(facts)
}

/// The option that a project is, by its id or else its name.
fn project(
    id: Option<&Cow<'_, str>>,
    name: Option<&Cow<'_, str>>,
    names: &OptionNames,
) -> Option<usize> {
    let by_id = id.and_then(|id| names.exact(id));
    by_id.or_else(|| names.find(name?))
}

impl Columns {
    fn find(head: &[String], line: u64) -> Result<Self, At> {
        let place = |name: &str| head.iter().position(|cell| cell == name);
        match place("vote") {
            Some(vote) => Ok(Self {
                voter: place("voter_id"),
                vote,
                points: place("points"),
                width: head.len(),
            }),
            None => Err(At::new(line, "the head of VOTES has no column vote")),
        }
    }
}

/// What stands above the votes.
#[derive(Default)]
struct File {
    vote_type: Option<String>,
    /// How many projects a voter could name.
    most: Option<usize>,
    /// By line and key, how many votes and projects the file says it has.
    said: Vec<(u64, &'static str, u64)>,
    /// By project id; `None` where a project is no option of the election.
    projects: HashMap<String, Option<usize>>,
}

impl File {
    const VOTES: &'static str = "num_votes";
    const PROJECTS: &'static str = "num_projects";

    fn meta(&mut self, row: &Row<'_>) -> Result<(), At> {
        let [key, value, ..] = &row.cells[..] else {
            return Ok(());
        };
        if key == "vote_type" {
            self.vote_type = Some(value.to_lowercase());
        }
        if key == "max_length" {
            self.most = value.parse().ok();
        }
        if let Some(key) = [Self::VOTES, Self::PROJECTS]
            .into_iter()
            .find(|known| known == key)
        {
            let number = value.parse().map_err(|_| {
                let message = format!("expected a number in {key}, found {}", brief(value));
                At::new(row.line, message)
            })?;
            self.said.push((row.line, key, number));
        }
        Ok(())
    }

    /// Refuses a file that holds another number than it says: some of it may be missing.
    fn hold(&self, key: &str, found: u64) -> Result<(), At> {
        match self.said.iter().find(|(_, known, _)| *known == key) {
            Some((line, _, said)) if *said != found => {
                let message = format!("{key} says {said}, found {found}: the file is not whole");
                Err(At::new(*line, message))
            }
            _ => Ok(()),
        }
    }

    /// How votes are read; refuses what the format does not have.
    fn know(&self, line: u64) -> Result<VoteType, At> {
        match self.vote_type.as_deref() {
            Some("approval" | "choose-1") => Ok(VoteType::Set),
            Some("ordinal") => Ok(VoteType::Order),
            Some("cumulative" | "scoring") => Ok(VoteType::Points),
            other => {
                let found = other.map_or("none".to_owned(), brief);
                let message = format!(
                    "expected vote_type approval, choose-1, ordinal, cumulative or scoring in META \
                     above the votes, found {found}"
                );
                Err(At::new(line, message))
            }
        }
    }

    fn project(&mut self, row: &Row<'_>, head: &[String], paper: &Paper<'_>) -> Result<(), At> {
        let cell = |name: &str| {
            let place = head.iter().position(|cell| cell == name)?;
            row.cells.get(place)
        };
        let Some(id) = cell("project_id").filter(|id| !id.is_empty()) else {
            return Err(At::new(row.line, "expected a project_id"));
        };
        let by_id = paper.names.exact(id);
        let by_name = cell("name").map_or(Meaning::Nothing, |name| paper.names.meaning(name));
        let option = match (by_id, by_name) {
            (Some(option), Meaning::Option(other)) if option != other => {
                let message = format!(
                    "the project {id} is the option {:?} by its id and {:?} by its name; give the \
                     options the ids of the file",
                    paper.id(option),
                    paper.id(other)
                );
                return Err(At::new(row.line, message));
            }
            (Some(option), _) | (None, Meaning::Option(option)) => Some(option),
            (None, Meaning::Several(options)) => {
                let name = cell("name").map_or("", |name| name);
                return Err(At::new(row.line, paper.several(name, &options)));
            }
            (None, Meaning::Nothing) => None,
        };
        let is_taken = option.is_some() && self.projects.values().any(|known| *known == option);
        if self.projects.insert(id.to_string(), option).is_some() || is_taken {
            let message = format!("the project {id} is one that stands above already");
            return Err(At::new(row.line, message));
        }
        Ok(())
    }

    fn vote(&self, row: &Row<'_>, columns: &Columns, paper: &Paper<'_>) -> Cast {
        let voter = columns.voter.and_then(|cell| row.cells.get(cell));
        let mut cast = match self.marks(row, columns, paper) {
            Ok(Marks::Ranks(ranks)) => paper.cast(row.line, 1, Ok(ranks)),
            Ok(Marks::Points(points)) => Cast::new(row.line, 1, paper.ballot_of_values(points)),
            Err(reason) => Cast::new(row.line, 1, Err(reason)),
        };
        cast.id = voter.filter(|id| !id.is_empty()).map(|id| id.to_string());
        cast
    }

    fn marks(&self, row: &Row<'_>, columns: &Columns, paper: &Paper<'_>) -> Result<Marks, Unread> {
        let found = row.cells.len();
        if found != columns.width {
            let expected = columns.width;
            return Err(format!("expected {expected} cells, found {found}").into());
        }
        let ids = row.cells[columns.vote].split(',').map(str::trim);
        let ids = ids.filter(|id| !id.is_empty());
        let options: Vec<usize> = ids.map(|id| self.option(id)).collect::<Result<_, _>>()?;
        let most = match self.vote_type.as_deref() {
            Some("choose-1") => Some(1),
            _ => self.most,
        };
        if let Some(most) = most.filter(|most| options.len() > *most) {
            let found = options.len();
            return Err(
                format!("by the file's META at most {most} projects, found {found}").into(),
            );
        }
        let takes_values = matches!(paper.kind, BallotKind::Scores | BallotKind::Votes);
        match self.know(row.line).map_err(|at| Unread::File(at.message))? {
            VoteType::Set if paper.kind == BallotKind::Ranking => Err(Unread::File(
                "votes of this vote_type say nothing of an order, and the rule takes rankings"
                    .into(),
            )),
            VoteType::Set if options.is_empty() => Ok(Marks::Ranks(Vec::new())),
            VoteType::Set => Ok(Marks::Ranks(vec![Rank::Options(options)])),
            VoteType::Order => {
                let ranks = options
                    .into_iter()
                    .map(|option| Rank::Options(vec![option]));
                Ok(Marks::Ranks(ranks.collect()))
            }
            VoteType::Points if takes_values => {
                let points = columns.points.map_or("", |cell| &*row.cells[cell]);
                points_of(&options, points, paper).map(Marks::Points)
            }
            VoteType::Points => Err(Unread::File(
                "votes of this vote_type are points, which a rule of scores or votes takes".into(),
            )),
        }
    }

    fn option(&self, id: &str) -> Result<usize, Unread> {
        match self.projects.get(id) {
            Some(Some(option)) => Ok(*option),
            Some(None) => Err(format!("the project {id} is not an option of this contest").into()),
            None => Err(format!("the file has no project {}", brief(id)).into()),
        }
    }
}

/// What one voter said.
enum Marks {
    Ranks(Vec<Rank>),
    Points(Map<String, Value>),
}

fn points_of(
    options: &[usize],
    points: &str,
    paper: &Paper<'_>,
) -> Result<Map<String, Value>, Unread> {
    let given: Vec<&str> = points.split(',').map(str::trim).collect();
    let given = if points.trim().is_empty() {
        Vec::new()
    } else {
        given
    };
    if given.len() != options.len() {
        let (expected, found) = (options.len(), given.len());
        return Err(format!("expected points for {expected} projects, found {found}").into());
    }
    let mut values = Map::new();
    for (option, points) in options.iter().zip(given) {
        let Ok(number) = points.parse::<u64>() else {
            return Err(format!("expected whole points, found {}", brief(points)).into());
        };
        if values
            .insert(paper.id(*option).into(), number.into())
            .is_some()
        {
            return Err(format!("{} is named twice", paper.id(*option)).into());
        }
    }
    Ok(values)
}
