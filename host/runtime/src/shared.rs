//! What a runtime's plugins and contests share.

use std::sync::Arc;

use parking_lot::Mutex;
use tabella_limits::PluginLimits;
use wasmtime::Engine;

use crate::cache::Cache;
use crate::compile::Compiler;
use crate::instance::Slots;

/// The engine, the limits, and whose turn it is to compile and to count.
pub(crate) struct Shared {
    pub(crate) limits: PluginLimits,
    pub(crate) cache: Option<Cache>,
    pub(crate) compiler: Compiler,
    /// Held by the compilation that runs: one at a time, whatever many callers ask for.
    pub(crate) compiling: Mutex<()>,
    pub(crate) engine: Engine,
    pub(crate) slots: Arc<Slots>,
    /// They fold beside the thread that asks for a tally; none where that one folds alone.
    pub(crate) tally_workers: Option<rayon::ThreadPool>,
    /// Held by the tally that runs.
    pub(crate) tallying: Mutex<()>,
}
