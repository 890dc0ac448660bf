//! The write-ahead log file: whether it may be used, before the engine opens it.
//!
//! A power cut may leave any part of what was written since the last sync. Nothing of that was sent
//! to anybody, so a torn end is cut off here: the engine would stop at it, some ends of zeros at every
//! start again. Anything else that is broken may have been synced and sent; then the log is damaged,
//! and the node must not sign. `entries` tells the two apart.

#[cfg(test)]
mod adversary;
mod entries;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use crate::WalPolicy;
use entries::{Entries, HEADER_BYTES};

/// The log's name inside the data directory.
const FILE_NAME: &str = "consensus.wal";

/// The version of the engine's format.
const VERSION: u32 = 1;

/// The file that holds the write-ahead log.
pub trait LogFile: Read + Write + Seek {
    /// Its length in bytes.
    fn size_bytes(&self) -> io::Result<u64>;
    /// Makes it this long.
    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()>;
    /// Returns when everything written is durable.
    fn sync_all(&mut self) -> io::Result<()>;
}

impl LogFile for File {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()> {
        self.set_len(size_bytes)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }
}

/// Why the write-ahead log does not allow to start.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// It is gone, though this validator may have signed.
    #[error(
        "the consensus write-ahead log {path} is missing, and without it this validator could sign \
         a second, contradicting vote; restore the disk, or {WAYS_OUT} {height}"
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The height this node would take part in.
        height: u64,
    },
    /// It belongs to another state of the chain: a restored backup or a mixed-up directory.
    #[error(
        "the consensus write-ahead log {path} is of height {got}, but this node's chain ends at \
         height {tip}: one of them was restored, replaced or damaged. Put back the chain and the log \
         of the same moment, or {WAYS_OUT} {passed}",
        passed = .tip.max(.got)
    )]
    OtherHeight {
        /// The log.
        path: PathBuf,
        /// The last committed height.
        tip: u64,
        /// The height in the log.
        got: u64,
    },
    /// It was changed after it was written, which no crash does.
    #[error(
        "the consensus write-ahead log {path} is damaged, and without what stood there this \
         validator could sign a second, contradicting vote; restore the disk, or {WAYS_OUT} {height}"
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The height this node would take part in.
        height: u64,
    },
    /// The directory or the file cannot be used.
    #[error("cannot use the consensus write-ahead log {path}: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

/// What an operator can do about a log that does not allow to start; a height follows.
const WAYS_OUT: &str = "move the data directory away and run `tabella restore --config FILE --lost`: \
     the validator then follows the others and signs once nothing that it signed before matters. \
     Only where that cannot be, because too few others are left, and you are certain that no other \
     node runs with this key: set `accept_missing_wal = true` for one start, after the network has \
     passed height";

/// Checks the log in `data_dir` of a node that is about to start `height`, and mends it; returns its
/// path.
///
/// The log always is of the last height that started, which is the one after the last committed block
/// or, if the crash came in between, that block's own.
pub fn check(data_dir: &Path, policy: WalPolicy, height: u64) -> Result<PathBuf, WalError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| WalError::Io { path, error }
    };
    let path = data_dir.join(FILE_NAME);
    match File::options().read(true).write(true).open(&path) {
        Ok(mut file) => match file.try_lock() {
            Ok(()) => prepare(&path, &mut file, policy, height)?,
            // Whoever has it is writing it; the engine waits for the lock or gives up.
            Err(_) => {
                let bytes = fs::read(&path).map_err(failed(&path))?;
                judge(&path, policy, sequence(&bytes), height)?;
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            judge(&path, policy, None, height)?
        }
        Err(error) => return Err(failed(&path)(error)),
    }
    fs::create_dir_all(data_dir).map_err(failed(data_dir))?;
    Ok(path)
}

/// Checks and mends an existing log.
pub(crate) fn prepare(
    path: &Path,
    file: &mut impl LogFile,
    policy: WalPolicy,
    height: u64,
) -> Result<(), WalError> {
    let io = |error| WalError::Io {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    file.rewind().map_err(io)?;
    file.read_to_end(&mut bytes).map_err(io)?;
    let sequence = sequence(&bytes);
    // No crash leaves a header without its version, or anything behind one that was never written.
    let has_more = bytes.len() >= HEADER_BYTES && bytes.iter().any(|byte| *byte != 0);
    if sequence.is_none() && policy != WalPolicy::Create && has_more {
        return Err(damaged(path, height));
    }
    judge(path, policy, sequence, height)?;
    let end = match sequence {
        // The engine writes the header.
        None => 0,
        _ if policy == WalPolicy::Create && !is_sound(&bytes, height) => 0,
        Some(_) if version(&bytes) != Some(VERSION) => return Err(damaged(path, height)),
        // Of a height that is over, which the engine empties; unless it only says so.
        Some(other) if other != height => {
            return match entries::reaches(&bytes, height) {
                true => Err(damaged(path, height)),
                false => Ok(()),
            };
        }
        Some(_) => match entries::read(&bytes, height) {
            Entries::SoundTo(end) => end,
            Entries::BeingEmptied => HEADER_BYTES,
            Entries::Damaged => return Err(damaged(path, height)),
        },
    };
    if end < bytes.len() {
        tracing::warn!(
            path = %path.display(),
            bytes = bytes.len() - end,
            "cutting off what a crash left at the end of the consensus write-ahead log"
        );
        file.truncate_to(end as u64).map_err(io)?;
        file.sync_all().map_err(io)?;
    }
    Ok(())
}

/// Whether a node may start `height` with a log of this height.
fn judge(
    path: &Path,
    policy: WalPolicy,
    sequence: Option<u64>,
    height: u64,
) -> Result<(), WalError> {
    let path = path.to_owned();
    match (policy, sequence) {
        (WalPolicy::Create, _) => Ok(()),
        (_, None) => Err(WalError::Missing { path, height }),
        (WalPolicy::MayBeOld, Some(got)) if got < height => Ok(()),
        (_, Some(got)) if got != height && got.checked_add(1) != Some(height) => {
            let tip = height.saturating_sub(1);
            Err(WalError::OtherHeight { path, tip, got })
        }
        _ => Ok(()),
    }
}

/// Whether the engine could go on with it at `height`.
fn is_sound(bytes: &[u8], height: u64) -> bool {
    version(bytes) == Some(VERSION)
        && match sequence(bytes) {
            Some(sequence) if sequence == height => {
                entries::read(bytes, height) != Entries::Damaged
            }
            _ => !entries::reaches(bytes, height),
        }
}

fn damaged(path: &Path, height: u64) -> WalError {
    let path = path.to_owned();
    WalError::Damaged { path, height }
}

fn version(bytes: &[u8]) -> Option<u32> {
    bytes
        .first_chunk()
        .map(|version| u32::from_be_bytes(*version))
}

/// The height in the log's header. Without one, the log was created and the machine went down before
/// the header was written: nothing was signed.
fn sequence(bytes: &[u8]) -> Option<u64> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    match *header {
        [0, 0, 0, 0, ..] => None,
        [_, _, _, _, sequence @ ..] => Some(u64::from_be_bytes(sequence)),
    }
}
