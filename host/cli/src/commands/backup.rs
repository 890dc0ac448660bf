//! `tabella backup` and `tabella restore`: the data of a stopped validator.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tabella_files::{read_genesis, read_key};
use tabella_validator::Config;

use crate::config_file::{read_config, resolve};

/// Copy the data of a stopped validator.
///
/// The copy holds the chain and the mempool, and not the write-ahead log or the key: what the key
/// signs after the backup cannot be put back. Keep the key elsewhere, in one place.
#[derive(Debug, Args)]
pub(crate) struct BackupArguments {
    /// The validator's configuration
    #[arg(long)]
    config: PathBuf,
    /// The directory to write; it must not exist or be empty
    #[arg(long)]
    out: PathBuf,
}

/// Put a backup back as the data of a validator, on this machine or another.
///
/// The validator then follows the chain without signing until it is beyond all that its key can
/// have signed, which takes a quorum of the other validators. See docs/operating.md.
#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    /// The validator's configuration; its data directory must not exist or be empty
    #[arg(long)]
    config: PathBuf,
    /// The directory that `tabella backup` wrote
    #[arg(long, required_unless_present = "lost")]
    from: Option<PathBuf>,
    /// There is no backup: fetch the whole chain from the other validators
    #[arg(long, conflicts_with = "from")]
    lost: bool,
}

/// Runs `backup`.
pub(crate) fn backup(arguments: &BackupArguments) -> Result<()> {
    let config = read(&arguments.config)?;
    let genesis = read_genesis(&config.genesis)?;
    let key = read_key(&config.key)?;
    let out = &arguments.out;
    let made = tabella_validator::backup(&config.data, out, genesis.hash(), key.public())?;
    say!(
        "{} files of {} copied to {}",
        made.files.len(),
        config.data.display(),
        out.display()
    );
    Ok(())
}

/// Runs `restore`.
pub(crate) fn restore(arguments: &RestoreArguments) -> Result<()> {
    let config = read(&arguments.config)?;
    let genesis = read_genesis(&config.genesis)?;
    let key = read_key(&config.key)?;
    let data = &config.data;
    match &arguments.from {
        Some(from) => {
            let made = tabella_validator::restore(from, data, genesis.hash(), key.public())?;
            say!("{} files restored to {}", made.files.len(), data.display());
        }
        None => {
            tabella_validator::restore_nothing(data, genesis.hash(), key.public())?;
            say!("{} is marked and empty", data.display());
        }
    }
    say!(
        "The validator will follow the chain without signing until that is safe. Start it only if no \
         other node runs with this key."
    );
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Config> {
    let (mut config, directory) = read_config::<Config>(path)?;
    resolve(
        &directory,
        [&mut config.genesis, &mut config.key, &mut config.data],
    );
    Ok(config)
}
