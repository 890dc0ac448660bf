//! Places where a test lets the process die.
//!
//! Where `TABELLA_CRASH_DIRECTORY` is set, reaching a point whose name is a file in that directory
//! removes the file and ends the process as a kill would: nothing is flushed, nothing is answered.

use std::{path::PathBuf, sync::OnceLock};

/// Dies here, if a test asked for it.
pub(crate) fn point(name: &str) {
    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let directory =
        DIRECTORY.get_or_init(|| std::env::var_os("TABELLA_CRASH_DIRECTORY").map(PathBuf::from));
    let Some(directory) = directory else { return };
    if std::fs::remove_file(directory.join(name)).is_ok() {
        std::process::abort();
    }
}
