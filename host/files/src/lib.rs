//! The files that every process reads in the same way: secrets, keys and the genesis document.
//!
//! A secret file belongs to its owner alone: mode 0600 or less, or no process uses it. What it holds is
//! read strictly, and never repeated in an error.
//!
//! - [`read_secret`], [`read_long_secret`], [`read_key`]: secrets; [`write_secret`], [`write_key`].
//! - [`read_genesis`]: the document that pins a network.
//!
//! ```
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("validator-1.key");
//! let key = tabella_protocol::SigningKey::generate();
//! tabella_files::write_key(&path, &key)?;
//! assert_eq!(tabella_files::read_key(&path)?.public(), key.public());
//! # Ok(())
//! # }
//! # example().unwrap();
//! ```

mod genesis;
mod secret;

pub use genesis::{GENESIS_BYTES_MAX, GenesisFileError, read_genesis};
pub use secret::{
    SECRET_BYTES_MAX, SECRET_CHARS_MIN, SecretError, WriteSecretError, check_owner_alone, read_key,
    read_long_secret, read_secret, write_key, write_secret,
};
