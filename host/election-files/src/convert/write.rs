//! Writes ballots in each format that is written.

use std::fmt::Write;

use serde_json::{Value, json};
use tabella_runtime::BallotKind;

use super::{ConvertError, RECORDS_MAX, Record, Source};
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

/// The ballots in that format.
pub(super) fn text(source: &Source<'_>, to: Format) -> Result<String, ConvertError> {
    match to {
        Format::Json => Ok(json(source)),
        Format::JsonLines => Ok(lines(source)),
        Format::Csv => csv(source),
        Format::Blt => blt(source),
        Format::Cvr => cvr(source),
        Format::PrefLib => preflib(source),
        Format::ScotElex => scottish(source),
        Format::Pabulib => pabulib(source),
        Format::Abif => abif(source),
        other => Err(ConvertError::Unwritten {
            known: WRITTEN.map(Format::name).join(", "),
            format: other.name(),
        }),
    }
}

fn lossy<T>(record: &Record, what: impl Into<String>) -> Result<T, ConvertError> {
    Err(ConvertError::Lossy {
        place: record.place.clone(),
        what: what.into(),
    })
}

/// A ballot as a voter casts it, with its weight where that is not 1.
fn weighted(record: &Record) -> Value {
    let mut ballot = record.ballot.clone();
    if record.weight != 1 {
        ballot["weight"] = record.weight.into();
    }
    ballot
}

fn json(source: &Source<'_>) -> String {
    let ballots = source.records.iter().map(weighted);
    let mut text = json!({ "ballots": ballots.collect::<Vec<_>>() }).to_string();
    text.push('\n');
    text
}

fn lines(source: &Source<'_>) -> String {
    let lines = source
        .records
        .iter()
        .map(|record| format!("{}\n", weighted(record)));
    lines.collect()
}

/// What stands at one rank.
enum Rank {
    Skipped,
    /// Marks of which nobody recorded whom they are for, by the word for it.
    Unknown(String),
    /// Positions of options.
    Options(Vec<usize>),
}

impl Source<'_> {
    /// The position of an option.
    fn position(&self, id: &Value) -> usize {
        let options = &self.election.options;
        let found = options
            .iter()
            .position(|option| Some(&*option.id) == id.as_str());
        // The ballot was encoded, so that its ids are those of options.
        found.unwrap_or(options.len())
    }

    /// The ranks of a ballot; sets of options share the first.
    fn ranks(&self, ballot: &Value) -> Vec<Rank> {
        let set = |ids: &[Value]| match ids {
            [] => Vec::new(),
            _ => vec![Rank::Options(
                ids.iter().map(|id| self.position(id)).collect(),
            )],
        };
        let list = |member: &str| ballot[member].as_array().map_or(&[][..], Vec::as_slice);
        if self.paper.kind != BallotKind::Ranking {
            return match &ballot["choice"] {
                Value::Null => set(&[list("choices"), list("approve")].concat()),
                choice => set(std::slice::from_ref(choice)),
            };
        }
        let rank = |rank: &Value| match rank {
            Value::Array(ids) if ids.is_empty() => Rank::Skipped,
            Value::Array(ids) => Rank::Options(ids.iter().map(|id| self.position(id)).collect()),
            Value::Object(mark) => {
                let word = mark.get("mark").and_then(Value::as_str).unwrap_or_default();
                Rank::Unknown(word.to_owned())
            }
            id => Rank::Options(vec![self.position(id)]),
        };
        list("ranking").iter().map(rank).collect()
    }

    /// Whether ballots give values to options.
    fn values_member(&self) -> Option<&'static str> {
        match self.paper.kind {
            BallotKind::Scores => Some("scores"),
            BallotKind::Votes => Some("votes"),
            BallotKind::Grades => Some("grades"),
            _ => None,
        }
    }

    /// Refuses ballots that are no ranking where a format holds nothing else.
    fn rankings_only(&self, format: Format) -> Result<(), ConvertError> {
        match (self.paper.kind, self.records.first()) {
            (BallotKind::Ranking, _) | (_, None) => Ok(()),
            (kind, Some(first)) => lossy(
                first,
                format!(
                    "{} holds rankings, not ballots of {}",
                    format.name(),
                    kind.name()
                ),
            ),
        }
    }

    /// Each record as often as it weighs, for formats without weights.
    fn repeated(&self) -> Result<impl Iterator<Item = &Record>, ConvertError> {
        let mut all = 0u64;
        for record in &self.records {
            all = all.saturating_add(record.weight);
            if all > RECORDS_MAX {
                let what =
                    format!("the format has no weights, and more than {RECORDS_MAX} ballots");
                return lossy(record, what);
            }
        }
        let times = |record| std::iter::repeat_n(record, weight_of(record));
        Ok(self.records.iter().flat_map(times))
    }
}

fn weight_of(record: &Record) -> usize {
    usize::try_from(record.weight).unwrap_or(usize::MAX)
}

/// A cell of a table.
fn cell(text: &str) -> String {
    match text.contains([',', '"', '#', ';', '\t', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn csv(source: &Source<'_>) -> Result<String, ConvertError> {
    let options = &source.election.options;
    if let Some(member) = source.values_member() {
        let mut text = String::from("count");
        for option in options {
            text.push(',');
            text.push_str(&cell(&option.id));
        }
        text.push('\n');
        for record in &source.records {
            text.push_str(&record.weight.to_string());
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
        }
        return Ok(text);
    }
    let mut text = String::from("count,ballot\n");
    let between = if source.paper.kind == BallotKind::Ranking {
        " = "
    } else {
        " + "
    };
    for record in &source.records {
        let ranks = source
            .ranks(&record.ballot)
            .into_iter()
            .map(|rank| match rank {
                Rank::Skipped => "-".to_owned(),
                Rank::Unknown(word) if word == "other" => "write-in".to_owned(),
                Rank::Unknown(word) => word,
                Rank::Options(positions) => {
                    let ids: Vec<&str> = positions.iter().map(|p| &*options[*p].id).collect();
                    ids.join(between)
                }
            });
        let ranks: Vec<String> = ranks.collect();
        let ballot = cell(&ranks.join(" > "));
        text.push_str(&format!("{},{ballot}\n", record.weight));
    }
    Ok(text)
}

/// Numbers of options from 1, with a sign between ranks and one between those that share one.
fn numbers(
    source: &Source<'_>,
    record: &Record,
    skipped: Option<&str>,
    shared: impl Fn(&[String]) -> Option<String>,
) -> Result<Vec<String>, ConvertError> {
    let mut words = Vec::new();
    for rank in source.ranks(&record.ballot) {
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

fn blt(source: &Source<'_>) -> Result<String, ConvertError> {
    source.rankings_only(Format::Blt)?;
    let options = &source.election.options;
    let mut text = format!("{} {}\n", options.len(), source.seats);
    if !source.withdrawn.is_empty() {
        let gone = source
            .withdrawn
            .iter()
            .map(|position| format!("-{}", position + 1));
        text.push_str(&gone.collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    for record in &source.records {
        let words = numbers(source, record, Some("-"), |numbers| Some(numbers.join("=")))?;
        let words: String = words.iter().map(|word| format!("{word} ")).collect();
        text.push_str(&format!("{} {words}0\n", record.weight));
    }
    text.push_str("0\n");
    for option in options {
        text.push_str(&format!("\"{}\"\n", option.id.replace('"', "\\\"")));
    }
    text.push_str("\"Ballots\"\n");
    Ok(text)
}

fn preflib(source: &Source<'_>) -> Result<String, ConvertError> {
    source.rankings_only(Format::PrefLib)?;
    let options = &source.election.options;
    let mut text = format!(
        "# FILE NAME: ballots.toi\n# DATA TYPE: toi\n# NUMBER ALTERNATIVES: {}\n",
        options.len()
    );
    for (number, option) in (1..).zip(options) {
        text.push_str(&format!("# ALTERNATIVE NAME {number}: {}\n", option.id));
    }
    for record in &source.records {
        let words = numbers(source, record, None, |numbers| {
            Some(match numbers {
                [one] => one.clone(),
                _ => format!("{{{}}}", numbers.join(",")),
            })
        })?;
        text.push_str(&format!("{}: {}\n", record.weight, words.join(",")));
    }
    Ok(text)
}

fn scottish(source: &Source<'_>) -> Result<String, ConvertError> {
    source.rankings_only(Format::ScotElex)?;
    let options = &source.election.options;
    let mut text = format!("{},{},\n", options.len(), source.seats);
    for record in &source.records {
        let words = numbers(source, record, None, |numbers| match numbers {
            [one] => Some(one.clone()),
            _ => None,
        })?;
        let words: String = words.iter().map(|word| format!("{word},")).collect();
        text.push_str(&format!("{},{words}\n", record.weight));
    }
    for (number, option) in (1..).zip(options) {
        text.push_str(&format!("Candidate {number},{},,\n", cell(&option.id)));
    }
    text.push_str("Ballots,,,\n");
    Ok(text)
}

fn abif(source: &Source<'_>) -> Result<String, ConvertError> {
    let options = &source.election.options;
    let mut text = String::new();
    for (number, option) in (1..).zip(options) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "=C{number}:[{}]", option.id);
    }
    let between = match source.paper.kind {
        BallotKind::Ranking => "=",
        _ => ",",
    };
    for record in &source.records {
        let said = if source.values_member() == Some("scores") {
            let scores = record.ballot["scores"].as_object().into_iter().flatten();
            let said = scores.map(|(id, score)| {
                let position = source.position(&Value::from(id.as_str()));
                format!("C{}/{score}", position + 1)
            });
            said.collect::<Vec<_>>().join(",")
        } else if source.values_member().is_some() {
            return lossy(record, "the format holds rankings, sets and scores");
        } else {
            let words = numbers(source, record, None, |numbers| {
                let named: Vec<String> = numbers.iter().map(|n| format!("C{n}")).collect();
                Some(named.join(between))
            })?;
            words.join(">")
        };
        let _ = writeln!(text, "{}:{said}", record.weight);
    }
    Ok(text)
}

fn pabulib(source: &Source<'_>) -> Result<String, ConvertError> {
    let kind = match source.paper.kind {
        BallotKind::Choice | BallotKind::Approval => "approval",
        BallotKind::Ranking => "ordinal",
        BallotKind::Votes => "cumulative",
        _ => "scoring",
    };
    let mut text = format!("META\nkey;value\nvote_type;{kind}\nPROJECTS\nproject_id;cost;name\n");
    for option in &source.election.options {
        let _ = writeln!(text, "{};0;", option.id);
    }
    text.push_str("VOTES\nvoter_id;vote;points\n");
    for (number, record) in (1..).zip(source.repeated()?) {
        let (ids, points): (Vec<String>, Vec<String>) = match source.values_member() {
            Some(member) => {
                let values = record.ballot[member].as_object().into_iter().flatten();
                values
                    .map(|(id, value)| (id.clone(), value.to_string()))
                    .unzip()
            }
            None => {
                let mut ids = Vec::new();
                for rank in source.ranks(&record.ballot) {
                    match rank {
                        Rank::Options(positions) if positions.len() == 1 || kind == "approval" => {
                            let of = |p: usize| source.election.options[p].id.clone();
                            ids.extend(positions.into_iter().map(of));
                        }
                        _ => return lossy(record, "the format has no place for its marks"),
                    }
                }
                (ids, Vec::new())
            }
        };
        let _ = writeln!(text, "{number};{};{}", ids.join(","), points.join(","));
    }
    Ok(text)
}

fn cvr(source: &Source<'_>) -> Result<String, ConvertError> {
    let options = &source.election.options;
    let candidate = |option: &tabella_runtime::ContestOption| {
        let name = if option.title.is_empty() {
            &option.id
        } else {
            &option.title
        };
        json!({"@id": option.id, "@type": "CVR.Candidate", "Name": name})
    };
    let selection = |option: &tabella_runtime::ContestOption| json!({"@id": option.id, "@type": "CVR.CandidateSelection", "CandidateIds": [option.id]});
    let contest = source.election.contest.text().unwrap_or("contest");
    let election = json!({
        "@id": "election", "@type": "CVR.Election",
        "Candidate": options.iter().map(candidate).collect::<Vec<_>>(),
        "Contest": [{
            "@id": contest, "@type": "CVR.CandidateContest", "Name": contest,
            "ContestSelection": options.iter().map(selection).collect::<Vec<_>>(),
        }],
    });
    let mut text = format!(
        "{{\"@type\":\"CVR.CastVoteRecordReport\",\"Version\":\"1.0.0\",\"Election\":[{election}],\"CVR\":["
    );
    for (number, record) in (1u64..).zip(source.repeated()?) {
        if number > 1 {
            text.push(',');
        }
        let selections = selections(source, record)?;
        let snapshot = json!({
            "@id": "s", "@type": "CVR.CVRSnapshot", "Type": "original",
            "CVRContest": [{
                "@type": "CVR.CVRContest", "ContestId": contest, "CVRContestSelection": selections,
            }],
        });
        let record = json!({
            "@type": "CVR.CVR", "CurrentSnapshotId": "s", "UniqueId": number.to_string(),
            "CVRSnapshot": [snapshot],
        });
        let _ = write!(text, "\n{record}");
    }
    text.push_str("\n]}\n");
    Ok(text)
}

fn selections(source: &Source<'_>, record: &Record) -> Result<Vec<Value>, ConvertError> {
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
    if source.paper.kind == BallotKind::Votes {
        let votes = record.ballot["votes"].as_object().into_iter().flatten();
        return Ok(votes
            .map(|(id, votes)| selection(id, None, votes))
            .collect());
    }
    if source.values_member().is_some() {
        return lossy(
            record,
            "Cast Vote Records hold marks, not scores and grades",
        );
    }
    let is_ranking = source.paper.kind == BallotKind::Ranking;
    let mut selections = Vec::new();
    for (number, rank) in (1u64..).zip(source.ranks(&record.ballot)) {
        match rank {
            Rank::Skipped => {}
            Rank::Unknown(_) => {
                return lossy(
                    record,
                    "the format has no place for marks that nobody recorded",
                );
            }
            Rank::Options(positions) => selections.extend(positions.into_iter().map(|position| {
                let id = &source.election.options[position].id;
                selection(id, is_ranking.then_some(number), &json!(1))
            })),
        }
    }
    Ok(selections)
}
