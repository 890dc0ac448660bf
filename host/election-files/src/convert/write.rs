//! Writes ballots in each format that is written.

use serde_json::{Value, json};
use tabella_contest::BallotKind;

use super::ranks::Rank;
use super::{ConvertError, Job, Output, RECORDS_MAX, Record};
use crate::ballots::Format;

/// The formats that are written.
const WRITTEN: [Format; 9] = [
    Format::Json,
    Format::JsonLines,
    Format::Csv,
    Format::Blt,
    Format::Cvr,
    Format::PrefLib,
    Format::ScotElex,
    Format::Pabulib,
    Format::Abif,
];

/// Writes ballots one after the other.
pub(super) struct Writer<'a> {
    job: &'a Job<'a>,
    to: Format,
    output: &'a mut Output,
    /// Ballots so far, each as often as it weighs.
    ballots: u64,
    is_first: bool,
}

impl<'a> Writer<'a> {
    /// Starts the file.
    pub(super) fn new(
        job: &'a Job<'a>,
        to: Format,
        output: &'a mut Output,
    ) -> Result<Self, ConvertError> {
        if !WRITTEN.contains(&to) {
            return Err(ConvertError::Unwritten {
                known: WRITTEN.map(Format::name).join(", "),
                format: to.name(),
            });
        }
        let start = match to {
            Format::Json => "{\"ballots\":[".to_owned(),
            Format::Csv => csv_head(job),
            Format::Blt => blt_head(job),
            Format::Cvr => cvr_head(job),
            Format::PrefLib => preflib_head(job),
            Format::ScotElex => format!("{},{},\n", job.election.options.len(), job.seats),
            Format::Pabulib => pabulib_head(job),
            Format::Abif => abif_head(job),
            _ => String::new(),
        };
        output.put(&start)?;
        Ok(Self {
            job,
            to,
            output,
            ballots: 0,
            is_first: true,
        })
    }

    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), ConvertError> {
        let (job, is_first) = (self.job, std::mem::replace(&mut self.is_first, false));
        match self.to {
            Format::Blt | Format::PrefLib | Format::ScotElex => {
                rankings_only(job, self.to, record)?
            }
            Format::Cvr | Format::Pabulib => return self.repeated(record, is_first),
            _ => {}
        }
        let text = match self.to {
            Format::Json if is_first => weighted(record).to_string(),
            Format::Json => format!(",{}", weighted(record)),
            Format::JsonLines => format!("{}\n", weighted(record)),
            Format::Csv => csv(job, record),
            Format::Blt => blt(job, record)?,
            Format::PrefLib => preflib(job, record)?,
            Format::ScotElex => scottish(job, record)?,
            _ => abif(job, record)?,
        };
        self.output.put(&text)
    }

    /// The record as often as it weighs, for formats without weights.
    fn repeated(&mut self, record: &Record<'_>, is_first: bool) -> Result<(), ConvertError> {
        let before = self.ballots;
        self.ballots = before.saturating_add(record.weight);
        if self.ballots > RECORDS_MAX {
            let what = format!("the format has no weights, and more than {RECORDS_MAX} ballots");
            return lossy(record, what);
        }
        for number in before + 1..=self.ballots {
            let text = match self.to {
                Format::Cvr => {
                    let between = if is_first && number == 1 { "" } else { "," };
                    format!("{between}{}", cvr(self.job, record, number)?)
                }
                _ => pabulib(self.job, record, number)?,
            };
            self.output.put(&text)?;
        }
        Ok(())
    }

    /// The end of the file.
    pub(super) fn end(self) -> Result<(), ConvertError> {
        let options = &self.job.election.options;
        let mut text = String::new();
        match self.to {
            Format::Json => text.push_str("]}\n"),
            Format::Cvr => text.push_str("\n]}\n"),
            Format::Blt => {
                text.push_str("0\n");
                for option in options {
                    text.push_str(&format!("\"{}\"\n", option.id.replace('"', "\\\"")));
                }
                text.push_str("\"Ballots\"\n");
            }
            Format::ScotElex => {
                for (number, option) in (1..).zip(options) {
                    text.push_str(&format!("Candidate {number},{},,\n", cell(&option.id)));
                }
                text.push_str("Ballots,,,\n");
            }
            _ => {}
        }
        self.output.put(&text)
    }
}

fn lossy<T>(record: &Record<'_>, what: impl Into<String>) -> Result<T, ConvertError> {
    Err(ConvertError::Lossy {
        place: record.place.to_owned(),
        what: what.into(),
    })
}

/// A ballot as a voter casts it, with its weight where that is not 1.
fn weighted(record: &Record<'_>) -> Value {
    let mut ballot = record.ballot.clone();
    if record.weight != 1 {
        ballot["weight"] = record.weight.into();
    }
    ballot
}

/// Refuses ballots that are no ranking where a format holds nothing else.
fn rankings_only(job: &Job<'_>, format: Format, record: &Record<'_>) -> Result<(), ConvertError> {
    match job.paper.kind {
        BallotKind::Ranking => Ok(()),
        kind => lossy(
            record,
            format!(
                "{} holds rankings, not ballots of {}",
                format.name(),
                kind.name()
            ),
        ),
    }
}

/// A cell of a table.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '#', ';', '\t', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// A word for a ballot without marks, which an empty cell in a last line need not be.
fn blank(job: &Job<'_>) -> &'static str {
    let words = ["blank", "undervote", "skipped"].into_iter();
    let word = { words }.find(|word| !job.paper.names.is_name(word));
    word.unwrap_or_default()
}

fn csv_head(job: &Job<'_>) -> String {
    if job.values_member().is_none() {
        return "count,ballot\n".to_owned();
    }
    let options = job.election.options.iter();
    let cells = options.map(|option| format!(",{}", cell(&option.id)));
    format!("count{}\n", cells.collect::<String>())
}

fn csv(job: &Job<'_>, record: &Record<'_>) -> String {
    let options = &job.election.options;
    if let Some(member) = job.values_member() {
        let mut text = record.weight.to_string();
        for option in options {
            let value = record.ballot[member].get(&option.id);
            let value = value.map(|value| match value {
                Value::String(text) => cell(text),
                other => other.to_string(),
            });
            text.push(',');
            text.push_str(&value.unwrap_or_default());
        }
        text.push('\n');
        return text;
    }
    let between = if job.paper.kind == BallotKind::Ranking {
        " = "
    } else {
        " + "
    };
    let ranks = job.ranks(record.ballot).into_iter().map(|rank| match rank {
        Rank::Skipped => "-".to_owned(),
        Rank::Unknown(word) if word == "other" => "write-in".to_owned(),
        Rank::Unknown(word) => word,
        Rank::Options(positions) => {
            let ids: Vec<&str> = positions.iter().map(|p| &*options[*p].id).collect();
            ids.join(between)
        }
    });
    let ranks: Vec<String> = ranks.collect();
    let ballot = match &ranks[..] {
        [] => blank(job).to_owned(),
        _ => cell(&ranks.join(" > ")),
    };
    format!("{},{ballot}\n", record.weight)
}

/// Numbers of options from 1, with a sign between ranks and one between those that share one.
fn numbers(
    job: &Job<'_>,
    record: &Record<'_>,
    skipped: Option<&str>,
    shared: impl Fn(&[String]) -> Option<String>,
) -> Result<Vec<String>, ConvertError> {
    let mut words = Vec::new();
    for rank in job.ranks(record.ballot) {
        let word = match rank {
            Rank::Skipped => skipped.map(str::to_owned),
            Rank::Unknown(_) => None,
            Rank::Options(positions) => {
                let numbers: Vec<String> = positions.iter().map(|p| (p + 1).to_string()).collect();
                shared(&numbers)
            }
        };
        match word {
            Some(word) => words.push(word),
            None => return lossy(record, "the format has no place for its marks"),
        }
    }
    Ok(words)
}

fn blt_head(job: &Job<'_>) -> String {
    let mut text = format!("{} {}\n", job.election.options.len(), job.seats);
    let withdrawn = &job.facts.withdrawn;
    if !withdrawn.is_empty() {
        let gone = withdrawn
            .iter()
            .map(|position| format!("-{}", position + 1));
        text.push_str(&gone.collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    text
}

fn blt(job: &Job<'_>, record: &Record<'_>) -> Result<String, ConvertError> {
    let words = numbers(job, record, Some("-"), |numbers| Some(numbers.join("=")))?;
    let words: String = words.iter().map(|word| format!("{word} ")).collect();
    Ok(format!("{} {words}0\n", record.weight))
}

fn preflib_head(job: &Job<'_>) -> String {
    let options = &job.election.options;
    let mut text = format!(
        "# FILE NAME: ballots.toi\n# DATA TYPE: toi\n# NUMBER ALTERNATIVES: {}\n",
        options.len()
    );
    for (number, option) in (1..).zip(options) {
        text.push_str(&format!("# ALTERNATIVE NAME {number}: {}\n", option.id));
    }
    text
}

fn preflib(job: &Job<'_>, record: &Record<'_>) -> Result<String, ConvertError> {
    let words = numbers(job, record, None, |numbers| {
        Some(match numbers {
            [one] => one.clone(),
            _ => format!("{{{}}}", numbers.join(",")),
        })
    })?;
    Ok(format!("{}: {}\n", record.weight, words.join(",")))
}

fn scottish(job: &Job<'_>, record: &Record<'_>) -> Result<String, ConvertError> {
    let words = numbers(job, record, None, |numbers| match numbers {
        [one] => Some(one.clone()),
        _ => None,
    })?;
    let words: String = words.iter().map(|word| format!("{word},")).collect();
    Ok(format!("{},{words}\n", record.weight))
}

fn abif_head(job: &Job<'_>) -> String {
    let options = (1..).zip(&job.election.options);
    let names = options.map(|(number, option)| format!("=C{number}:[{}]\n", option.id));
    names.collect()
}

fn abif(job: &Job<'_>, record: &Record<'_>) -> Result<String, ConvertError> {
    let between = match job.paper.kind {
        BallotKind::Ranking => "=",
        _ => ",",
    };
    let said = if job.values_member() == Some("scores") {
        let scores = record.ballot["scores"].as_object().into_iter().flatten();
        let said = scores.map(|(id, score)| {
            let position = job.position(&Value::from(id.as_str()));
            format!("C{}/{score}", position + 1)
        });
        said.collect::<Vec<_>>().join(",")
    } else if job.values_member().is_some() {
        return lossy(record, "the format holds rankings, sets and scores");
    } else {
        let words = numbers(job, record, None, |numbers| {
            let named: Vec<String> = numbers.iter().map(|n| format!("C{n}")).collect();
            Some(named.join(between))
        })?;
        words.join(">")
    };
    Ok(format!("{}:{said}\n", record.weight))
}

/// What pabulib calls the ballots.
fn pabulib_kind(job: &Job<'_>) -> &'static str {
    match job.paper.kind {
        BallotKind::Choice | BallotKind::Approval => "approval",
        BallotKind::Ranking => "ordinal",
        BallotKind::Votes => "cumulative",
        _ => "scoring",
    }
}

fn pabulib_head(job: &Job<'_>) -> String {
    let kind = pabulib_kind(job);
    let mut text = format!("META\nkey;value\nvote_type;{kind}\nPROJECTS\nproject_id;cost;name\n");
    for option in &job.election.options {
        text.push_str(&format!("{};0;\n", option.id));
    }
    text.push_str("VOTES\nvoter_id;vote;points\n");
    text
}

fn pabulib(job: &Job<'_>, record: &Record<'_>, number: u64) -> Result<String, ConvertError> {
    let (ids, points): (Vec<String>, Vec<String>) = match job.values_member() {
        Some(member) => {
            let values = record.ballot[member].as_object().into_iter().flatten();
            values
                .map(|(id, value)| (id.clone(), value.to_string()))
                .unzip()
        }
        None => {
            let is_set = pabulib_kind(job) == "approval";
            let mut ids = Vec::new();
            for rank in job.ranks(record.ballot) {
                match rank {
                    Rank::Options(positions) if positions.len() == 1 || is_set => {
                        let of = |p: usize| job.election.options[p].id.clone();
                        ids.extend(positions.into_iter().map(of));
                    }
                    _ => return lossy(record, "the format has no place for its marks"),
                }
            }
            (ids, Vec::new())
        }
    };
    Ok(format!("{number};{};{}\n", ids.join(","), points.join(",")))
}

/// The contest's id in Cast Vote Records.
fn cvr_contest<'a>(job: &Job<'a>) -> &'a str {
    job.election.contest.text().unwrap_or("contest")
}

fn cvr_head(job: &Job<'_>) -> String {
    let options = &job.election.options;
    let candidate = |option: &tabella_contest::ContestOption| {
        let name = if option.title.is_empty() {
            &option.id
        } else {
            &option.title
        };
        json!({"@id": option.id, "@type": "CVR.Candidate", "Name": name})
    };
    let selection = |option: &tabella_contest::ContestOption| json!({"@id": option.id, "@type": "CVR.CandidateSelection", "CandidateIds": [option.id]});
    let contest = cvr_contest(job);
    let election = json!({
        "@id": "election", "@type": "CVR.Election",
        "Candidate": options.iter().map(candidate).collect::<Vec<_>>(),
        "Contest": [{
            "@id": contest, "@type": "CVR.CandidateContest", "Name": contest,
            "ContestSelection": options.iter().map(selection).collect::<Vec<_>>(),
        }],
    });
    format!(
        "{{\"@type\":\"CVR.CastVoteRecordReport\",\"Version\":\"1.0.0\",\"Election\":[{election}],\"CVR\":["
    )
}

fn cvr(job: &Job<'_>, record: &Record<'_>, number: u64) -> Result<String, ConvertError> {
    let selections = selections(job, record)?;
    let snapshot = json!({
        "@id": "s", "@type": "CVR.CVRSnapshot", "Type": "original",
        "CVRContest": [{
            "@type": "CVR.CVRContest", "ContestId": cvr_contest(job),
            "CVRContestSelection": selections,
        }],
    });
    let record = json!({
        "@type": "CVR.CVR", "CurrentSnapshotId": "s", "UniqueId": number.to_string(),
        "CVRSnapshot": [snapshot],
    });
    Ok(format!("\n{record}"))
}

fn selections(job: &Job<'_>, record: &Record<'_>) -> Result<Vec<Value>, ConvertError> {
    let selection = |id: &str, rank: Option<u64>, votes: &Value| {
        let mut mark = json!({
            "@type": "CVR.SelectionPosition", "HasIndication": "yes", "NumberVotes": votes,
        });
        if let Some(rank) = rank {
            mark["Rank"] = rank.into();
        }
        json!({
            "@type": "CVR.CVRContestSelection", "ContestSelectionId": id, "SelectionPosition": [mark],
        })
    };
    if job.paper.kind == BallotKind::Votes {
        let votes = record.ballot["votes"].as_object().into_iter().flatten();
        return Ok(votes
            .map(|(id, votes)| selection(id, None, votes))
            .collect());
    }
    if job.values_member().is_some() {
        return lossy(
            record,
            "Cast Vote Records hold marks, not scores and grades",
        );
    }
    let is_ranking = job.paper.kind == BallotKind::Ranking;
    let mut selections = Vec::new();
    for (number, rank) in (1u64..).zip(job.ranks(record.ballot)) {
        match rank {
            Rank::Skipped => {}
            Rank::Unknown(_) => {
                return lossy(
                    record,
                    "the format has no place for marks that nobody recorded",
                );
            }
            Rank::Options(positions) => selections.extend(positions.into_iter().map(|position| {
                let id = &job.election.options[position].id;
                selection(id, is_ranking.then_some(number), &json!(1))
            })),
        }
    }
    Ok(selections)
}
