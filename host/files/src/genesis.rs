//! The genesis document on disk.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use tabella_protocol::{Genesis, GenesisError};

/// Longest genesis document that is read: many times that of the largest validator set.
pub const GENESIS_BYTES_MAX: u64 = 4 << 20;

/// Why a genesis document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// It cannot be read.
    #[error("the genesis file {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is longer than any genesis document.
    #[error("the genesis file {path} is longer than {GENESIS_BYTES_MAX} bytes; name another file")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It does not hold a usable genesis document.
    #[error("the genesis file {path}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The error in it.
        error: GenesisError,
    },
}

/// Reads and checks the genesis document at `path`.
pub fn read_genesis(path: &Path) -> Result<Genesis, GenesisFileError> {
    let unreadable = |error| GenesisFileError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(GENESIS_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let path = path.to_owned();
    if text.len() as u64 > GENESIS_BYTES_MAX {
        return Err(GenesisFileError::TooLong { path });
    }
    Genesis::from_json(&text).map_err(|error| GenesisFileError::Malformed { path, error })
}
