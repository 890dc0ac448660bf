//! `ready.json`: what a running development network tells about itself.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The document; present from the moment everything answers until the network stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// URL of the backend.
    pub backend: String,
    /// The bootnode.
    pub bootnode: ReadyBootnode,
    /// The validators, in the order of genesis.
    pub validators: Vec<ReadyValidator>,
    /// Process id of the backend.
    pub backend_pid: u32,
    /// The token that administers the backend.
    pub admin_token: String,
    /// Absolute path of the genesis document.
    pub genesis: String,
}

/// The bootnode of a running network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyBootnode {
    /// Its URL.
    pub url: String,
    /// Its process id.
    pub pid: u32,
}

/// A validator of a running network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyValidator {
    /// Its name in genesis.
    pub node_id: String,
    /// JSON-RPC URL.
    pub rpc_url: String,
    /// Consensus address.
    pub p2p_url: String,
    /// Its process id.
    pub pid: u32,
}

impl Ready {
    /// Writes the document so that a reader sees all of it or nothing. It holds a token: mode 0600.
    pub fn write(&self, path: &Path) -> Result<()> {
        let draft = path.with_extension("json.new");
        let context = || format!("cannot write {}", draft.display());
        let text = serde_json::to_string_pretty(self).context("plain data serialises")?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .with_context(context)?;
        writeln!(file, "{text}")
            .and_then(|()| file.sync_all())
            .with_context(context)?;
        fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the document.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))
    }
}
