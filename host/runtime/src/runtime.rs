//! The runtime: one engine, its pool of instances and its cache of compiled plugins.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::Engine;

use crate::engine;
use crate::instance::Slots;
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
    /// Instances that may exist at once, at least 2; further calls wait for one. Each reserves
    /// 4 GiB of addresses, and keeps up to 256 KiB of memory once it was used.
    pub instances_max: u32,
    /// Threads that fold a tally; 0 means as many as the machine has processors. The result does
    /// not depend on it.
    pub tally_threads: usize,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            limits: Limits::default(),
            instances_max: 16,
            tally_threads: 0,
        }
    }
}

/// Loads and runs plugins. A clone shares everything with its original.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) engine: Engine,
    pub(crate) slots: Arc<Slots>,
    pub(crate) tally_threads: rayon::ThreadPool,
    /// Held by the tally that runs.
    pub(crate) tallying: Mutex<()>,
}

impl Runtime {
    /// Sets up the engine and reserves the address space of its instances.
    pub fn new(config: RuntimeConfig) -> Result<Self, HostFault> {
        let RuntimeConfig {
            cache_dir,
            limits,
            instances_max,
            tally_threads,
        } = config;
        // A tally keeps one while it folds the next chunk in another.
        let instances = instances_max.max(2);
        let engine = engine::engine(&limits, instances)?;
        let tally_threads = rayon::ThreadPoolBuilder::new()
            .num_threads(tally_threads)
            .thread_name(|number| format!("tally-{number}"))
            .build()
            .map_err(|error| HostFault(format!("cannot start the tally's threads: {error}")))?;
        let slots = Slots::new(instances);
        let tallying = Mutex::new(());
        let shared = Shared {
            limits,
            cache_dir,
            engine,
            slots,
            tally_threads,
            tallying,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Checks, compiles (or takes from the cache) and describes a plugin.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, LoadError> {
        Plugin::load(&self.shared, wasm)
    }
}
