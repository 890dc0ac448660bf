//! Secret files: keys, tokens and secrets on disk, readable by their owner alone.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, Result, bail};
use tabella_protocol::{Hash, SigningKey};

/// Writes a new secret file of one line, mode 0600. An existing file is never replaced.
pub(crate) fn write_secret(path: &Path, line: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    writeln!(file, "{line}")
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The one line of a secret file, which nobody but its owner may read.
pub(crate) fn read_secret(path: &Path) -> Result<String> {
    let metadata =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "{} is readable by others (mode {mode:o}); expected 600, run `chmod 600 {}`",
            path.display(),
            path.display()
        );
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.trim().to_owned())
}

/// Writes a new key file: `0x` and the 64 hex digits of the seed.
pub(crate) fn write_key(path: &Path, key: &SigningKey) -> Result<()> {
    write_secret(path, &Hash(key.to_seed()).to_string())
}

/// Reads a key file.
pub(crate) fn read_key(path: &Path) -> Result<SigningKey> {
    let line = read_secret(path)?;
    // The text is a secret: the parse error, which would repeat it, stays here.
    let Ok(seed) = line.parse::<Hash>() else {
        bail!(
            "{} is not a key file; expected one line of 0x and 64 hex digits, as `tabella keys generate` writes",
            path.display()
        );
    };
    Ok(SigningKey::from_seed(seed.0))
}

/// 32 random bytes as hex, for tokens and secrets.
pub(crate) fn random_secret() -> String {
    Hash(rand::random()).to_string()
}
