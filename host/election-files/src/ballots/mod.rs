//! Ballots from files.
//!
//! Each format has a module that turns its records into the JSON ballots that every rule takes,
//! one at a time, with the line they came from.

mod blt;
mod csv_file;
mod cvr;
mod json;
mod paper;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

pub(crate) use paper::Paper;

use crate::election::Election;
use blt::Blt;

/// The formats that ballots are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON array of ballots, or an object with such an array as `ballots`.
    Json,
    /// One JSON ballot a line.
    JsonLines,
    /// Lines of cells; see `docs/election-files.md`.
    Csv,
    /// The ranked ballots of OpaVote, OpenSTV and many others.
    Blt,
    /// NIST SP 1500-103 Cast Vote Records, JSON.
    Cvr,
}

impl Format {
    /// Every format, by the name that a command line uses.
    pub const ALL: [(&'static str, Self); 5] = [
        ("json", Self::Json),
        ("jsonl", Self::JsonLines),
        ("csv", Self::Csv),
        ("blt", Self::Blt),
        ("cvr", Self::Cvr),
    ];

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format)
    }

    /// Takes the file's name for it, and where that says nothing its first characters.
    fn guess(path: &Path, text: &str) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Self::JsonLines,
            Some("csv" | "tsv") => Self::Csv,
            Some("blt") => Self::Blt,
            _ => match text.trim_start().chars().next() {
                Some('{' | '[') => json::guess(text),
                _ if blt::looks_like(text) => Self::Blt,
                _ => Self::Csv,
            },
        }
    }
}

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
    /// What holds the ballots together is broken, so that none can be trusted.
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
    /// How many ballots this is.
    pub weight: u64,
    /// What was expected, what came.
    pub reason: String,
}

/// One record of a file.
pub(crate) struct Cast {
    pub(crate) line: u64,
    pub(crate) weight: u64,
    /// The ballot as JSON, or why it cannot be read.
    pub(crate) ballot: Result<Value, String>,
}

/// Something wrong at a line; the file's name is added later.
pub(crate) struct At {
    line: u64,
    message: String,
}

impl At {
    fn new(line: u64, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }
}

/// What a file itself says of its contest.
#[derive(Default)]
pub(crate) struct Facts {
    /// Positions of options that withdrew.
    pub(crate) withdrawn: Vec<usize>,
    pub(crate) seats: Option<u64>,
}

/// A file of ballots.
#[derive(Clone, Debug)]
pub struct BallotFile {
    name: String,
    format: Format,
    text: String,
}

impl BallotFile {
    /// Files are read as a whole; this is more than a hundred million voters need in BLT.
    const BYTES_MAX: u64 = 4 << 30;

    /// Reads a file; without a format its name and first characters tell.
    pub fn read(path: &Path, format: Option<Format>) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        let error = |error| ImportError::Read {
            path: name.clone(),
            error,
        };
        let bytes = std::fs::metadata(path).map_err(error)?.len();
        if bytes > Self::BYTES_MAX {
            return Err(ImportError::TooLarge {
                path: name,
                bytes,
                bytes_max: Self::BYTES_MAX,
            });
        }
        let bytes = std::fs::read(path).map_err(error)?;
        Self::from_bytes(path, bytes, format)
    }

    /// Takes the bytes of a file that has that name.
    pub fn from_bytes(
        path: &Path,
        bytes: Vec<u8>,
        format: Option<Format>,
    ) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        let mut text = String::from_utf8(bytes).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            ImportError::Malformed {
                path: name.clone(),
                line: 1 + line_ends(good),
                message: "expected UTF-8, found other bytes; convert the file first".into(),
            }
        })?;
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let format = format.unwrap_or_else(|| Format::guess(path, &text));
        Ok(Self { name, format, text })
    }

    /// The file's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn facts(&self, election: &Election) -> Result<Facts, ImportError> {
        match self.format {
            Format::Blt => Blt::parse(&self.text)
                .and_then(|blt| blt.facts(&election.options))
                .map_err(|at| self.malformed(at)),
            _ => Ok(Facts::default()),
        }
    }

    /// Gives every ballot of the contest to `sink`, in the order of the file.
    pub(crate) fn each(
        &self,
        paper: &Paper<'_>,
        sink: &mut dyn FnMut(Cast),
    ) -> Result<(), ImportError> {
        let done = match self.format {
            Format::Json => json::array(&self.text, sink),
            Format::JsonLines => {
                json::lines(&self.text, sink);
                Ok(())
            }
            Format::Csv => csv_file::read(&self.text, paper, sink),
            Format::Blt => Blt::parse(&self.text).and_then(|blt| blt.each(paper, sink)),
            Format::Cvr => cvr::read(&self.text, paper, sink),
        };
        done.map_err(|at| self.malformed(at))
    }

    fn malformed(&self, at: At) -> ImportError {
        ImportError::Malformed {
            path: self.name.clone(),
            line: at.line,
            message: at.message,
        }
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// A text in a few characters, for messages.
fn brief(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
