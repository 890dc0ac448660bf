//! Reads a role's configuration file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::de::DeserializeOwned;

/// The configuration in the TOML file at `path`, and the directory its relative paths start at.
pub(crate) fn read_config<C: DeserializeOwned>(path: &Path) -> Result<(C, PathBuf)> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    // Not in the error's own form, which quotes the line: it may hold a password.
    let config = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        anyhow!("in {}, line {line}: {}", path.display(), error.message())
    })?;
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok((config, directory))
}

/// Lets relative `paths` start at `directory`.
pub(crate) fn resolve<const N: usize>(directory: &Path, paths: [&mut PathBuf; N]) {
    for path in paths {
        // Joining an absolute path answers that path.
        *path = directory.join(&path);
    }
}
