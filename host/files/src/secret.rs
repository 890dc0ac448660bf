//! Secret files: keys, tokens and secrets on disk, readable by their owner alone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tabella_protocol::{Hash, SigningKey};

/// Longest secret file that is read.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;
/// Shorter secrets, where people choose them, can be guessed.
pub const SECRET_CHARS_MIN: usize = 32;

/// The permissions of a secret file that others than its owner have.
const OTHERS: u32 = 0o077;

/// Why a secret file cannot be used. No message repeats what the file holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("the secret file {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others than its owner may use it.
    #[error(
        "the secret file {path} is open to others than its owner: expected mode 600, got {mode:o}; \
         run `chmod 600 {path}`, and make a new secret if others could read it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("the secret file {path} does not hold {expected}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// Why a secret file was not written.
#[derive(Debug, thiserror::Error)]
#[error("the secret file {path} cannot be written: {error}")]
pub struct WriteSecretError {
    path: PathBuf,
    error: io::Error,
}

/// Reads the one line of a secret file, without spaces around it.
pub fn read_secret(path: &Path) -> Result<String, SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(unreadable)?;
    // Of the file that was opened: another one could stand at this path by now.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let path = path.to_owned();
        return Err(SecretError::Exposed { path, mode });
    }
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let line = text.trim();
    if line.is_empty() || line.contains('\n') || text.len() as u64 > SECRET_BYTES_MAX {
        return Err(malformed(path, "one line of text"));
    }
    Ok(line.to_owned())
}

/// Refuses a file that holds a secret among other things, where others than its owner may use it.
pub fn check_owner_alone(path: &Path) -> Result<(), SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mode = path.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    match mode & OTHERS {
        0 => Ok(()),
        _ => Err(SecretError::Exposed {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// Reads a secret that nobody can guess: one line of at least [`SECRET_CHARS_MIN`] characters.
pub fn read_long_secret(path: &Path) -> Result<String, SecretError> {
    let line = read_secret(path)?;
    if line.chars().count() < SECRET_CHARS_MIN {
        return Err(malformed(path, "one line of at least 32 characters"));
    }
    Ok(line)
}

/// Reads a key file: one line of `0x` and the 64 lowercase hex digits of the seed.
pub fn read_key(path: &Path) -> Result<SigningKey, SecretError> {
    const EXPECTED: &str = "a key: one line of 0x and 64 lowercase hex digits, as `tabella keys \
                            generate` writes";
    // The parse error would repeat the secret.
    let seed: Hash = read_secret(path)?
        .parse()
        .map_err(|_| malformed(path, EXPECTED))?;
    Ok(SigningKey::from_seed(seed.0))
}

fn malformed(path: &Path, expected: &'static str) -> SecretError {
    let path = path.to_owned();
    SecretError::Malformed { path, expected }
}

/// Writes a new secret file of one line, mode 0600, durable when this returns. An existing file is never
/// replaced.
pub fn write_secret(path: &Path, line: &str) -> Result<(), WriteSecretError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            writeln!(file, "{line}")?;
            file.sync_all()
        });
    written.map_err(|error| WriteSecretError {
        path: path.to_owned(),
        error,
    })
}

/// Writes a new key file, which [`read_key`] reads.
pub fn write_key(path: &Path, key: &SigningKey) -> Result<(), WriteSecretError> {
    write_secret(path, &Hash(key.to_seed()).to_string())
}
