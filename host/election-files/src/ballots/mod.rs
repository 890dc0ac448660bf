//! Ballots from files.
//!
//! Each format has a module that turns its records into the JSON ballots that every rule takes,
//! one at a time, with the line they came from.

mod blt;
mod columns;
mod csv_file;
mod cvr;
mod cvr_selections;
mod json;
mod layout;
mod paper;
mod preflib;
mod problem;
pub(crate) mod rows;
mod scottish;

use std::path::Path;

pub use columns::{Columns, ColumnsError};
pub(crate) use paper::Paper;
pub(crate) use problem::{Cast, Unread};
pub use problem::{ImportError, Problem};

use crate::election::Election;
use blt::Blt;
use problem::At;

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
    /// Orders of preference as PrefLib keeps them: `.soc`, `.soi`, `.toc`, `.toi`.
    PrefLib,
    /// Wards of Scottish council elections, as the data set scot-elex keeps them.
    ScotElex,
}

impl Format {
    /// Every format, by the name that a command line uses.
    pub const ALL: [(&'static str, Self); 7] = [
        ("json", Self::Json),
        ("jsonl", Self::JsonLines),
        ("csv", Self::Csv),
        ("blt", Self::Blt),
        ("cvr", Self::Cvr),
        ("preflib", Self::PrefLib),
        ("scot-elex", Self::ScotElex),
    ];

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format)
    }

    /// Takes the file's name for it, and where that says nothing its first characters; what neither
    /// says is not guessed.
    fn of(path: &Path, text: &str) -> Result<Self, String> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_lowercase);
        let start = text.trim_start();
        let looks = match start.chars().next() {
            None => None,
            Some('{' | '[') => Some(json::guess(text)),
            Some('<') => return Err("it looks like XML, which is not read".into()),
            _ if start.starts_with("PK\u{3}\u{4}") => {
                return Err(
                    "it looks like a zip archive or a spreadsheet, which is not read".into(),
                );
            }
            _ if scottish::looks_like(text) => Some(Self::ScotElex),
            _ if preflib::looks_like(text) => Some(Self::PrefLib),
            _ if blt::looks_like(text) => Some(Self::Blt),
            _ => None,
        };
        match (extension.as_deref(), looks) {
            (Some("jsonl" | "ndjson"), _) => Ok(Self::JsonLines),
            (Some("blt"), _) => Ok(Self::Blt),
            (Some("soc" | "soi" | "toc" | "toi"), _) => Ok(Self::PrefLib),
            (Some("csv"), Some(Self::ScotElex)) => Ok(Self::ScotElex),
            (Some("csv" | "tsv"), None | Some(Self::Blt)) => Ok(Self::Csv),
            (Some("csv" | "tsv"), Some(_)) => {
                Err("its name says that it is a table, and it starts like another format".into())
            }
            (_, Some(format)) => Ok(format),
            (Some(extension), None) => Err(format!(
                "files that end in .{extension} may hold anything, and its first characters do not \
                 tell"
            )),
            (None, None) => Err("neither its name nor its first characters tell its format".into()),
        }
    }

    fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
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
    columns: Option<Columns>,
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
        let format = match format {
            Some(format) => format,
            None => Format::of(path, &text).map_err(|found| ImportError::UnknownFormat {
                path: name.clone(),
                found,
                known: Format::names(),
            })?,
        };
        Ok(Self {
            name,
            format,
            text,
            columns: None,
        })
    }

    /// Reads a table by these columns, whatever its head says.
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.columns = Some(columns);
        self
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
                .and_then(|blt| blt.facts(&election.options, &election.names()))
                .map_err(|at| self.malformed(at)),
            Format::ScotElex => scottish::facts(&self.text).map_err(|at| self.malformed(at)),
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
            Format::Csv => csv_file::read(&self.text, self.columns.as_ref(), paper, sink),
            Format::Blt => Blt::parse(&self.text).and_then(|blt| blt.each(paper, sink)),
            Format::Cvr => cvr::read(&self.text, paper, sink),
            Format::PrefLib => preflib::read(&self.text, paper, sink),
            Format::ScotElex => scottish::read(&self.text, paper, sink),
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
