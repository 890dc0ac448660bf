//! Ballots that stand in two files which are counted together.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::ballots::{BallotFile, ImportError};

/// Enough of a digest to tell ids and ballots apart in little memory.
pub(crate) type Short = [u8; 16];

pub(crate) fn short(bytes: &[u8]) -> Short {
    let digest = Sha256::digest(bytes);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// The ids of ballots in several files.
///
/// Files that number their ballots each for themselves have the same numbers, and other marks under some
/// of them. Where every id that two files share has the same marks in both, one file holds ballots of the
/// other.
pub(crate) struct Repeats<'a> {
    files: &'a [BallotFile],
    /// By id, the file and its ballot there.
    known: HashMap<Short, (usize, Short)>,
    /// By a file and an earlier one, what they share.
    shared: HashMap<(usize, usize), Shared>,
}

struct Shared {
    same: u64,
    different: u64,
    /// The first ballot that stands in both: its line and its id.
    first: (u64, String),
}

impl<'a> Repeats<'a> {
    pub(crate) fn new(files: &'a [BallotFile]) -> Self {
        Self {
            files,
            known: HashMap::new(),
            shared: HashMap::new(),
        }
    }

    /// Notes a ballot of that file, by position.
    pub(crate) fn see(&mut self, file: usize, line: u64, id: &str, ballot: &[u8]) {
        if self.files.len() < 2 {
            return;
        }
        let ballot = short(ballot);
        let (before, known) = *self
            .known
            .entry(short(id.as_bytes()))
            .or_insert((file, ballot));
        if before == file {
            return;
        }
        let shared = self.shared.entry((file, before)).or_insert_with(|| Shared {
            same: 0,
            different: 0,
            first: (line, id.to_owned()),
        });
        match known == ballot {
            true => shared.same += 1,
            false => shared.different += 1,
        }
    }

    /// Refuses files of which one holds ballots of another.
    pub(crate) fn refuse(&self) -> Result<(), ImportError> {
        let mut pairs: Vec<_> = self.shared.iter().collect();
        pairs.sort_by_key(|(files, _)| **files);
        let found = pairs.into_iter().find(|(_, shared)| shared.different == 0);
        let Some(((file, before), shared)) = found else {
            return Ok(());
        };
        let (line, id) = &shared.first;
        Err(ImportError::Malformed {
            path: self.files[*file].name().to_owned(),
            line: *line,
            message: format!(
                "{} of its ballots stand in {} too, with the same ids and marks, such as {id}; a ballot \
                 counts once: take them out of one file, or, where each file numbers its ballots for \
                 itself, pass the ids over with --columns",
                shared.same,
                self.files[*before].name()
            ),
        })
    }
}
