//! Where the files of a network stand in the directory that `tabella init` or `tabella dev` writes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The directory of one network and the names of the files in it.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The genesis document, the same on every machine.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// The directory of the secrets.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The key of one validator.
    pub fn validator_key(&self, node_id: &str) -> PathBuf {
        self.keys().join(format!("{node_id}.key"))
    }

    /// The data directory of one validator, as its configuration names it.
    pub fn data(&self, node_id: &str) -> PathBuf {
        self.root.join("data").join(node_id)
    }

    /// The key that administers the chain.
    pub fn authority_key(&self) -> PathBuf {
        self.keys().join("authority.key")
    }

    /// The key that signs the ballots of voters whom the backend authenticated.
    pub fn registrar_key(&self) -> PathBuf {
        self.keys().join("registrar.key")
    }

    /// The token that administers the backend.
    pub fn admin_token(&self) -> PathBuf {
        self.keys().join("admin-token")
    }

    /// The secret from which the backend derives each election's pseudonym secret.
    pub fn master_secret(&self) -> PathBuf {
        self.keys().join("master-secret")
    }

    /// The configuration of one process: `validator-1`, `bootnode`, `backend`.
    pub fn config(&self, process: &str) -> PathBuf {
        self.root.join(format!("{process}.toml"))
    }

    /// The log of one process of a development network.
    pub fn log(&self, process: &str) -> PathBuf {
        self.root.join("logs").join(format!("{process}.log"))
    }

    /// What a running development network tells about itself.
    pub fn ready(&self) -> PathBuf {
        self.root.join("ready.json")
    }

    /// Removes the network's files, and nothing that `tabella` did not write.
    pub fn remove_network(&self) -> Result<()> {
        if !self.genesis().exists() {
            return Ok(());
        }
        for directory in ["keys", "data", "logs"] {
            let path = self.root.join(directory);
            if path.exists() {
                fs::remove_dir_all(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        fs::remove_file(self.genesis()).context("cannot remove the genesis document")
    }

    /// Held locked by the `tabella dev` that runs this directory.
    pub fn lock(&self) -> PathBuf {
        self.root.join("dev.lock")
    }
}
