//! What a reader hands on: ballots, and what is wrong with a file or with one of its records.

use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::report::MarkCounts;

/// Why a file as a whole cannot be read.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The system does not give it.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is too large to be held in memory.
    #[error("{path} has {bytes} bytes, at most {bytes_max} allowed; split it")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Its format is read as a whole, and it is too large for that.
    #[error(
        "{path} has {bytes} bytes, and files of {format} are read as a whole, at most {bytes_max}: split it and \
         give the parts with --ballots each, or write it as jsonl, csv or blt, which are read in pieces"
    )]
    TooLargeAsWhole {
        /// The file.
        path: String,
        /// The format's name.
        format: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Neither its name nor its first characters say what it is.
    #[error("{path}: {found}; expected one of the formats {known}: choose one with --format")]
    UnknownFormat {
        /// The file.
        path: String,
        /// What it looks like.
        found: String,
        /// The formats.
        known: String,
    },
    /// It was said what its columns are, and it has none.
    #[error(
        "{path} is read as {format}, which has no columns; leave --columns out, or say --format csv where it is a table"
    )]
    NoTable {
        /// The file.
        path: String,
        /// Its format.
        format: &'static str,
    },
    /// What holds the ballots together is broken, or means more than one thing, so that none can be
    /// trusted.
    #[error("{path}:{line}: {message}")]
    Malformed {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
        /// What was expected, what came.
        message: String,
    },
}

/// A ballot that was not counted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line on which the ballot starts, from 1.
    pub line: u64,
    /// The number of the record in the file, from 1.
    pub record: u64,
    /// The ballot's own id, where the file has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ballot: Option<String>,
    /// How many ballots this is.
    pub weight: u64,
    /// What was expected, what came.
    pub reason: String,
}

impl Problem {
    /// The problem in a line: `ballots.csv:3: "d" is not an option (record 2, ballot 0-17)`.
    pub fn to_line(&self) -> String {
        let Self {
            file,
            line,
            record,
            ballot,
            reason,
            ..
        } = self;
        match ballot {
            None => format!("{file}:{line}: {reason} (record {record})"),
            Some(ballot) => format!("{file}:{line}: {reason} (record {record}, ballot {ballot})"),
        }
    }
}

/// One record of a file.
pub(crate) struct Cast {
    /// Which file of several.
    pub(crate) part: Option<Rc<str>>,
    pub(crate) line: u64,
    /// The ballot's own id.
    pub(crate) id: Option<String>,
    /// Whether no two ballots can have the same id.
    pub(crate) is_id_unique: bool,
    pub(crate) weight: u64,
    /// The ballot as JSON, or why it cannot be read.
    pub(crate) ballot: Result<Value, Unread>,
    /// What was marked, where the ballot as JSON does not show it.
    pub(crate) marks: Option<MarkCounts>,
    /// Marks for somebody who is not on the paper.
    pub(crate) write_ins: u64,
    /// Further votes of the same ballot for the option that stands for those who are not on the
    /// paper: one ballot of choices names an option once.
    pub(crate) write_ins_more: u64,
}

impl Cast {
    pub(crate) fn new(line: u64, weight: u64, ballot: Result<Value, Unread>) -> Self {
        Self {
            part: None,
            line,
            id: None,
            is_id_unique: false,
            weight,
            ballot,
            marks: None,
            write_ins: 0,
            write_ins_more: 0,
        }
    }

    /// The file that the record stands in, within the file or folder that was read.
    pub(crate) fn place(&self, file: &str) -> String {
        match &self.part {
            Some(part) => format!("{file}/{part}"),
            None => file.to_owned(),
        }
    }
}

/// Why a ballot cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// This ballot is spoiled.
    Spoiled(String),
    /// By the file's own word this ballot does not count; nobody has to be asked.
    Invalid(String),
    /// The file means more than one thing, or something that it cannot mean: no ballot of it counts.
    File(String),
    /// Somebody has to decide about this ballot first; nothing is counted before.
    Undecided(String),
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Spoiled(reason)
    }
}

impl From<&str> for Unread {
    fn from(reason: &str) -> Self {
        Self::Spoiled(reason.to_owned())
    }
}

/// Something wrong at a line; the file's name is added later.
#[derive(Debug)]
pub(crate) struct At {
    /// Which file of several.
    pub(crate) part: Option<String>,
    pub(crate) line: u64,
    pub(crate) message: String,
}

impl At {
    pub(crate) fn new(line: u64, message: impl Into<String>) -> Self {
        Self {
            part: None,
            line,
            message: message.into(),
        }
    }

    /// The same in that file of several.
    pub(crate) fn of(self, part: &str) -> Self {
        let part = Some(part.to_owned());
        Self { part, ..self }
    }
}

/// A text in a few characters, for messages.
pub(crate) fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
