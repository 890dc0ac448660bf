//! The runtime: one engine, its pool of instances and its cache of compiled plugins.

use std::path::PathBuf;
use std::sync::Arc;

use crate::limits::Limits;
use crate::plugin::{LoadError, Plugin};
use crate::verdict::HostFault;

/// How to set up a [`Runtime`].
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Where compiled plugins are kept between runs; `None` compiles again each time.
    ///
    /// Only this process's user may write there: a forged artifact would run as native code.
    pub cache_dir: Option<PathBuf>,
    /// Bounds on plugins and on their calls.
    pub limits: Limits,
    /// Instances that may exist at once; further calls wait for one.
    pub instances_max: u32,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            limits: Limits::default(),
            instances_max: 16,
        }
    }
}

/// Loads and runs plugins. A clone shares everything with its original.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<RuntimeConfig>,
}

impl Runtime {
    /// Sets up the engine and reserves the address space of its instances.
    pub fn new(config: RuntimeConfig) -> Result<Self, HostFault> {
        Ok(Self {
            shared: Arc::new(config),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Checks, compiles (or takes from the cache) and describes a plugin.
    pub fn load(&self, _wasm: &[u8]) -> Result<Plugin, LoadError> {
        Err(LoadError::Host(HostFault("not built yet".into())))
    }
}
