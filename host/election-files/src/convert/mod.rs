//! Ballots of one format in another, so that they count the same.
//!
//! What was written is read again and compared with what was read first, ballot by ballot: a format that
//! cannot hold a mark refuses the conversion, and never drops it.

mod write;

use std::path::Path;

use serde_json::Value;
use tabella_runtime::{Contest, Plugin};
use thiserror::Error;

use crate::ballots::{BallotFile, Cast, Format, ImportError, Paper, Problem, Unread};
use crate::count::{CountError, Spoiled, facts, marks_max, params};
use crate::election::Election;
use crate::repeats::Repeats;

/// Why ballots cannot be had in another format.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// They cannot be read, or the rule does not take the election.
    #[error(transparent)]
    Count(#[from] CountError),
    /// No program writes the format.
    #[error("expected one of the formats that are written ({known}), found {format}")]
    Unwritten {
        /// The formats.
        known: String,
        /// What was asked for.
        format: &'static str,
    },
    /// The format has no place for something that a ballot says.
    #[error("{place}: this cannot be written so that it counts the same: {what}")]
    Lossy {
        /// Where the ballot stands.
        place: String,
        /// What would be lost.
        what: String,
    },
}

/// Ballots in another format.
#[derive(Clone, Debug)]
pub struct Converted {
    /// The file.
    pub text: String,
    /// Ballots, by weight.
    pub ballots: u128,
    /// The first of those that could not be read, and were left out because that was asked for.
    pub problems: Vec<Problem>,
}

/// Records of one file each, at most: formats without weights repeat a ballot.
pub(crate) const RECORDS_MAX: u64 = 10_000_000;

/// One record to be written.
pub(crate) struct Record {
    pub(crate) place: String,
    pub(crate) weight: u64,
    pub(crate) ballot: Value,
    /// Its canonical bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What a file is written from, and what is compared with it.
pub(crate) struct Source<'a> {
    pub(crate) election: &'a Election,
    pub(crate) paper: &'a Paper<'a>,
    pub(crate) withdrawn: &'a [usize],
    pub(crate) seats: u64,
    pub(crate) records: Vec<Record>,
}

/// Writes the ballots of files, as a rule takes them, in another format.
pub fn convert(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    to: Format,
    spoiled: Spoiled,
) -> Result<Converted, ConvertError> {
    let manifest = rule.manifest();
    let facts = facts(files, election).map_err(CountError::from)?;
    let params = params(manifest, election, &facts);
    let contest = rule.contest(&election.config(&facts.withdrawn, &params));
    let contest = contest.map_err(CountError::from)?;
    let paper = Paper {
        kind: manifest.ballot,
        takes_marks: manifest.marks,
        contest: &election.contest,
        options: &election.options,
        withdrawn: &facts.withdrawn,
        marks_max: marks_max(manifest, &params),
        names: election.names(),
    };
    let mut read = Read::new(&contest, files);
    for (number, file) in files.iter().enumerate() {
        (read.file, read.file_number) = (file.name(), number);
        read.number = 0;
        let read = &mut read;
        file.each(&paper, &mut |cast| read.put(cast))
            .map_err(CountError::from)?;
    }
    read.repeats.refuse().map_err(CountError::from)?;
    let read = read.all(spoiled)?;
    let stated = params.get("seats").and_then(Value::as_u64);
    let source = Source {
        election,
        paper: &paper,
        withdrawn: &facts.withdrawn,
        seats: stated.or(facts.seats).unwrap_or(1),
        records: read.records,
    };
    let text = write::text(&source, to)?;
    compare(&source, &text, to, &contest)?;
    let weights = source
        .records
        .iter()
        .map(|record| u128::from(record.weight));
    Ok(Converted {
        text,
        ballots: weights.sum(),
        problems: read.problems,
    })
}

/// The records of files as they come in.
struct Read<'a> {
    contest: &'a Contest,
    file: &'a str,
    /// Its position among all.
    file_number: usize,
    repeats: Repeats<'a>,
    /// Records of the file so far.
    number: u64,
    records: Vec<Record>,
    spoiled: u128,
    problems: Vec<Problem>,
    undecided: Vec<Problem>,
    error: Option<ConvertError>,
}

impl<'a> Read<'a> {
    fn new(contest: &'a Contest, files: &'a [BallotFile]) -> Self {
        Self {
            contest,
            file: "",
            file_number: 0,
            repeats: Repeats::new(files),
            number: 0,
            records: Vec::new(),
            spoiled: 0,
            problems: Vec::new(),
            undecided: Vec::new(),
            error: None,
        }
    }

    fn put(&mut self, cast: Cast) {
        self.number += 1;
        let path = cast.place(self.file);
        let place = format!("{path}:{}", cast.line);
        if cast.write_ins_more > 0 && cast.ballot.is_ok() {
            self.error.get_or_insert(ConvertError::Lossy {
                place,
                what: "it has several votes for those who are not on the paper".into(),
            });
            return;
        }
        let problem = |reason: String| Problem {
            file: path.clone(),
            line: cast.line,
            record: self.number,
            ballot: cast.id.clone(),
            weight: cast.weight,
            reason,
        };
        let encoded = cast.ballot.and_then(|ballot| {
            let bytes = self.contest.encode_ballot(&ballot);
            let bytes = bytes.map_err(|error| error.to_string())?;
            Ok((ballot, bytes))
        });
        if let (Ok((_, bytes)), Some(id), true) = (&encoded, &cast.id, cast.is_id_unique) {
            self.repeats.see(self.file_number, cast.line, id, bytes);
        }
        match encoded {
            Ok((ballot, bytes)) => self.records.push(Record {
                place,
                weight: cast.weight,
                ballot,
                bytes,
            }),
            Err(Unread::Undecided(reason)) => self.undecided.push(problem(reason)),
            Err(Unread::Spoiled(reason) | Unread::Invalid(reason)) => {
                self.problems.push(problem(reason));
                self.spoiled += u128::from(cast.weight);
            }
            Err(Unread::File(message)) => {
                let error = ImportError::Malformed {
                    path,
                    line: cast.line,
                    message,
                };
                self.error.get_or_insert(CountError::Import(error).into());
            }
        }
    }

    /// All of them, unless one of them stops the conversion.
    fn all(self, spoiled: Spoiled) -> Result<Self, ConvertError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.undecided.is_empty() {
            let problems = self.undecided;
            let count = problems.iter().map(|problem| u128::from(problem.weight));
            let count = count.sum();
            return Err(CountError::Undecided { count, problems }.into());
        }
        if !self.problems.is_empty() && spoiled == Spoiled::Refuse {
            let (count, problems) = (self.spoiled, self.problems);
            return Err(CountError::Spoiled { count, problems }.into());
        }
        Ok(self)
    }
}

/// Reads what was written, and refuses it where a ballot is not what it was.
fn compare(
    source: &Source<'_>,
    text: &str,
    to: Format,
    contest: &Contest,
) -> Result<(), ConvertError> {
    let name = format!("the converted file, {}", to.name());
    let file = BallotFile::from_bytes(Path::new(&name), text.as_bytes().to_vec(), Some(to));
    let file = file.map_err(CountError::from)?;
    let facts = facts(std::slice::from_ref(&file), source.election).map_err(CountError::from)?;
    let mut left = source.records.iter().map(|record| (record, record.weight));
    let mut now = left.next();
    let mut lost: Option<ConvertError> = None;
    let mut differs = |record: Option<&Record>, what: String| {
        let place = record.map_or(name.clone(), |record| record.place.clone());
        lost.get_or_insert(ConvertError::Lossy { place, what });
    };
    if facts.withdrawn != source.withdrawn {
        differs(None, "it has no place for withdrawn options".into());
    }
    file.each(source.paper, &mut |cast| {
        while matches!(now, Some((_, 0))) {
            now = left.next();
        }
        let ballot = match cast.ballot {
            Ok(ballot) => contest
                .encode_ballot(&ballot)
                .map_err(|error| error.to_string()),
            Err(reason) => Err(format!("{reason:?}")),
        };
        let mut weight = cast.weight;
        while weight > 0 {
            let Some((record, left_of)) = &mut now else {
                return differs(None, "it has more ballots than were read".into());
            };
            match &ballot {
                Ok(bytes) if *bytes == record.bytes => {}
                Ok(_) => {
                    return differs(
                        Some(record),
                        format!("{} has no place for its marks", to.name()),
                    );
                }
                Err(reason) => return differs(Some(record), reason.clone()),
            }
            let both = weight.min(*left_of);
            weight -= both;
            *left_of -= both;
            if *left_of == 0 {
                now = left.next();
            }
        }
    })
    .map_err(CountError::from)?;
    while matches!(now, Some((_, 0))) {
        now = left.next();
    }
    if let Some((record, _)) = now {
        differs(Some(record), format!("{} leaves it out", to.name()));
    }
    lost.map_or(Ok(()), Err)
}
