//! The write-ahead log file: whether it may be used, before the engine opens it.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::WalPolicy;

/// The log's name inside the data directory.
const FILE_NAME: &str = "consensus.wal";

/// Why the write-ahead log does not allow to start.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// It is gone, though this validator may have signed.
    #[error(
        "the consensus write-ahead log {path} is missing, and without it this validator could sign \
         a second, contradicting vote; restore the disk, or, if no other node runs with this key and \
         the network has passed height {height}, start once with a new log"
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
         height {tip}; one of them was restored or replaced. Put back the chain and the log of the \
         same moment, or, if no other node runs with this key and the network has passed both \
         heights, start once with a new log"
    )]
    OtherHeight {
        /// The log.
        path: PathBuf,
        /// The last committed height.
        tip: u64,
        /// The height in the log.
        got: u64,
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

/// Checks the log of a node that is about to start `height`; answers its path.
///
/// The log always is of the last height that started, which is the one after the last committed block
/// or, if the crash came in between, that block's own.
pub(crate) fn check(data_dir: &Path, policy: WalPolicy, height: u64) -> Result<PathBuf, WalError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| WalError::Io { path, error }
    };
    let path = data_dir.join(FILE_NAME);
    let sequence = match File::open(&path) {
        Ok(mut file) => sequence(&mut file).map_err(failed(&path))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&path)(error)),
    };
    judge(&path, policy, sequence, height)?;
    fs::create_dir_all(data_dir).map_err(failed(data_dir))?;
    Ok(path)
}

/// Whether a node may start `height` with a log of this height.
pub(crate) fn judge(
    path: &Path,
    policy: WalPolicy,
    sequence: Option<u64>,
    height: u64,
) -> Result<(), WalError> {
    let path = path.to_owned();
    match (policy, sequence) {
        (WalPolicy::Require, None) => Err(WalError::Missing { path, height }),
        (WalPolicy::Require, Some(got)) if got != height && got.checked_add(1) != Some(height) => {
            let tip = height.saturating_sub(1);
            Err(WalError::OtherHeight { path, tip, got })
        }
        _ => Ok(()),
    }
}

/// The height in the log's header: a 4-byte version, then 8 bytes, both big-endian.
pub(crate) fn sequence(file: &mut impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; 12];
    match file.read_exact(&mut header) {
        // Created, and the machine went down before the header was written: nothing was signed.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let [_, _, _, _, sequence @ ..] = header;
    Ok(Some(u64::from_be_bytes(sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_must_fit_the_chain() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("new");
        let require = |height| check(&data_dir, WalPolicy::Require, height);
        assert!(matches!(
            require(5),
            Err(WalError::Missing { height: 5, .. })
        ));

        let path = check(&data_dir, WalPolicy::Create, 5).unwrap();
        let header = |sequence: u64| [&1_u32.to_be_bytes()[..], &sequence.to_be_bytes()].concat();
        for (sequence, fits) in [
            (3, false),
            (4, true),
            (5, true),
            (6, false),
            (u64::MAX, false),
        ] {
            fs::write(&path, header(sequence)).unwrap();
            assert_eq!(require(5).is_ok(), fits, "log of height {sequence}");
            assert!(check(&data_dir, WalPolicy::Create, 5).is_ok());
        }
        fs::write(&path, b"torn").unwrap();
        assert!(matches!(require(5), Err(WalError::Missing { .. })));
    }
}
