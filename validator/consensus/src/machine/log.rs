//! The engine's log over a file of the caller's.

use std::{
    io::{self, Read, Seek, Write},
    path::Path,
};

use arc_malachitebft_wal::Storage;

use crate::wal::LogFile;

/// Gives a [`LogFile`] to the engine's log.
pub(super) struct LogStorage<F>(F);

impl<F: Read> Read for LogStorage<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<F: Write> Write for LogStorage<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<F: Seek> Seek for LogStorage<F> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl<F: LogFile> Storage for LogStorage<F> {
    type OpenOptions = F;

    fn open_with(_: impl AsRef<Path>, file: F) -> io::Result<Self> {
        Ok(Self(file))
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()> {
        self.0.truncate_to(size_bytes)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}
