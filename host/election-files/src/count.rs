//! One count: an election, its ballots, a rule, an answer.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tabella_contest::{Manifest, OutcomeError, ParamKind, TieBreak};
use tabella_runtime::{ConfigError, HostFault, Plugin, Tally, TallyError};
use thiserror::Error;

use crate::ballots::{BallotFile, Facts, ImportError, Paper, Problem};
use crate::election::Election;
use crate::report::Report;
use crate::urn::Urn;

/// What to do about ballots that cannot be read or that the rule refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoiled {
    /// Do not count at all.
    Refuse,
    /// Count the others, and say how many were spoiled.
    Count,
}

/// Why there is no result.
#[derive(Debug, Error)]
pub enum CountError {
    /// The file of ballots as a whole.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The rule does not take the contest.
    #[error("the rule does not take this election")]
    Config(#[from] ConfigError),
    /// Ballots are spoiled, and nobody said that they may be.
    #[error("ballots that cannot be counted: {count}; with --spoiled count the others are")]
    Spoiled {
        /// How many.
        count: u128,
        /// The first of them.
        problems: Vec<Problem>,
    },
    /// The file says of ballots that somebody has to decide about them first.
    #[error("ballots that somebody has to decide about before anything is counted: {count}")]
    Undecided {
        /// How many.
        count: u128,
        /// The first of them.
        problems: Vec<Problem>,
    },
    /// There are more ballots than a tally can hold.
    #[error("the ballots weigh {0} in all, more than 2^64 - 1")]
    TooHeavy(u128),
    /// The outcome makes no sense.
    #[error("the outcome is refused")]
    Outcome(#[from] OutcomeError),
    /// The count failed.
    #[error(transparent)]
    Tally(#[from] TallyError),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

/// The result of a count.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The outcome as JSON, by option id.
    outcome: Value,
    /// Its canonical bytes and the fuel.
    pub tally: Tally,
    /// Ballots that were counted, by weight.
    pub counted: u128,
    /// Ballots that were not, by weight.
    pub spoiled: u128,
    /// Of those, the ones that by their file's own word do not count.
    pub invalid: u128,
    /// Lines or records that the counted ballots stand on.
    pub records: u64,
    /// The first of the spoiled ones.
    pub problems: Vec<Problem>,
    /// What was read.
    pub report: Report,
}

/// Why the outcome of a count is not to be believed, though nothing failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Doubt {
    /// No ballot was counted.
    #[error(
        "no ballot was counted: expected ballots of this contest, found {spoiled} spoiled ones"
    )]
    Nothing {
        /// How many were not.
        spoiled: u128,
    },
    /// Most ballots are spoiled: the file is likely to be another one, or in another format.
    #[error(
        "{spoiled} ballots are spoiled and {counted} are counted: more than {}% spoiled is no count; \
         is it the right file and --format?",
        Counted::SPOILED_PERCENT_MAX
    )]
    MostlySpoiled {
        /// How many were counted.
        counted: u128,
        /// How many were not.
        spoiled: u128,
    },
}

impl Counted {
    /// Of all ballots, how many in a hundred may be spoiled in a count that is believed.
    pub const SPOILED_PERCENT_MAX: u128 = 50;

    /// Why the outcome is not to be believed, if it is not.
    pub fn doubt(&self) -> Option<Doubt> {
        let (counted, spoiled) = (self.counted, self.spoiled);
        if counted == 0 {
            return Some(Doubt::Nothing { spoiled });
        }
        // What a file itself does not let count was not misread.
        let unread = spoiled.saturating_sub(self.invalid);
        let all = counted.saturating_add(unread);
        let is_mostly = unread.saturating_mul(100) > all.saturating_mul(Self::SPOILED_PERCENT_MAX);
        is_mostly.then_some(Doubt::MostlySpoiled { counted, spoiled })
    }

    /// The answer of `tabella plugin run --json`.
    pub fn to_json(&self) -> Value {
        let mut json = self.outcome.clone();
        json["ballots"] = json!({
            "counted": exact(self.counted),
            "spoiled": exact(self.spoiled),
            "records": self.records,
        });
        if !self.problems.is_empty() {
            json["ballots"]["problems"] = json!(self.problems);
        }
        json["ballots"]["read"] = self.report.to_json();
        json["fuel"] = json!(self.tally.fuel);
        let digest = Sha256::digest(&self.tally.outcome);
        json["outcome_sha256"] = json!(hex::encode(digest));
        json
    }
}

/// A JSON number where every reader takes it exactly, else a text, as votes are written.
pub(crate) fn exact(ballots: u128) -> Value {
    match u64::try_from(ballots) {
        Ok(ballots) if ballots <= 1 << 53 => json!(ballots),
        _ => json!(ballots.to_string()),
    }
}

/// Counts the ballots of a file.
pub fn count(
    rule: &Plugin,
    election: &Election,
    ballots: &BallotFile,
    tie_break: &TieBreak,
    spoiled: Spoiled,
) -> Result<Counted, CountError> {
    count_all(
        rule,
        election,
        std::slice::from_ref(ballots),
        tie_break,
        spoiled,
    )
}

/// Counts the ballots of several files, such as one for each precinct, as one election's.
pub fn count_all(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    tie_break: &TieBreak,
    spoiled: Spoiled,
) -> Result<Counted, CountError> {
    count_telling(rule, election, files, tie_break, spoiled, &mut |_| ())
}

/// The same, and tells now and then how many records were read so far.
pub fn count_telling(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    tie_break: &TieBreak,
    spoiled: Spoiled,
    tell: &mut dyn FnMut(u64),
) -> Result<Counted, CountError> {
    let manifest = rule.manifest();
    let facts = facts(files, election)?;
    let params = params(manifest, election, &facts);
    let contest = rule.contest(&election.config(&facts.withdrawn, &params))?;
    let paper = paper(manifest, election, &facts, &params);
    let mut urn = Urn::new(&contest, &paper, files, tell);
    urn.report.notes.extend(other_seats(&params, &facts));
    for (number, file) in files.iter().enumerate() {
        (urn.file, urn.file_number) = (file.name(), number);
        urn.report.notes.extend(file.note());
        urn.records = 0;
        file.each(&paper, &mut |cast| urn.put(cast))?;
    }
    if let Some(failure) = urn.failure {
        return Err(failure);
    }
    urn.repeats.refuse()?;
    if urn.undecided > 0 {
        let (count, problems) = (urn.undecided, urn.problems);
        return Err(CountError::Undecided { count, problems });
    }
    if urn.is_refused && spoiled == Spoiled::Refuse {
        return Err(CountError::Spoiled {
            count: urn.spoiled,
            problems: urn.problems,
        });
    }
    if urn.counted > u128::from(u64::MAX) {
        return Err(CountError::TooHeavy(urn.counted));
    }
    let tie_break = without_withdrawn(tie_break, election, &facts.withdrawn);
    let board = urn.board.iter();
    let tally = contest.tally_with(
        board.map(|(weight, ballot)| (weight, &urn.distinct[ballot as usize])),
        &tie_break,
    )?;
    let mut outcome = contest.outcome_json(&tally.outcome)?;
    show_withdrawn(&mut outcome, election, &facts.withdrawn);
    Ok(Counted {
        outcome,
        tally,
        counted: urn.counted,
        spoiled: urn.spoiled,
        invalid: urn.invalid,
        records: urn.counted_records,
        problems: urn.problems,
        report: urn.report,
    })
}

/// What the files say of their contest. No two of them may contradict each other, or be the same.
pub(crate) fn facts(files: &[BallotFile], election: &Election) -> Result<Facts, ImportError> {
    let mut known: Option<(&BallotFile, Facts)> = None;
    for (number, file) in files.iter().enumerate() {
        let refuse = |message: String| ImportError::Malformed {
            path: file.name().to_owned(),
            line: 1,
            message,
        };
        if let Some(same) = files[..number].iter().find(|other| other.is_same(file)) {
            let message = format!(
                "it holds the same as {}, and a ballot counts once",
                same.name()
            );
            return Err(refuse(message));
        }
        let facts = file.facts(election)?;
        if facts == Facts::default() {
            continue;
        }
        match &known {
            Some((other, before)) if *before != facts => {
                let message = format!(
                    "its seats or withdrawn options are not those of {}: they are not of one contest",
                    other.name()
                );
                return Err(refuse(message));
            }
            Some(_) => {}
            None => known = Some((file, facts)),
        }
    }
    Ok(known.map(|(_, facts)| facts).unwrap_or_default())
}

/// The rule's parameters: where the election gives no seats, budget or costs, those of the file hold.
pub(crate) fn params(
    manifest: &Manifest,
    election: &Election,
    facts: &Facts,
) -> serde_json::Map<String, Value> {
    let mut params = election.params.clone();
    if let Some(seats) = facts.seats
        && !params.contains_key("seats")
        && takes_seats(manifest, seats)
    {
        params.insert("seats".into(), seats.into());
    }
    let said = [
        ("budget", facts.budget.map(Value::from)),
        ("costs", facts.costs.clone().map(Value::from)),
    ];
    for (name, value) in said {
        if let Some(value) = value
            && !params.contains_key(name)
            && manifest.params.iter().any(|param| param.name == name)
        {
            params.insert(name.into(), value);
        }
    }
    params
}

/// What is said where the election has other seats than the file, for one of them may be another contest's.
fn other_seats(params: &serde_json::Map<String, Value>, facts: &Facts) -> Option<String> {
    let (given, found) = (params.get("seats")?.as_u64()?, facts.seats?);
    (given != found).then(|| format!("the election has {given} seats, and its ballots say {found}"))
}

/// Whether the rule asks for a parameter `seats` that can be that many.
fn takes_seats(manifest: &Manifest, seats: u64) -> bool {
    manifest.params.iter().any(|param| match param.kind {
        ParamKind::Integer { min, max } if param.name == "seats" && param.default.is_none() => {
            i64::try_from(seats).is_ok_and(|seats| (min..=max).contains(&seats))
        }
        _ => false,
    })
}

/// Returns what a ballot of this election looks like under the rule.
pub(crate) fn paper<'a>(
    manifest: &Manifest,
    election: &'a Election,
    facts: &'a Facts,
    params: &serde_json::Map<String, Value>,
) -> Paper<'a> {
    Paper {
        kind: manifest.ballot,
        takes_marks: manifest.marks,
        contest: &election.contest,
        options: &election.options,
        withdrawn: &facts.withdrawn,
        marks_max: marks_max(manifest, params),
        grades: grades(params),
        names: election.names(),
    }
}

/// How many options a ballot of choices may mark: what the election says, else the rule's default.
fn marks_max(manifest: &Manifest, params: &serde_json::Map<String, Value>) -> u64 {
    let param = manifest.params.iter().find(|p| p.name == "max_choices");
    let default = param.and_then(|param| param.default.as_ref());
    let given = params.get("max_choices").or(default);
    given.and_then(Value::as_u64).unwrap_or(1)
}

/// The grades that the election gives a rule of grades.
fn grades(params: &serde_json::Map<String, Value>) -> Vec<String> {
    let grades = params.get("grades").and_then(Value::as_array);
    let words = grades.into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

/// A declared order may name options that withdrew since.
fn without_withdrawn(tie_break: &TieBreak, election: &Election, withdrawn: &[usize]) -> TieBreak {
    let TieBreak::Order(ids) = tie_break else {
        return tie_break.clone();
    };
    let left = |id: &&String| {
        withdrawn
            .iter()
            .all(|gone| election.options[*gone].id != **id)
    };
    TieBreak::Order(ids.iter().filter(left).cloned().collect())
}

/// Lists the withdrawn options at their places, without votes.
fn show_withdrawn(outcome: &mut Value, election: &Election, withdrawn: &[usize]) {
    let Some(options) = outcome["options"].as_array_mut() else {
        return;
    };
    for position in withdrawn {
        let option = &election.options[*position];
        let title = if option.title.is_empty() {
            &option.id
        } else {
            &option.title
        };
        let entry = json!({
            "id": option.id, "title": title, "votes": 0, "elected": false, "seats": 0,
            "withdrawn": true,
        });
        options.insert((*position).min(options.len()), entry);
    }
}
