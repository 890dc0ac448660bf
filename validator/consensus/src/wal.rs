//! The write-ahead log file: whether it may be used, before the engine opens it.
//!
//! A power cut may leave any part of what was written since the last sync. Nothing of that was sent
//! to anybody, so a torn end is cut off here: the engine would stop at it, some ends of zeros at every
//! start again. Broken entries with sound ones behind them are another matter, because those behind
//! may have been synced and sent; then the log is damaged, and the node must not sign.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use arc_malachitebft_core_consensus::Input;
use arc_malachitebft_engine::wal::decode_entry;

use crate::{WalPolicy, codec::WireCodec, context::Tabella};

/// The log's name inside the data directory.
const FILE_NAME: &str = "consensus.wal";

/// A 4-byte version and 8 bytes with the height, both big-endian.
const HEADER_BYTES: usize = 12;

/// A byte that tells compression, 8 bytes with the length, and 4 bytes with the CRC-32 of the data.
const ENTRY_HEADER_BYTES: usize = 13;

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
    /// It was changed before its end, which no crash does.
    #[error(
        "the consensus write-ahead log {path} is damaged before its end, and without what stood there \
         this validator could sign a second, contradicting vote; restore the disk, or, if no other \
         node runs with this key and the network has passed height {height}, start once with a new log"
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

/// Checks the log in `data_dir` of a node that is about to start `height`, and mends it; answers its
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
    judge(path, policy, sequence, height)?;
    let end = match sequence {
        // The engine writes the header.
        None => 0,
        // Of a height that is over, which the engine empties.
        Some(other) if other != height => return Ok(()),
        Some(_) => match sound_end(&bytes, height) {
            Some(end) => end,
            None if policy == WalPolicy::Create => 0,
            None => {
                let path = path.to_owned();
                return Err(WalError::Damaged { path, height });
            }
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

/// The height in the log's header. Without one, the log was created and the machine went down before
/// the header was written: nothing was signed.
fn sequence(bytes: &[u8]) -> Option<u64> {
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    match *header {
        [0, 0, 0, 0, ..] => None,
        [_, _, _, _, sequence @ ..] => Some(u64::from_be_bytes(sequence)),
    }
}

/// Where the sound entries of a log of `height` end; `None` where others follow after a broken one.
fn sound_end(bytes: &[u8], height: u64) -> Option<usize> {
    let (mut end, mut at) = (HEADER_BYTES, HEADER_BYTES);
    let mut is_broken = false;
    while let Some((data, next)) = entry(bytes, at) {
        match data.and_then(sound) {
            None => is_broken = true,
            // The crash came while the log was emptied for this height; it held the one before.
            Some(Some(other)) if other != height => return Some(HEADER_BYTES),
            Some(_) if is_broken => return None,
            Some(_) => end = next,
        }
        at = next;
    }
    Some(end)
}

/// The entry at a position, if it is whole, and where the next one starts. Its data are `None` where
/// the checksum says that they are not what was written.
fn entry(bytes: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let (header, rest) = bytes.get(at..)?.split_first_chunk::<ENTRY_HEADER_BYTES>()?;
    let [is_compressed, l0, l1, l2, l3, l4, l5, l6, l7, crc @ ..] = *header;
    let length = u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
    let data = rest.get(..usize::try_from(length).ok()?)?;
    let is_whole = is_compressed == 0 && crc32fast::hash(data) == u32::from_be_bytes(crc);
    let next = at + ENTRY_HEADER_BYTES + data.len();
    Some((is_whole.then_some(data), next))
}

/// The height that an entry is of, where it is one that says so; `None` where it is no entry.
fn sound(data: &[u8]) -> Option<Option<u64>> {
    let input: Input<Tabella> = decode_entry(&WireCodec, io::Cursor::new(data)).ok()?;
    Some(match input {
        Input::Vote(vote) => Some(vote.message.height.0),
        Input::Proposal(proposal) => Some(proposal.message.height.0),
        Input::ProposedValue(value, _) => Some(value.height.0),
        Input::PolkaCertificate(certificate) => Some(certificate.height.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use arc_malachitebft_core_consensus::ProposedValue;
    use arc_malachitebft_core_types::{Round, Timeout, TimeoutKind, Validity, ValueOrigin};
    use arc_malachitebft_engine::wal::encode_entry;
    use arc_malachitebft_wal::Log;
    use tabella_protocol::{Hash, SigningKey};

    use super::*;
    use crate::context::{Address, BlockId, Height};

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
            let may_be_old = check(&data_dir, WalPolicy::MayBeOld, 5);
            assert_eq!(
                may_be_old.is_ok(),
                sequence <= 5,
                "log of height {sequence}"
            );
        }
        fs::remove_file(&path).unwrap();
        assert!(check(&data_dir, WalPolicy::MayBeOld, 5).is_err());
    }

    /// A log of `height` with entries of `of`; answers it and where its entries end.
    fn log(path: &Path, height: u64, of: u64) -> (Log, Vec<usize>) {
        let mut log = Log::open(path).unwrap();
        log.reset(height).unwrap();
        let value = |seed: u8| ProposedValue {
            height: Height(of),
            round: Round::new(0),
            valid_round: Round::Nil,
            proposer: Address(SigningKey::from_seed([1; 32]).public()),
            value: BlockId(Hash([seed; 32])),
            validity: Validity::Valid,
        };
        let timeout = Timeout::new(Round::new(0), TimeoutKind::Propose);
        let entries = [
            Input::ProposedValue(value(1), ValueOrigin::Consensus),
            Input::TimeoutElapsed(timeout),
            Input::ProposedValue(value(2), ValueOrigin::Consensus),
        ];
        let ends = entries.map(|entry| {
            let mut bytes = Vec::new();
            encode_entry(entry, &WireCodec, &mut bytes).unwrap();
            log.append(&bytes).unwrap();
            usize::try_from(log.size_bytes().unwrap()).unwrap()
        });
        (log, ends.to_vec())
    }

    #[test]
    fn a_torn_end_is_cut_off_and_damage_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let (_, ends) = log(&path, 5, 5);
        let whole = fs::read(&path).unwrap();
        let [first, second, third] = ends[..] else {
            panic!("three entries")
        };
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            bytes
        };
        let mended = |bytes: &[u8], policy| {
            fs::write(&path, bytes).unwrap();
            check(directory.path(), policy, 5).map(|_| fs::read(&path).unwrap())
        };
        let zeros = |length: usize| move |bytes: &mut Vec<u8>| bytes.extend(vec![0; length]);
        for (bytes, kept) in [
            (whole.clone(), third),
            (with(&zeros(5)), third),
            // Entries without data have the checksum of no data, and are nothing to the engine.
            (with(&zeros(13)), third),
            (with(&zeros(4096)), third),
            (with(&|bytes| bytes.truncate(third - 1)), second),
            (with(&|bytes| bytes.truncate(second + 3)), second),
            (with(&|bytes| bytes[second..].fill(0)), second),
            (with(&|bytes| bytes[first..].fill(0)), first),
            (with(&|bytes| bytes[third - 1] ^= 1), second),
            (with(&|bytes| bytes[second] = 1), second),
        ] {
            let got = mended(&bytes, WalPolicy::Require).unwrap();
            assert_eq!(got, whole[..kept], "of {bytes:?}");
        }
        let damaged = with(&|bytes| bytes[first - 1] ^= 1);
        let refused = mended(&damaged, WalPolicy::Require);
        assert!(matches!(refused, Err(WalError::Damaged { height: 5, .. })));
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is evidence");
        assert_eq!(mended(&damaged, WalPolicy::Create).unwrap(), b"");
    }

    #[test]
    fn a_log_that_was_being_emptied_holds_nothing_of_the_new_height() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        log(&path, 5, 4);
        check(directory.path(), WalPolicy::Require, 5).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), HEADER_BYTES);
    }

    #[test]
    fn a_header_that_was_never_written_is_written_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        for torn in [&b"torn"[..], &[0; HEADER_BYTES], &[0; 100]] {
            fs::write(&path, torn).unwrap();
            let required = check(directory.path(), WalPolicy::Require, 5);
            assert!(matches!(required, Err(WalError::Missing { .. })));
            check(directory.path(), WalPolicy::Create, 5).unwrap();
            assert_eq!(Log::open(&path).unwrap().sequence(), 0);
        }
    }

    #[test]
    fn the_log_of_a_running_node_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let (running, _) = log(&path, 5, 5);
        let torn = [fs::read(&path).unwrap(), vec![0; 13]].concat();
        fs::write(&path, &torn).unwrap();
        check(directory.path(), WalPolicy::Require, 5).unwrap();
        assert_eq!(fs::read(&path).unwrap(), torn);
        drop(running);
    }
}
