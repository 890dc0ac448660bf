//! A chain that is executed again only to be looked at: on disk, so that memory does not grow with
//! it, but never synced.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

use redb::StorageBackend;
use tabella_protocol::Genesis;

use crate::{Ledger, LedgerError};

impl Ledger {
    /// Starts the chain at `genesis` in an empty `directory` of the caller's, for re-execution.
    ///
    /// Nothing written is made durable: what a crash leaves behind is good for nothing.
    pub fn open_scratch(directory: &Path, genesis: Genesis) -> Result<Self, LedgerError> {
        let runtime = Self::runtime_for(&genesis, &directory.join("plugin-cache"))?;
        let path = directory.join("chain.redb");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(|error| {
                LedgerError::Storage(format!("cannot create {}: {error}", path.display()))
            })?;
        Self::open_on(Unsynced(file), runtime, genesis)
    }
}

#[derive(Debug)]
struct Unsynced(File);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
