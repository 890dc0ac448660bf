//! The one table of the limits under which rule plugins run, and of what each of their operators costs.
//!
//! Genesis pins these numbers, because two validators with different limits would disagree on ballots;
//! the sandbox enforces them.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

macro_rules! plugin_limits {
    ($($(#[$doc:meta])* $limit:ident = $most:expr;)*) => {
        /// Every bound on a plugin and its calls: part of consensus, so part of genesis.
        ///
        /// The defaults are the most that a genesis may grant. Where one is lowered, a plugin that was
        /// accepted before may be refused; that is why a chain fixes them once.
        #[derive(
            Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
        )]
        #[serde(deny_unknown_fields)]
        pub struct PluginLimits {
            $($(#[$doc])* pub $limit: u64,)*
            /// What each operator costs.
            pub fuel_costs: FuelCosts,
        }

        impl Default for PluginLimits {
            fn default() -> Self {
                Self { $($limit: $most,)* fuel_costs: FuelCosts::default() }
            }
        }

        impl PluginLimits {
            /// Returns why a network cannot run with these limits.
            pub fn check(&self) -> Result<(), String> {
                let most = Self::default();
                $(if !(1..=most.$limit).contains(&self.$limit) {
                    return Err(format!(
                        "expected plugin_limits.{} from 1 to {}, got {}",
                        stringify!($limit), most.$limit, self.$limit
                    ));
                })*
                self.fuel_costs.check()
            }
        }
    };
}

plugin_limits! {
    /// Fuel of one `validate` call, `message` included.
    validate_fuel = 1_000_000;
    /// Bytes of linear memory while validating.
    validate_memory_bytes = 4 << 20;
    /// Bytes of a reject message.
    message_bytes = 256;
    /// Fuel of one `fold` call, that is, of one batch.
    fold_fuel = 100_000_000;
    /// Fuel of each `merge`, `save` and `finish` call.
    finish_fuel = 2_000_000_000;
    /// Bytes of linear memory while tallying.
    tally_memory_bytes = 64 << 20;
    /// Bytes of an outcome.
    outcome_bytes = 1 << 20;
    /// Fuel of one `describe` or `configure` call.
    configure_fuel = 10_000_000;
    /// Bytes of a manifest.
    manifest_bytes = 16 << 10;
    /// Bytes of a contest's encoded configuration.
    config_bytes = 256 << 10;
    /// Options of one contest.
    options = 4_096;
    /// Bytes of one encoded ballot.
    ballot_bytes = 16 << 10;
    /// Ballots of one `fold` batch.
    batch_ballots = 1_024;
    /// Bytes of one `fold` batch.
    batch_bytes = 128 << 10;
    /// Batches folded by one instance before its state is merged into the tally.
    chunk_batches = 64;
    /// Bytes of a plugin.
    module_bytes = 256 << 10;
    /// Functions of a plugin.
    functions = 2_000;
    /// Operators of a plugin, counted as in one function.
    operators = 200_000;
    /// Parameters and results of one function or block.
    signature_values = 64;
    /// Parameters and locals of one function.
    function_locals = 256;
    /// Operators of one function. Each value beyond two that an operator takes or gives counts as
    /// one more, and a branch table counts for each of its targets.
    function_operators = 20_000;
    /// Blocks, loops and ifs inside one another.
    block_depth = 256;
    /// Loops inside one another.
    loop_depth = 16;
    /// Loops of a function times its locals, which is what register allocation takes time for.
    loops_times_locals = 10_000;
    /// Elements of a plugin's function table.
    table_elements = 4_096;
    /// Globals of a plugin.
    globals = 64;
    /// Height of the call stack in slots; see the runtime on stack metering.
    stack_slots = 12_288;
}

macro_rules! fuel_costs {
    ($($(#[$doc:meta])* $class:ident = $cost:expr;)*) => {
        /// Fuel per operator, by class.
        ///
        /// Structure (`block`, `loop`, `else`, `end`, `nop`, `drop`, `return`, `unreachable`) is free.
        #[derive(
            Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
        )]
        #[serde(deny_unknown_fields)]
        pub struct FuelCosts {
            /// Which operators belong to which class: 1.
            pub version: u32,
            $($(#[$doc])* pub $class: u8,)*
        }

        impl Default for FuelCosts {
            fn default() -> Self {
                Self { version: Self::VERSION, $($class: $cost,)* }
            }
        }

        impl FuelCosts {
            fn check(&self) -> Result<(), String> {
                if self.version != Self::VERSION {
                    return Err(format!(
                        "expected fuel costs of version {}, got version {}",
                        Self::VERSION, self.version
                    ));
                }
                // What is free can be repeated forever.
                $(if self.$class == 0 {
                    return Err(format!(
                        "expected plugin_limits.fuel_costs.{} of at least 1, got 0",
                        stringify!($class)
                    ));
                })*
                Ok(())
            }
        }
    };
}

fuel_costs! {
    /// Constants, locals, globals, comparisons, additions, logic, shifts, conversions, `select`.
    simple = 1;
    /// Multiplications.
    multiply = 1;
    /// Divisions and remainders.
    divide = 4;
    /// `br`, `br_if`, `br_table` and `if`.
    branch = 1;
    /// Reads of memory, `memory.size`.
    load = 1;
    /// Writes of memory.
    store = 1;
    /// Direct calls.
    call = 2;
    /// Calls through the table.
    call_indirect = 4;
    /// `memory.grow`, `memory.copy` and `memory.fill`, before their size is counted.
    bulk = 8;
    /// Each page asked for by `memory.grow`.
    grow_page = 255;
    /// Each byte of `memory.copy`.
    copy_byte = 1;
    /// Each byte of `memory.fill`.
    fill_byte = 1;
}

impl FuelCosts {
    /// The classes that this code knows.
    pub const VERSION: u32 = 1;
}
