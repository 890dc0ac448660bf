//! Files with a value of JSON on each line.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Why a file's lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// It cannot be opened.
    #[error("cannot read {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("line {number} of {}{expected}", path.display())]
    Line {
        /// Its number, from 1.
        number: u64,
        /// The file.
        path: PathBuf,
        /// What it should be, as the sentence goes on; empty where the file's name says it.
        expected: &'static str,
        /// The error in it.
        source: io::Error,
    },
}

/// The lines of a file, with their numbers for errors, which end in what a line is `expected` to be.
pub(crate) struct Lines<'f, T> {
    file: &'f Path,
    expected: &'static str,
    lines: io::Lines<BufReader<File>>,
    number: u64,
    of: PhantomData<T>,
}

impl<'f, T: DeserializeOwned> Lines<'f, T> {
    pub(crate) fn open(file: &'f Path, expected: &'static str) -> Result<Self, LinesError> {
        let opened = File::open(file).map_err(|source| LinesError::Open {
            path: file.to_owned(),
            source,
        })?;
        Ok(Self {
            file,
            expected,
            lines: BufReader::new(opened).lines(),
            number: 0,
            of: PhantomData,
        })
    }

    /// Returns the next line; nothing after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<T>, LinesError> {
        self.number += 1;
        let Some(line) = self.lines.next() else {
            return Ok(None);
        };
        let read = line.and_then(|line| Ok(serde_json::from_str(&line)?));
        read.map(Some).map_err(|source| LinesError::Line {
            number: self.number,
            path: self.file.to_owned(),
            expected: self.expected,
            source,
        })
    }
}
