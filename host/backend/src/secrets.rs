//! Secret files, and what is derived from the master secret.

use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tabella_protocol::{Hash, SigningKey};

/// Why a secret file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("{path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others may read it.
    #[error("{path} can be read by others (mode {mode:o}); run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{path} does not hold {expected}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// The one line of a secret file, which nobody but its owner may read.
pub(crate) fn read_secret(path: &Path) -> Result<String, SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        path: path.to_owned(),
        error,
    };
    let mode = std::fs::metadata(path)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let line = text.trim();
    if line.len() < SECRET_CHARS_MIN {
        return Err(SecretError::Malformed {
            path: path.to_owned(),
            expected: "one line of at least 32 characters",
        });
    }
    Ok(line.to_owned())
}

/// Shorter secrets can be guessed.
const SECRET_CHARS_MIN: usize = 32;

/// Reads a key file: `0x` and the 64 hex digits of the seed.
pub(crate) fn read_key(path: &Path) -> Result<SigningKey, SecretError> {
    let seed: Hash = read_secret(path)?
        .parse()
        .map_err(|_| SecretError::Malformed {
            path: path.to_owned(),
            expected: "a key: 0x and 64 lowercase hex digits",
        })?;
    Ok(SigningKey::from_seed(seed.0))
}

/// The master secret, from which the others are derived.
#[derive(Clone)]
pub(crate) struct MasterSecret(String);

impl MasterSecret {
    pub(crate) fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret under which the voters whom a registrar names get their pseudonyms in one election.
    pub(crate) fn election(&self, genesis: &Hash, election_id: u64) -> [u8; 32] {
        self.derive(&[b"election", &genesis.0, &election_id.to_be_bytes()])
    }

    /// The secret under which accounts get their pseudonyms in one election: another than that of the
    /// voters whom a registrar names, so that no account can have the pseudonym of one.
    pub(crate) fn accounts(&self, genesis: &Hash, election_id: u64) -> [u8; 32] {
        self.derive(&[b"accounts", &genesis.0, &election_id.to_be_bytes()])
    }

    /// The key that signs login tokens.
    pub(crate) fn tokens(&self, genesis: &Hash) -> [u8; 32] {
        self.derive(&[b"tokens", &genesis.0])
    }

    /// Tells this secret from others, and nothing more.
    pub(crate) fn fingerprint(&self, genesis: &Hash) -> Hash {
        Hash(self.derive(&[b"fingerprint", &genesis.0]))
    }

    fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(b"tabella/master-secret/v1");
        for part in parts {
            // Lengths keep neighbours apart.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mode: u32, content: &str) -> Result<String, SecretError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read_secret(&path)
    }

    #[test]
    fn secrets_must_be_long_and_private() {
        let long = "0123456789abcdef0123456789abcdef\n";
        assert_eq!(check(0o600, long).unwrap(), long.trim());
        assert!(matches!(
            check(0o640, long),
            Err(SecretError::Exposed { mode: 0o640, .. })
        ));
        assert!(matches!(
            check(0o600, "short"),
            Err(SecretError::Malformed { .. })
        ));
    }

    #[test]
    fn every_purpose_has_its_own_secret() {
        let master = MasterSecret::new("m".repeat(32));
        let (one, two) = (Hash([1; 32]), Hash([2; 32]));
        let secrets = [
            master.election(&one, 1),
            master.election(&one, 2),
            master.election(&two, 1),
            master.accounts(&one, 1),
            master.accounts(&one, 2),
            master.tokens(&one),
            master.fingerprint(&one).0,
        ];
        for (i, a) in secrets.iter().enumerate() {
            assert!(secrets[i + 1..].iter().all(|b| a != b));
        }
    }
}
