//! The formats that ballots are read from, and how a file says which it has.

use std::path::Path;

use super::{archive, blt, clear_ballot, cvr_stream, json, pabulib, preflib, scottish};

/// The formats that ballots are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON array of ballots, or an object with such an array as `ballots`.
    Json,
    /// One JSON ballot a line.
    JsonLines,
    /// Lines of cells; see `docs/election-files.md`.
    Csv,
    /// The same in a spreadsheet.
    Xlsx,
    /// The ranked ballots of OpaVote, OpenSTV and many others.
    Blt,
    /// NIST SP 1500-103 Cast Vote Records, JSON.
    Cvr,
    /// The same in XML.
    CvrXml,
    /// Dominion's `CvrExport.json` with its manifests, in a folder or a zip archive.
    Dominion,
    /// Hart's XML files, one a ballot, in a folder or a zip archive.
    Hart,
    /// Clear Ballot's table, with a column for each option at each rank.
    ClearBallot,
    /// Orders of preference as PrefLib keeps them: `.soc`, `.soi`, `.toc`, `.toi`.
    PrefLib,
    /// Wards of Scottish council elections, as the data set scot-elex keeps them.
    ScotElex,
    /// Participatory budgeting, as pabulib keeps it.
    Pabulib,
    /// Aggregated ballots: `42: a > b = c`.
    Abif,
}

impl Format {
    /// Every format, by the name that a command line uses.
    pub const ALL: [(&'static str, Self); 14] = [
        ("json", Self::Json),
        ("jsonl", Self::JsonLines),
        ("csv", Self::Csv),
        ("xlsx", Self::Xlsx),
        ("blt", Self::Blt),
        ("cvr", Self::Cvr),
        ("cvr-xml", Self::CvrXml),
        ("dominion", Self::Dominion),
        ("hart", Self::Hart),
        ("clear-ballot", Self::ClearBallot),
        ("preflib", Self::PrefLib),
        ("scot-elex", Self::ScotElex),
        ("pabulib", Self::Pabulib),
        ("abif", Self::Abif),
    ];

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format)
    }

    /// The format's name on a command line.
    pub fn name(self) -> &'static str {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, format)| *format == self)
            .map_or("", |(name, _)| name)
    }

    /// Whether its files are held and taken apart as a whole. Exports of machines are files of their own, or in
    /// many.
    pub(super) fn is_taken_as_whole(self) -> bool {
        matches!(
            self,
            Self::Json | Self::CvrXml | Self::PrefLib | Self::ScotElex | Self::Pabulib | Self::Abif
        )
    }

    /// Takes the file's name for it, and where that says nothing its first characters; what neither
    /// says is not guessed.
    pub(super) fn of(path: &Path, text: &str) -> Result<Self, String> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_lowercase);
        let start = text.trim_start();
        let looks = match start.chars().next() {
            None => None,
            Some('{' | '[') => Some(json::guess(text)),
            Some('<') => Some(xml(start)?),
            _ if pabulib::looks_like(text) => Some(Self::Pabulib),
            _ if clear_ballot::looks_like(text) => Some(Self::ClearBallot),
            _ if scottish::looks_like(text) => Some(Self::ScotElex),
            _ if preflib::looks_like(text) => Some(Self::PrefLib),
            _ if blt::looks_like(text) => Some(Self::Blt),
            _ => None,
        };
        match (extension.as_deref(), looks) {
            (Some("abif"), _) => Ok(Self::Abif),
            (Some("jsonl" | "ndjson"), _) => Ok(Self::JsonLines),
            (Some("blt"), _) => Ok(Self::Blt),
            (Some("pb"), _) => Ok(Self::Pabulib),
            (Some("soc" | "soi" | "toc" | "toi" | "cat"), _) => Ok(Self::PrefLib),
            (Some("csv"), Some(found @ (Self::ScotElex | Self::ClearBallot))) => Ok(found),
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

    /// The format of a large file, by its name and its start; `None` where these do not tell, and the whole
    /// file has to be looked at.
    pub(super) fn of_start(path: &Path, start: &str) -> Option<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let extension = extension.map(str::to_lowercase);
        if matches!(extension.as_deref(), Some("jsonl" | "ndjson")) {
            return (!start.trim_start().starts_with('<')).then_some(Self::JsonLines);
        }
        if cvr_stream::looks_like(start) {
            return Some(Self::Cvr);
        }
        // A ward's candidates stand at its end, and what JSON is, all of it tells.
        let is_open =
            start.trim_start().starts_with(['{', '[', '<']) || scottish::starts_like(start);
        match is_open {
            true => None,
            false => Self::of(path, start).ok(),
        }
    }

    /// The format of files that belong together.
    pub(super) fn of_parts(parts: &[archive::Part]) -> Result<Self, String> {
        let names = || parts.iter().map(|part| part.name.as_str());
        if names().any(super::dominion_files::is_export) {
            return Ok(Self::Dominion);
        }
        if parts.len() > 1 && names().all(super::hart::is_ballot) {
            return Ok(Self::Hart);
        }
        let shown: Vec<&str> = names().take(5).collect();
        Err(format!(
            "its files ({} in all, such as {}) are neither CvrExport.json with manifests nor XML files \
             of one ballot each",
            parts.len(),
            shown.join(", ")
        ))
    }

    pub(super) fn names() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }
}

/// Which of the formats that are XML a text has, by its first element.
fn xml(text: &str) -> Result<Format, String> {
    let names = text.split('<').skip(1).map(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
        &rest[..end.unwrap_or(rest.len())]
    });
    let first = names.into_iter().find(|name| !name.starts_with(['?', '!']));
    let first = first.unwrap_or_default();
    match first.rsplit(':').next().unwrap_or_default() {
        "CastVoteRecordReport" => Ok(Format::CvrXml),
        "Cvr" => Ok(Format::Hart),
        _ => Err(format!("it is XML of an unknown kind, {first:?}")),
    }
}
