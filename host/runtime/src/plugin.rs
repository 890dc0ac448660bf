//! A loaded plugin.

use thiserror::Error;

use crate::contest::{ConfigError, Contest, ContestConfig};
use crate::manifest::Manifest;
use crate::verdict::{Fault, HostFault};

/// Why a module is not a plugin.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The module breaks rules of the sandbox; every violation, in the order found.
    #[error("the module is refused: {}", .0.join("; "))]
    Refused(Vec<String>),
    /// The module failed while it described itself.
    #[error("describing itself, {0}")]
    Fault(Fault),
    /// The manifest is not what the ABI asks for.
    #[error("the manifest is refused: {0}")]
    Manifest(String),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

/// A plugin that passed every check and is compiled. A clone shares everything with its original.
#[derive(Clone)]
pub struct Plugin {
    sha256: [u8; 32],
    manifest: std::sync::Arc<Manifest>,
}

impl Plugin {
    /// The SHA-256 of the Wasm bytes, by which a chain names the plugin.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Configures the plugin for one contest.
    pub fn contest(&self, _config: &ContestConfig) -> Result<Contest, ConfigError> {
        Err(ConfigError::Host(HostFault("not built yet".into())))
    }
}
