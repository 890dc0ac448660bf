//! Ballots of one format in another, so that they count the same.
//!
//! What was written is read again and compared with what was read first, ballot by ballot: a format that
//! cannot hold a mark refuses the conversion, and never drops it.

mod compare;
mod ranks;
mod write;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tabella_runtime::{Contest, Plugin};
use thiserror::Error;

use crate::ballots::{BallotFile, Cast, Facts, Format, ImportError, Paper, Problem, Unread};
use crate::count::{CountError, Spoiled, facts, paper, params};
use crate::election::Election;
use crate::repeats::Repeats;
use crate::urn::{PROBLEMS_MAX, RECORDS_TOLD};
use write::Writer;

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
    /// The system does not take what is written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// What the system says.
        error: io::Error,
    },
}

/// What was converted.
#[derive(Clone, Debug)]
pub struct Converted {
    /// Ballots, by weight.
    pub ballots: u128,
    /// Ballots that could not be read, and were left out because that was asked for, by weight.
    pub left_out: u128,
    /// The first of those.
    pub problems: Vec<Problem>,
}

/// Records of one file each, at most: formats without weights repeat a ballot.
pub(crate) const RECORDS_MAX: u64 = 10_000_000;

/// One record to be written.
pub(crate) struct Record<'a> {
    pub(crate) place: &'a str,
    pub(crate) weight: u64,
    pub(crate) ballot: &'a Value,
}

/// What all ballots of a conversion have in common.
pub(crate) struct Job<'a> {
    pub(crate) election: &'a Election,
    pub(crate) paper: Paper<'a>,
    pub(crate) facts: &'a Facts,
    pub(crate) seats: u64,
    contest: Contest,
}

/// The ballots of files, as a rule takes them, in another format, in memory.
pub fn convert(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    to: Format,
    spoiled: Spoiled,
) -> Result<(String, Converted), ConvertError> {
    let mut output = Output::Memory(String::new());
    let converted = convert_into(rule, election, files, to, spoiled, &mut output, &mut |_| ())?;
    match output {
        Output::Memory(text) => Ok((text, converted)),
        Output::File { .. } => Ok((String::new(), converted)),
    }
}

/// Writes the ballots of files, as a rule takes them, to a file in another format; tells now and then how many
/// records were read. Of the ballots no more than a few are held. Where it fails, what it wrote is left
/// there, and is no conversion.
pub fn convert_to(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    to: Format,
    spoiled: Spoiled,
    path: &Path,
    tell: &mut dyn FnMut(u64),
) -> Result<Converted, ConvertError> {
    let failed = |error| ConvertError::Write {
        path: path.display().to_string(),
        error,
    };
    let file = File::create(path).map_err(failed)?;
    let mut output = Output::File {
        path: path.to_owned(),
        writer: BufWriter::new(file),
    };
    convert_into(rule, election, files, to, spoiled, &mut output, tell)
}

fn convert_into(
    rule: &Plugin,
    election: &Election,
    files: &[BallotFile],
    to: Format,
    spoiled: Spoiled,
    output: &mut Output,
    tell: &mut dyn FnMut(u64),
) -> Result<Converted, ConvertError> {
    let manifest = rule.manifest();
    let facts = facts(files, election).map_err(CountError::from)?;
    let params = params(manifest, election, &facts);
    let contest = rule.contest(&election.config(&facts.withdrawn, &params));
    let stated = params.get("seats").and_then(Value::as_u64);
    let job = Job {
        election,
        paper: paper(manifest, election, &facts, &params),
        facts: &facts,
        seats: stated.or(facts.seats).unwrap_or(1),
        contest: contest.map_err(CountError::from)?,
    };
    let mut read = Read {
        job: &job,
        file: "",
        file_number: 0,
        repeats: Repeats::new(files),
        number: 0,
        all: 0,
        writer: Writer::new(&job, to, output)?,
        ballots: 0,
        spoiled: 0,
        problems: Vec::new(),
        undecided: 0,
        error: None,
        lost: None,
        tell,
    };
    for (number, file) in files.iter().enumerate() {
        (read.file, read.file_number) = (file.name(), number);
        read.number = 0;
        let read = &mut read;
        file.each(&job.paper, &mut |cast| read.put(cast))
            .map_err(CountError::from)?;
    }
    let converted = read.finish(spoiled)?;
    compare::compare(&job, files, &output.read_back(to)?)?;
    Ok(converted)
}

/// Where the ballots are written to.
enum Output {
    Memory(String),
    File {
        path: PathBuf,
        writer: BufWriter<File>,
    },
}

impl Output {
    fn put(&mut self, text: &str) -> Result<(), ConvertError> {
        match self {
            Self::Memory(all) => all.push_str(text),
            Self::File { path, writer } => {
                let failed = |error| ConvertError::Write {
                    path: path.display().to_string(),
                    error,
                };
                writer.write_all(text.as_bytes()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// What was written, as a file of ballots.
    fn read_back(&mut self, to: Format) -> Result<BallotFile, ConvertError> {
        let file = match self {
            Self::Memory(text) => {
                let name = format!("the converted file, {}", to.name());
                BallotFile::from_bytes(Path::new(&name), text.as_bytes().to_vec(), Some(to))
            }
            Self::File { path, writer } => {
                let flushed = writer.flush().and_then(|()| writer.get_ref().sync_all());
                flushed.map_err(|error| ConvertError::Write {
                    path: path.display().to_string(),
                    error,
                })?;
                BallotFile::read(path, Some(to))
            }
        };
        Ok(file.map_err(CountError::from)?)
    }
}

/// The records of files as they come in, and are written.
struct Read<'a> {
    job: &'a Job<'a>,
    file: &'a str,
    /// Its position among all.
    file_number: usize,
    repeats: Repeats<'a>,
    /// Records of the file so far, and of all.
    number: u64,
    all: u64,
    writer: Writer<'a>,
    ballots: u128,
    spoiled: u128,
    problems: Vec<Problem>,
    undecided: u128,
    /// What ends the conversion whatever else is found.
    error: Option<ConvertError>,
    /// The first ballot that cannot be written.
    lost: Option<ConvertError>,
    tell: &'a mut dyn FnMut(u64),
}

impl Read<'_> {
    fn put(&mut self, cast: Cast) {
        self.number += 1;
        self.all += 1;
        if self.all.is_multiple_of(RECORDS_TOLD) {
            (self.tell)(self.all);
        }
        let path = cast.place(self.file);
        let place = format!("{path}:{}", cast.line);
        if cast.write_ins_more > 0 && cast.ballot.is_ok() {
            self.error.get_or_insert(ConvertError::Lossy {
                place,
                what: "it has several votes for those who are not on the paper".into(),
            });
            return;
        }
        let encoded = cast.ballot.and_then(|ballot| {
            let ballot = self.job.paper.in_words_of_the_rule(ballot);
            let bytes = self.job.contest.encode_ballot(&ballot);
            let bytes = bytes.map_err(|error| error.to_string())?;
            Ok((ballot, bytes))
        });
        let reason = match encoded {
            Ok((ballot, bytes)) => {
                if let (Some(id), true) = (&cast.id, cast.is_id_unique) {
                    self.repeats.see(self.file_number, cast.line, id, &bytes);
                }
                self.write(&Record {
                    place: &place,
                    weight: cast.weight,
                    ballot: &ballot,
                });
                return;
            }
            Err(Unread::File(message)) => {
                let error = ImportError::Malformed {
                    path,
                    line: cast.line,
                    message,
                };
                self.error.get_or_insert(CountError::Import(error).into());
                return;
            }
            Err(Unread::Undecided(reason)) => {
                // What is listed are the ballots to decide about, and nothing else.
                if self.undecided == 0 {
                    self.problems.clear();
                }
                self.undecided += u128::from(cast.weight);
                reason
            }
            Err(Unread::Spoiled(reason) | Unread::Invalid(reason)) => {
                self.spoiled += u128::from(cast.weight);
                if self.undecided > 0 {
                    return;
                }
                reason
            }
        };
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                file: path,
                line: cast.line,
                record: self.number,
                ballot: cast.id,
                weight: cast.weight,
                reason,
            });
        }
    }

    fn write(&mut self, record: &Record<'_>) {
        self.ballots += u128::from(record.weight);
        if self.lost.is_none() {
            self.lost = self.writer.record(record).err();
        }
    }

    /// The end of what is written, unless a ballot stops the conversion.
    fn finish(self, spoiled: Spoiled) -> Result<Converted, ConvertError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.repeats.refuse().map_err(CountError::from)?;
        let problems = self.problems;
        if self.undecided > 0 {
            let count = self.undecided;
            return Err(CountError::Undecided { count, problems }.into());
        }
        if self.spoiled > 0 && spoiled == Spoiled::Refuse {
            let count = self.spoiled;
            return Err(CountError::Spoiled { count, problems }.into());
        }
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        self.writer.end()?;
        Ok(Converted {
            ballots: self.ballots,
            left_out: self.spoiled,
            problems,
        })
    }
}
