//! Ballots from files.
//!
//! Each format has a module that turns its records into the JSON ballots that every rule takes,
//! one at a time, with the line they came from.

mod abif;
mod archive;
mod blt;
mod categories;
mod cell_references;
mod clear_ballot;
mod columns;
mod content;
mod csv_file;
mod cvr;
mod cvr_selections;
mod cvr_status;
mod cvr_stream;
mod cvr_xml;
mod dominion;
mod dominion_files;
mod format;
mod hart;
mod headless;
mod json;
mod layout;
mod marks;
mod pabulib;
mod paper;
mod preflib;
mod problem;
pub(crate) mod rows;
mod scottish;
mod spreadsheet;
mod xml;

use std::io::Read;
use std::path::Path;

pub use columns::{Columns, ColumnsError};
pub use format::Format;
pub(crate) use paper::Paper;
pub(crate) use problem::{Cast, Unread};
pub use problem::{ImportError, Problem};

use serde_json::{Map, Value};

use crate::election::Election;
use archive::Part;
use blt::Blt;
use content::{Content, Stored};
use problem::At;

/// What a file itself says of its contest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Positions of options that withdrew.
    pub(crate) withdrawn: Vec<usize>,
    pub(crate) seats: Option<u64>,
    /// What may be spent.
    pub(crate) budget: Option<u64>,
    /// By option id, what each project costs.
    pub(crate) costs: Option<Map<String, Value>>,
}

/// A file of ballots, or files that belong together.
#[derive(Clone, Debug)]
pub struct BallotFile {
    name: String,
    format: Format,
    content: Content,
    /// The files of a format that has several; then there is no text.
    parts: Vec<Part>,
    columns: Option<Columns>,
}

impl BallotFile {
    /// Of a file that is read as a whole; more than a hundred million voters need in most formats.
    const BYTES_MAX: u64 = 4 << 30;

    /// Of JSON, XML, PrefLib, scot-elex, pabulib and ABIF, whose text is held and taken apart as a whole: some ten
    /// million ballots. In tests of this crate's own it is small.
    const WHOLE_TEXT_BYTES_MAX: u64 = if cfg!(test) { 4 << 10 } else { 1 << 30 };

    /// Tables, BLT and JSON lines of more bytes are read in pieces, as often as something has to be known
    /// of all of them.
    const WHOLE_BYTES_MAX: u64 = 1 << 20;

    /// Cast Vote Records of more bytes are read record by record, which takes twice as long.
    const WHOLE_RECORDS_BYTES_MAX: u64 = 64 << 20;

    /// Of a large file, what is looked at to tell its format.
    const START_BYTES: u64 = 64 << 10;

    /// Reads a file, or a folder of files that belong together; without a format its name and first
    /// characters tell.
    pub fn read(path: &Path, format: Option<Format>) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        let error = |error| ImportError::Read {
            path: name.clone(),
            error,
        };
        let about = std::fs::metadata(path).map_err(error)?;
        if about.is_dir() {
            return Self::from_parts(name, archive::folder(path, Self::BYTES_MAX)?, format);
        }
        let bytes = about.len();
        if bytes > Self::WHOLE_BYTES_MAX
            && let Some(format) = Self::in_pieces(path, bytes, format).map_err(error)?
        {
            let content = Content::Stored(Stored::new(path).map_err(error)?);
            return Ok(Self {
                content,
                ..Self::new(name, format)
            });
        }
        if bytes > Self::BYTES_MAX {
            return Err(ImportError::TooLarge {
                path: name,
                bytes,
                bytes_max: Self::BYTES_MAX,
            });
        }
        let bytes = std::fs::read(path).map_err(error)?;
        let mut file = Self::from_bytes(path, bytes, format)?;
        if file.format == Format::Dominion
            && !file
                .parts
                .iter()
                .any(|part| dominion_files::is_manifest(&part.name))
        {
            // The manifests of an export stand beside it.
            for manifest in dominion_files::MANIFESTS {
                if let Ok(bytes) = std::fs::read(path.with_file_name(manifest)) {
                    let name = manifest.to_owned();
                    file.parts.push(Part { name, bytes });
                }
            }
        }
        Ok(file)
    }

    fn new(name: String, format: Format) -> Self {
        Self {
            name,
            format,
            content: Content::Text(String::new()),
            parts: Vec::new(),
            columns: None,
        }
    }

    /// The format of a large file, by what is asked for or by name and start, where it can be read in
    /// pieces.
    fn in_pieces(
        path: &Path,
        bytes: u64,
        format: Option<Format>,
    ) -> std::io::Result<Option<Format>> {
        let mut start = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(Self::START_BYTES).read_to_end(&mut start)?;
        let text = String::from_utf8_lossy(&start);
        let text = text.trim_start_matches('\u{feff}');
        if archive::is_zip(&start) {
            return Ok(None);
        }
        let found = format.or_else(|| Format::of_start(path, text));
        Ok(found.filter(|format| match format {
            Format::Csv | Format::ClearBallot | Format::Blt | Format::JsonLines => true,
            Format::Cvr => bytes > Self::WHOLE_RECORDS_BYTES_MAX,
            _ => false,
        }))
    }

    /// Takes the bytes of a file that has that name.
    pub fn from_bytes(
        path: &Path,
        bytes: Vec<u8>,
        format: Option<Format>,
    ) -> Result<Self, ImportError> {
        let name = path.display().to_string();
        if archive::is_zip(&bytes) {
            return Self::from_archive(name, bytes, format);
        }
        let text = text(&name, bytes)?;
        let format = match format {
            Some(format) => format,
            None => Format::of(path, &text).map_err(|found| Self::unknown(&name, found))?,
        };
        if format.is_taken_as_whole() && text.len() as u64 > Self::WHOLE_TEXT_BYTES_MAX {
            return Err(ImportError::TooLargeAsWhole {
                path: name,
                format: format.name(),
                bytes: text.len() as u64,
                bytes_max: Self::WHOLE_TEXT_BYTES_MAX,
            });
        }
        let file = |text: String, parts: Vec<Part>| Self {
            content: Content::Text(text),
            parts,
            ..Self::new(name.clone(), format)
        };
        let one = |name: &str, text: String| {
            let name = name.to_owned();
            let bytes = text.into_bytes();
            vec![Part { name, bytes }]
        };
        match format {
            Format::Xlsx => {
                let found = "it is no spreadsheet of the kind .xlsx".to_owned();
                Err(Self::unknown(&name, found))
            }
            Format::Dominion => Ok(file(String::new(), one("CvrExport.json", text))),
            Format::Hart => Ok(file(String::new(), one("ballot.xml", text))),
            Format::CvrXml => match cvr_xml::to_json(&text) {
                Ok(json) => Ok(file(json, Vec::new())),
                Err(at) => Err(file(text, Vec::new()).malformed(at)),
            },
            _ => Ok(file(text, Vec::new())),
        }
    }

    fn from_archive(
        name: String,
        bytes: Vec<u8>,
        format: Option<Format>,
    ) -> Result<Self, ImportError> {
        let broken = |message: String| ImportError::Malformed {
            path: name.clone(),
            line: 1,
            message,
        };
        if !spreadsheet::is_one(&archive::names(&bytes).map_err(broken)?) {
            let parts = archive::unzip(&bytes, Self::BYTES_MAX).map_err(broken)?;
            return Self::from_parts(name, parts, format);
        }
        if format.is_some_and(|format| format != Format::Xlsx && format != Format::Csv) {
            return Err(Self::unknown(&name, "it is a spreadsheet".into()));
        }
        let mut file = Self::new(name.clone(), Format::Xlsx);
        if let Some(sheet) = spreadsheet::sheet(bytes, Self::BYTES_MAX).map_err(broken)? {
            file.content = Content::Sheet(sheet);
        }
        Ok(file)
    }

    fn from_parts(
        name: String,
        mut parts: Vec<Part>,
        format: Option<Format>,
    ) -> Result<Self, ImportError> {
        if parts.len() == 1
            && let Some(part) = parts.pop()
        {
            let inner = format!("{name}/{}", part.name);
            if archive::is_zip(&part.bytes) {
                return Err(Self::unknown(&inner, "it is an archive in another".into()));
            }
            return Self::from_bytes(Path::new(&inner), part.bytes, format);
        }
        let found = Format::of_parts(&parts).map_err(|found| Self::unknown(&name, found))?;
        if format.is_some_and(|format| format != found) {
            let message = format!("its files are of another format, {found:?}");
            return Err(Self::unknown(&name, message));
        }
        Ok(Self {
            parts,
            ..Self::new(name, found)
        })
    }

    fn unknown(name: &str, found: String) -> ImportError {
        ImportError::UnknownFormat {
            path: name.to_owned(),
            found,
            known: Format::names(),
        }
    }

    /// Whether another file holds the same, so that its ballots would count twice.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let bytes = |part: &Part, other: &Part| part.bytes == other.bytes;
        let holds_text = !matches!(&self.content, Content::Text(text) if text.is_empty());
        (holds_text || !self.parts.is_empty())
            && self.parts.len() == other.parts.len()
            && self
                .parts
                .iter()
                .zip(&other.parts)
                .all(|(a, b)| bytes(a, b))
            && self.content.is_same(&other.content)
    }

    /// Reads a table by these columns, whatever its head says; a file of another format has none.
    pub fn with_columns(mut self, columns: Columns) -> Result<Self, ImportError> {
        if !matches!(self.format, Format::Csv | Format::Xlsx) {
            return Err(ImportError::NoTable {
                path: self.name,
                format: self.format.name(),
            });
        }
        self.columns = Some(columns);
        Ok(self)
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
            Format::Blt => Blt::parse(&self.content)
                .and_then(|blt| blt.facts(&election.options, &election.names()))
                .map_err(|at| self.malformed(at)),
            Format::ScotElex => {
                scottish::facts(self.content.text()).map_err(|at| self.malformed(at))
            }
            Format::Pabulib => {
                pabulib::facts(self.content.text(), &election.options, &election.names())
                    .map_err(|at| self.malformed(at))
            }
            _ => Ok(Facts::default()),
        }
    }

    /// What somebody should know of the file, though it can be counted.
    pub(crate) fn note(&self) -> Option<String> {
        let missing = match self.format {
            Format::Dominion => dominion_files::missing(&self.parts),
            _ => None,
        };
        missing.map(|missing| format!("{}: {missing}", self.name))
    }

    /// Gives every ballot of the contest to `sink`, in the order of the file.
    pub(crate) fn each(
        &self,
        paper: &Paper<'_>,
        sink: &mut dyn FnMut(Cast),
    ) -> Result<(), ImportError> {
        let done = match self.format {
            Format::Json => json::array(self.content.text(), sink),
            Format::JsonLines => json::lines(&self.content, sink),
            Format::Csv | Format::Xlsx => {
                csv_file::read(&self.content, self.columns.as_ref(), paper, sink)
            }
            Format::Blt => Blt::parse(&self.content).and_then(|blt| blt.each(paper, sink)),
            Format::Cvr | Format::CvrXml => match &self.content {
                Content::Stored(stored) => cvr::read_large(stored, paper, sink),
                content => cvr::read(content.text(), paper, sink),
            },
            Format::Dominion => dominion::read(&self.parts, paper, sink),
            Format::Hart => hart::read(&self.parts, paper, sink),
            Format::ClearBallot => clear_ballot::read(&self.content, paper, sink),
            Format::PrefLib => preflib::read(&self.name, self.content.text(), paper, sink),
            Format::ScotElex => scottish::read(self.content.text(), paper, sink),
            Format::Pabulib => pabulib::read(self.content.text(), paper, sink),
            Format::Abif => abif::read(self.content.text(), paper, sink),
        };
        done.map_err(|at| self.malformed(at))
    }

    fn malformed(&self, at: At) -> ImportError {
        ImportError::Malformed {
            path: match at.part {
                Some(part) => format!("{}/{part}", self.name),
                None => self.name.clone(),
            },
            line: at.line,
            message: at.message,
        }
    }
}

/// The text of a file, without a mark of its order of bytes.
fn text(name: &str, bytes: Vec<u8>) -> Result<String, ImportError> {
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ImportError::Malformed {
            path: name.to_owned(),
            line: 1 + line_ends(good),
            message: NO_UTF8.into(),
        }
    })?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Where a file is no text.
const NO_UTF8: &str = "expected UTF-8, found other bytes; convert the file first";

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_taken_as_a_whole_have_a_limit() {
        let text = |bytes: usize| " ".repeat(bytes).into_bytes();
        let most = BallotFile::WHOLE_TEXT_BYTES_MAX as usize;
        for (name, format) in Format::ALL {
            let read = |bytes| BallotFile::from_bytes(Path::new("x"), text(bytes), Some(format));
            let is_refused =
                |bytes| matches!(read(bytes), Err(ImportError::TooLargeAsWhole { .. }));
            assert!(!is_refused(most), "{name}");
            let is_whole = ["json", "cvr-xml", "preflib", "scot-elex", "pabulib", "abif"];
            assert_eq!(is_refused(most + 1), is_whole.contains(&name), "{name}");
        }
        let error = BallotFile::from_bytes(Path::new("x.json"), text(most + 1), Some(Format::Json));
        assert_eq!(
            error.unwrap_err().to_string(),
            "x.json has 4097 bytes, and files of json are read as a whole, at most 4096: split it and give the parts \
             with --ballots each, or write it as jsonl, csv or blt, which are read in pieces"
        );
    }
}
