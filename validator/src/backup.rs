//! Backups of a stopped validator, and putting one back without signing twice.
//!
//! A backup holds the chain and the mempool, but not the write-ahead log: what the key signed after
//! the backup was made, nobody can put back. So a restored validator is [marked](RESTORED) and signs
//! nothing of consensus until it has followed the chain beyond all that its key can have signed.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tabella_protocol::{Hash, PublicKey};

/// Marks a restored data directory until its node may sign.
pub(crate) const RESTORED: &str = "restored.json";
/// Marks the data directory of a key that has never signed, until its node has committed a block.
const FIRST_START: &str = "first-start.json";
/// Stands beside it once there was a log: from then on the key may have signed.
const FIRST_LOG: &str = "first-log.json";
const MANIFEST: &str = "backup.json";
/// Held locked by a running validator.
const DATABASES: [&str; 2] = ["chain.redb", "mempool.redb"];
/// What else is worth keeping, where it is there.
const DOCUMENTS: [&str; 2] = ["peers.json", "evidence.json"];

/// What a backup is of, and what must be in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupManifest {
    /// The network.
    pub genesis: Hash,
    /// Whose data it is.
    pub validator: PublicKey,
    /// The SHA-256 of each file.
    pub files: BTreeMap<String, Hash>,
}

/// Why a backup was not made or not put back. Nothing was changed, or the message says what.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or directory could not be used.
    #[error("cannot {doing} {path}: {error}")]
    File {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The databases are open.
    #[error("a validator runs on {0}; stop it first, because a copy of files in use is no backup")]
    Running(PathBuf),
    /// Something is there already.
    #[error(
        "{0} is not empty; nothing was written; choose another directory or move it away, and never \
         say --first-start of a key that has run"
    )]
    NotEmpty(PathBuf),
    /// The manifest cannot be read.
    #[error("{path} is no manifest of a backup: {error}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// The error in it.
        error: serde_json::Error,
    },
    /// Another network's or validator's.
    #[error("expected a backup of {expected}, got one of {got}")]
    Foreign {
        /// What the configuration says.
        expected: String,
        /// What the manifest says.
        got: String,
    },
    /// Not the bytes that were backed up.
    #[error("{0} is damaged: its hash is not the one in the manifest; use another backup")]
    Damaged(PathBuf),
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::File { doing, path, error }
}

/// Copies the data of a stopped validator from `data` to the new directory `out`.
pub fn backup(
    data: &Path,
    out: &Path,
    genesis: Hash,
    validator: PublicKey,
) -> Result<BackupManifest, BackupError> {
    // A validator that starts meanwhile finds its databases locked and says so.
    let mut locks = Vec::new();
    for name in DATABASES {
        let path = data.join(name);
        let file = File::open(&path).map_err(failed("read", &path))?;
        file.try_lock()
            .map_err(|_| BackupError::Running(data.to_owned()))?;
        locks.push(file);
    }
    must_be_empty(out)?;
    fs::create_dir_all(out).map_err(failed("create", out))?;
    let mut files = BTreeMap::new();
    for name in DATABASES.into_iter().chain(DOCUMENTS) {
        let from = data.join(name);
        if from.exists() {
            copy(&from, &out.join(name))?;
            files.insert(name.to_owned(), hash(&out.join(name))?);
        }
    }
    let manifest = BackupManifest {
        genesis,
        validator,
        files,
    };
    // Last, so that a directory with a manifest is a whole backup.
    write(&out.join(MANIFEST), &manifest)?;
    sync_directory(out)?;
    drop(locks);
    Ok(manifest)
}

/// Puts the backup in `from` back as the new data directory `data`, marked so that its node signs
/// nothing until it is safe.
pub fn restore(
    from: &Path,
    data: &Path,
    genesis: Hash,
    validator: PublicKey,
) -> Result<BackupManifest, BackupError> {
    let path = from.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
    let manifest: BackupManifest =
        serde_json::from_str(&text).map_err(|error| BackupError::Manifest { path, error })?;
    let pair = |genesis: &Hash, validator: &PublicKey| {
        format!("validator {validator} of network {genesis}")
    };
    if (manifest.genesis, manifest.validator) != (genesis, validator) {
        return Err(BackupError::Foreign {
            expected: pair(&genesis, &validator),
            got: pair(&manifest.genesis, &manifest.validator),
        });
    }
    let known = |name: &str| DATABASES.contains(&name) || DOCUMENTS.contains(&name);
    for (name, expected) in &manifest.files {
        let path = from.join(name);
        if !known(name) || hash(&path)? != *expected {
            return Err(BackupError::Damaged(path));
        }
    }
    must_be_empty(data)?;
    fs::create_dir_all(data).map_err(failed("create", data))?;
    // First, so that whatever is there after a crash is never taken for data that may sign.
    write(&data.join(RESTORED), &manifest)?;
    sync_directory(data)?;
    for name in manifest.files.keys() {
        copy(&from.join(name), &data.join(name))?;
    }
    sync_directory(data)?;
    Ok(manifest)
}

/// Makes an empty data directory for a validator whose data is lost and was never backed up, marked
/// like a restored one: its node fetches the chain from the others before it signs.
pub fn restore_nothing(
    data: &Path,
    genesis: Hash,
    validator: PublicKey,
) -> Result<(), BackupError> {
    must_be_empty(data)?;
    fs::create_dir_all(data).map_err(failed("create", data))?;
    mark(data, genesis, validator)
}

/// Makes an empty data directory for a validator whose key has never signed anything, anywhere. Its node
/// takes part at once; one with an empty directory that is not so marked observes first.
pub fn first_start(data: &Path, genesis: Hash, validator: PublicKey) -> Result<(), BackupError> {
    must_be_empty(data)?;
    fs::create_dir_all(data).map_err(failed("create", data))?;
    write_mark(FIRST_START, data, genesis, validator)
}

/// Whether this directory was made for the first start of this key on this network.
pub(crate) fn is_first_start(data: &Path, genesis: Hash, validator: PublicKey) -> bool {
    let text = fs::read_to_string(data.join(FIRST_START)).unwrap_or_default();
    serde_json::from_str::<BackupManifest>(&text)
        .is_ok_and(|mark| (mark.genesis, mark.validator) == (genesis, validator))
}

/// Notes that the node of a first start has a log.
pub(crate) fn note_first_log(
    data: &Path,
    genesis: Hash,
    validator: PublicKey,
) -> Result<(), BackupError> {
    write_mark(FIRST_LOG, data, genesis, validator)
}

/// Whether the node of a first start once had a log.
pub(crate) fn had_first_log(data: &Path) -> bool {
    data.join(FIRST_LOG).exists()
}

/// Ends the first start of this directory, where it has not ended yet.
pub(crate) fn end_first_start(data: &Path) -> io::Result<()> {
    // In this order: without the first, the second says nothing.
    for name in [FIRST_START, FIRST_LOG] {
        match fs::remove_file(data.join(name)) {
            Ok(()) => File::open(data)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Keeps the node of this directory from signing what its key may have signed before.
pub(crate) fn mark(data: &Path, genesis: Hash, validator: PublicKey) -> Result<(), BackupError> {
    write_mark(RESTORED, data, genesis, validator)
}

fn write_mark(
    name: &str,
    data: &Path,
    genesis: Hash,
    validator: PublicKey,
) -> Result<(), BackupError> {
    let manifest = BackupManifest {
        genesis,
        validator,
        files: BTreeMap::new(),
    };
    write(&data.join(name), &manifest)?;
    sync_directory(data)
}

/// Lets the node of this directory sign again.
pub(crate) fn unmark(data: &Path) -> io::Result<()> {
    fs::remove_file(data.join(RESTORED))?;
    File::open(data)?.sync_all()
}

fn must_be_empty(directory: &Path) -> Result<(), BackupError> {
    let entries = match fs::read_dir(directory) {
        Ok(mut entries) => entries.next(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed("read", directory)(error)),
    };
    match entries {
        None => Ok(()),
        Some(_) => Err(BackupError::NotEmpty(directory.to_owned())),
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::copy(from, to).map_err(failed("copy", from))?;
    let file = File::open(to).map_err(failed("read", to))?;
    file.sync_all().map_err(failed("sync", to))
}

fn write(path: &Path, manifest: &BackupManifest) -> Result<(), BackupError> {
    let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
    fs::write(path, text).map_err(failed("write", path))?;
    let file = File::open(path).map_err(failed("read", path))?;
    file.sync_all().map_err(failed("sync", path))
}

fn sync_directory(path: &Path) -> Result<(), BackupError> {
    let directory = File::open(path).map_err(failed("read", path))?;
    directory.sync_all().map_err(failed("sync", path))
}

fn hash(path: &Path) -> Result<Hash, BackupError> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    Ok(Hash::of(&bytes))
}

#[cfg(test)]
mod tests {
    use tabella_protocol::SigningKey;

    use super::*;

    fn key(seed: u8) -> PublicKey {
        SigningKey::from_seed([seed; 32]).public()
    }

    fn data(directory: &Path) -> PathBuf {
        let data = directory.join("data");
        fs::create_dir(&data).unwrap();
        for (name, text) in [
            ("chain.redb", "blocks"),
            ("mempool.redb", "ballots"),
            ("peers.json", "[]"),
            ("consensus.wal", "votes"),
        ] {
            fs::write(data.join(name), text).unwrap();
        }
        data
    }

    #[test]
    fn what_was_backed_up_comes_back_marked_and_without_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let data = data(directory.path());
        let (out, back) = (directory.path().join("out"), directory.path().join("back"));
        let genesis = Hash::of(b"a network");
        let made = backup(&data, &out, genesis, key(1)).unwrap();
        let names: Vec<_> = made.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["chain.redb", "mempool.redb", "peers.json"]);
        assert!(matches!(
            backup(&data, &out, genesis, key(1)),
            Err(BackupError::NotEmpty(_))
        ));

        assert_eq!(restore(&out, &back, genesis, key(1)).unwrap(), made);
        assert_eq!(fs::read(back.join("mempool.redb")).unwrap(), b"ballots");
        assert!(!back.join("consensus.wal").exists());
        assert!(back.join(RESTORED).exists());
        unmark(&back).unwrap();
        assert!(!back.join(RESTORED).exists());
        assert!(matches!(
            restore(&out, &back, genesis, key(1)),
            Err(BackupError::NotEmpty(_))
        ));
    }

    #[test]
    fn data_in_use_a_foreign_and_a_damaged_backup_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let data = data(directory.path());
        let (out, back) = (directory.path().join("out"), directory.path().join("back"));
        let genesis = Hash::of(b"a network");
        let open = File::open(data.join("chain.redb")).unwrap();
        open.lock().unwrap();
        assert!(matches!(
            backup(&data, &out, genesis, key(1)),
            Err(BackupError::Running(_))
        ));
        assert!(!out.exists());
        drop(open);

        backup(&data, &out, genesis, key(1)).unwrap();
        for (genesis, validator) in [(Hash::of(b"another"), key(1)), (genesis, key(2))] {
            let refused = restore(&out, &back, genesis, validator);
            assert!(matches!(refused, Err(BackupError::Foreign { .. })));
        }
        fs::write(out.join("chain.redb"), "blocks?").unwrap();
        assert!(matches!(
            restore(&out, &back, genesis, key(1)),
            Err(BackupError::Damaged(_))
        ));
        assert!(!back.exists());
        restore_nothing(&back, genesis, key(1)).unwrap();
        assert!(back.join(RESTORED).exists());
        assert!(matches!(
            restore_nothing(&data, genesis, key(1)),
            Err(BackupError::NotEmpty(_))
        ));
    }
}
