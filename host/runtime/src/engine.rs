//! The engine, set up so that every host computes the same.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy,
};

use crate::instrument::NATIVE_STACK_BYTES;
use crate::operators;
use crate::verdict::HostFault;
use tabella_limits::PluginLimits;

/// Memory of a pooled instance that stays resident between uses, so that a ballot's few pages are
/// wiped instead of given back to the system.
const MEMORY_RESIDENT_BYTES: usize = 256 << 10;

/// An engine with room for that many instances at once.
///
/// Each reserves address space, not memory: 4 GiB and guard pages, so that memory accesses need no
/// explicit check.
pub(crate) fn engine(limits: &PluginLimits, instances: u32) -> Result<Engine, HostFault> {
    let memory_bytes = usize::try_from(limits.tally_memory_bytes.max(limits.validate_memory_bytes))
        .map_err(|_| HostFault("the memory limit exceeds this machine's addresses".into()))?;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        .total_memories(instances)
        .total_tables(instances)
        .max_unused_warm_slots(instances)
        .max_memory_size(memory_bytes)
        .table_elements(usize::try_from(limits.table_elements).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(MEMORY_RESIDENT_BYTES)
        .table_keep_resident(16 << 10)
        .pagemap_scan(Enabled::Auto);

    let mut config = config(limits);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    set_up(&config)
}

/// An engine that compiles what [`engine`] runs, and reserves nothing.
pub(crate) fn compiling(limits: &PluginLimits) -> Result<Engine, HostFault> {
    set_up(&config(limits))
}

fn set_up(config: &Config) -> Result<Engine, HostFault> {
    Engine::new(config).map_err(|error| HostFault(format!("cannot set up the engine: {error:#}")))
}

/// Everything that decides what is compiled.
fn config(limits: &PluginLimits) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(true)
        .operator_cost(operators::cost_table(&limits.fuel_costs))
        .max_wasm_stack(NATIVE_STACK_BYTES)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .memory_init_cow(true);
    // Inspection refuses all of these before the engine sees a module. They are off here too, and
    // the settings that make them deterministic are on, in case that ever fails.
    config
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_extended_const(false)
        .wasm_custom_page_sizes(false);
    config
}
