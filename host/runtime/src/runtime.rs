//! The runtime: one engine, its pool of instances and its cache of compiled plugins.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::cache::Cache;
use crate::compile::Compiler;
use crate::engine;
use crate::instance::Slots;
use crate::plugin::{LoadError, Plugin};
use crate::shared::Shared;
use crate::verdict::HostFault;
use tabella_limits::{FuelCosts, PluginLimits};

/// How to set up a [`Runtime`].
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// Where compiled plugins are kept between runs; `None` compiles again each time.
    ///
    /// Only this process's user may write there: a forged artifact would run as native code.
    pub cache_dir: Option<PathBuf>,
    /// Who compiles plugins that are not kept there.
    pub compiler: Compiler,
    /// Bounds on plugins and on their calls.
    pub limits: PluginLimits,
    /// Instances that may exist at once, at least 2; further calls wait for one. Each reserves
    /// 4 GiB of addresses, and keeps up to 256 KiB of memory once it was used.
    pub instances_max: u32,
    /// Threads that fold a tally, the one that asks for it included; 0 means as many as the machine has processors. The result does
    /// not depend on it.
    pub tally_threads: usize,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            compiler: Compiler::of_this_process(),
            limits: PluginLimits::default(),
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

fn workers(tally_threads: usize) -> Result<Option<rayon::ThreadPool>, HostFault> {
    let threads = match tally_threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    if threads == 1 {
        return Ok(None);
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads - 1)
        .thread_name(|number| format!("tally-{number}"))
        .build()
        .map(Some)
        .map_err(|error| HostFault(format!("cannot start the tally's threads: {error}")))
}

impl Runtime {
    /// Sets up the engine and reserves the address space of its instances.
    pub fn new(config: RuntimeConfig) -> Result<Self, HostFault> {
        let RuntimeConfig {
            cache_dir,
            compiler,
            limits,
            instances_max,
            tally_threads,
        } = config;
        let version = limits.fuel_costs.version;
        if version != FuelCosts::VERSION {
            return Err(HostFault(format!(
                "expected fuel costs of version {}, got version {version}; use a release that knows it",
                FuelCosts::VERSION
            )));
        }
        // A tally keeps one while it folds the next chunk in another.
        let instances = instances_max.max(2);
        let engine = engine::engine(&limits, instances)?;
        let tally_workers = workers(tally_threads)?;
        let slots = Slots::new(instances);
        let tallying = Mutex::new(());
        let cache = cache_dir.map(|folder| Cache::new(folder, &engine, &limits));
        let shared = Shared {
            limits,
            cache,
            compiler,
            compiling: Mutex::new(()),
            engine,
            slots,
            tally_workers,
            tallying,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The limits in force.
    pub fn limits(&self) -> &PluginLimits {
        &self.shared.limits
    }

    /// Checks, compiles (or takes from the cache) and describes a plugin.
    pub fn load(&self, wasm: &[u8]) -> Result<Plugin, LoadError> {
        Plugin::load(&self.shared, wasm)
    }
}
