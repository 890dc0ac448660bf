//! A directory for one check's own use.

use std::{
    io,
    path::{Path, PathBuf},
};

/// No directory could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot create {}", path.display())]
pub struct ScratchError {
    path: PathBuf,
    source: io::Error,
}

/// A directory that goes with its value.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self, ScratchError> {
        let name = format!("tabella-{}-{:x}", std::process::id(), rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        match std::fs::create_dir(&path) {
            Ok(()) => Ok(Self(path)),
            Err(source) => Err(ScratchError { path, source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left in the temporary directory harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
