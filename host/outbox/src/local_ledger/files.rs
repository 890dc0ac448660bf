//! The directory of the local ledger: its key, its genesis, how far it follows the network, and the
//! chain itself.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::AtomicU64,
};

use tabella_files::{GenesisFileError, SecretError, read_genesis, read_key};
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{Genesis, Hash, SigningKey, is_local_genesis_of, local_genesis};

use super::Opened;

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Key(#[from] SecretError),
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    #[error("{path} is not the genesis of this backend's ledger for this network")]
    OtherGenesis { path: PathBuf },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Opens the ledger, or creates it where there is none.
pub(super) fn open(directory: &Path, network: &Genesis) -> Result<Opened, FilesError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| FilesError::Io {
            path: directory.to_owned(),
            error,
        })?;
    let key_path = directory.join("key");
    let created = || Hash(SigningKey::generate().to_seed()).to_string();
    keep(&key_path, created)?;
    let key = read_key(&key_path)?;
    let genesis_path = directory.join("genesis.json");
    keep(&genesis_path, || {
        local_genesis(network, key.public()).to_json()
    })?;
    let genesis = read_genesis(&genesis_path)?;
    if !is_local_genesis_of(&genesis, network, &key.public()) {
        return Err(FilesError::OtherGenesis { path: genesis_path });
    }
    let ledger = Ledger::open(directory, genesis)?;
    // A lost mark costs time: what is taken over again is there already.
    let mark = fs::read_to_string(mark_path(directory)).unwrap_or_default();
    let mirrored_height = match ledger.tip().height {
        0 => 0,
        _ => mark.trim().parse().unwrap_or(0),
    };
    Ok(Opened {
        ledger,
        key,
        mirrored_height: AtomicU64::new(mirrored_height),
    })
}

/// Remembers up to which height elections were taken over.
pub(super) fn write_mark(directory: &Path, height: u64) -> io::Result<()> {
    let path = mark_path(directory);
    let new = path.with_extension("new");
    fs::write(&new, format!("{height}\n"))?;
    fs::rename(new, path)
}

fn mark_path(directory: &Path) -> PathBuf {
    directory.join("mirrored-height")
}

/// Writes a file that is not there yet, whole and durable or not at all.
fn keep(path: &Path, text: impl FnOnce() -> String) -> Result<(), FilesError> {
    if path.exists() {
        return Ok(());
    }
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| FilesError::Io {
        path: path.to_owned(),
        error,
    })
}
