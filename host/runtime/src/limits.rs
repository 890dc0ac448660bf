//! Every bound on a plugin, by name, with its default.
//!
//! Genesis pins these numbers: two validators with different limits would disagree on ballots.

use serde::{Deserialize, Serialize};

/// Bounds on what a plugin is and on what one call of it may use.
///
/// Fuel is counted by [`FuelCosts`]. Where a default is lowered, a plugin that was accepted before
/// may be refused; that is why a chain fixes them once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Fuel of one `validate` call, `message` included.
    pub validate_fuel: u64,
    /// Bytes of linear memory while validating.
    pub validate_memory_bytes: u64,
    /// Bytes of a reject message.
    pub message_bytes: u64,
    /// Fuel of one `fold` call, that is, of one batch.
    pub fold_fuel: u64,
    /// Fuel of each `merge`, `save` and `finish` call.
    pub finish_fuel: u64,
    /// Bytes of linear memory while tallying.
    pub tally_memory_bytes: u64,
    /// Bytes of an outcome.
    pub outcome_bytes: u64,
    /// Fuel of one `describe` or `configure` call.
    pub configure_fuel: u64,
    /// Bytes of a manifest.
    pub manifest_bytes: u64,
    /// Bytes of a contest's encoded configuration.
    pub config_bytes: u64,
    /// Options of one contest.
    pub options: u64,
    /// Bytes of one encoded ballot.
    pub ballot_bytes: u64,
    /// Ballots of one `fold` batch.
    pub batch_ballots: u64,
    /// Bytes of one `fold` batch.
    pub batch_bytes: u64,
    /// Batches folded by one instance before its state is merged into the tally.
    pub chunk_batches: u64,
    /// Bytes of a plugin.
    pub module_bytes: u64,
    /// Functions of a plugin.
    pub functions: u64,
    /// Operators of a plugin, counted as in one function.
    pub operators: u64,
    /// Parameters and results of one function or block.
    pub signature_values: u64,
    /// Parameters and locals of one function.
    pub function_locals: u64,
    /// Operators of one function. Each value beyond two that an operator takes or gives counts as
    /// one more, and a branch table counts for each of its targets.
    pub function_operators: u64,
    /// Blocks, loops and ifs inside one another.
    pub block_depth: u64,
    /// Loops inside one another.
    pub loop_depth: u64,
    /// Loops of a function times its locals, which is what register allocation takes time for.
    pub loops_times_locals: u64,
    /// Elements of a plugin's function table.
    pub table_elements: u64,
    /// Globals of a plugin.
    pub globals: u64,
    /// Height of the call stack in slots; see [`crate`] on stack metering.
    pub stack_slots: u64,
    /// What each operator costs.
    pub fuel_costs: FuelCosts,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            validate_fuel: 1_000_000,
            validate_memory_bytes: 4 << 20,
            message_bytes: 256,
            fold_fuel: 100_000_000,
            finish_fuel: 2_000_000_000,
            tally_memory_bytes: 64 << 20,
            outcome_bytes: 1 << 20,
            configure_fuel: 10_000_000,
            manifest_bytes: 16 << 10,
            config_bytes: 256 << 10,
            options: 4_096,
            ballot_bytes: 16 << 10,
            batch_ballots: 1_024,
            batch_bytes: 128 << 10,
            chunk_batches: 64,
            module_bytes: 256 << 10,
            functions: 2_000,
            operators: 200_000,
            signature_values: 64,
            function_locals: 256,
            function_operators: 20_000,
            block_depth: 256,
            loop_depth: 16,
            loops_times_locals: 10_000,
            table_elements: 4_096,
            globals: 64,
            stack_slots: 12_288,
            fuel_costs: FuelCosts::default(),
        }
    }
}

/// Fuel per operator, by class.
///
/// Structure (`block`, `loop`, `else`, `end`, `nop`, `drop`, `return`, `unreachable`) is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FuelCosts {
    /// Which operators belong to which class; [`FuelCosts::VERSION`] is the only one there is.
    pub version: u32,
    /// Constants, locals, globals, comparisons, additions, logic, shifts, conversions, `select`.
    pub simple: u8,
    /// Multiplications.
    pub multiply: u8,
    /// Divisions and remainders.
    pub divide: u8,
    /// `br`, `br_if`, `br_table` and `if`.
    pub branch: u8,
    /// Reads of memory, `memory.size`.
    pub load: u8,
    /// Writes of memory.
    pub store: u8,
    /// Direct calls.
    pub call: u8,
    /// Calls through the table.
    pub call_indirect: u8,
    /// `memory.grow`, `memory.copy` and `memory.fill`, before their size is counted.
    pub bulk: u8,
    /// Each page asked for by `memory.grow`.
    pub grow_page: u8,
    /// Each byte of `memory.copy`.
    pub copy_byte: u8,
    /// Each byte of `memory.fill`.
    pub fill_byte: u8,
}

impl FuelCosts {
    /// The classes that this runtime knows.
    pub const VERSION: u32 = 1;
}

impl Default for FuelCosts {
    fn default() -> Self {
        Self {
            version: Self::VERSION,
            simple: 1,
            multiply: 1,
            divide: 4,
            branch: 1,
            load: 1,
            store: 1,
            call: 2,
            call_indirect: 4,
            bulk: 8,
            grow_page: 255,
            copy_byte: 1,
            fill_byte: 1,
        }
    }
}
