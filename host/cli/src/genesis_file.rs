//! Reads a genesis document from disk.

use std::path::Path;

use anyhow::{Context, Result};
use tabella_protocol::Genesis;

/// The genesis document at `path`, checked.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Genesis::from_json(&text).with_context(|| format!("in {}", path.display()))
}
