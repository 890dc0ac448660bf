//! The operators a plugin may use, and what each costs.
//!
//! One list serves both: an operator that has no cost here is refused.

use wasmparser::Operator;
use wasmtime::{OperatorCost, VariableOperatorCost};

use tabella_limits::FuelCosts;

macro_rules! allowed_operators {
    ($($cost:ident: $($operator:ident)*;)*) => {
        /// Whether a plugin may use it.
        pub(crate) fn is_allowed(operator: &Operator<'_>) -> bool {
            matches!(operator, $($(Operator::$operator { .. })|*)|*)
        }

        fn set_costs(table: &mut OperatorCost, costs: &Costs) {
            $($(table.$operator = costs.$cost;)*)*
        }
    };
}

allowed_operators! {
    free: Unreachable Nop Block Loop Else End Return Drop;
    branch: If Br BrIf BrTable;
    call: Call;
    call_indirect: CallIndirect;
    simple: Select LocalGet LocalSet LocalTee GlobalGet GlobalSet I32Const I64Const
        I32Eqz I32Eq I32Ne I32LtS I32LtU I32GtS I32GtU I32LeS I32LeU I32GeS I32GeU
        I64Eqz I64Eq I64Ne I64LtS I64LtU I64GtS I64GtU I64LeS I64LeU I64GeS I64GeU
        I32Clz I32Ctz I32Popcnt I32Add I32Sub I32And I32Or I32Xor I32Shl I32ShrS I32ShrU
        I32Rotl I32Rotr
        I64Clz I64Ctz I64Popcnt I64Add I64Sub I64And I64Or I64Xor I64Shl I64ShrS I64ShrU
        I64Rotl I64Rotr
        I32WrapI64 I64ExtendI32S I64ExtendI32U
        I32Extend8S I32Extend16S I64Extend8S I64Extend16S I64Extend32S;
    multiply: I32Mul I64Mul;
    divide: I32DivS I32DivU I32RemS I32RemU I64DivS I64DivU I64RemS I64RemU;
    load: I32Load I64Load I32Load8S I32Load8U I32Load16S I32Load16U
        I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U MemorySize;
    store: I32Store I64Store I32Store8 I32Store16 I64Store8 I64Store16 I64Store32;
    bulk: MemoryGrow MemoryCopy MemoryFill;
}

struct Costs {
    free: u8,
    branch: u8,
    call: u8,
    call_indirect: u8,
    simple: u8,
    multiply: u8,
    divide: u8,
    load: u8,
    store: u8,
    bulk: u8,
}

/// The engine's table with every cost that a plugin can meet written out.
pub(crate) fn cost_table(costs: &FuelCosts) -> OperatorCost {
    let mut table = OperatorCost::new();
    let by_class = Costs {
        free: 0,
        branch: costs.branch,
        call: costs.call,
        call_indirect: costs.call_indirect,
        simple: costs.simple,
        multiply: costs.multiply,
        divide: costs.divide,
        load: costs.load,
        store: costs.store,
        bulk: costs.bulk,
    };
    set_costs(&mut table, &by_class);
    table.variable = VariableOperatorCost {
        memory_copy_per_byte: costs.copy_byte,
        memory_fill_per_byte: costs.fill_byte,
        memory_grow_per_page: costs.grow_page,
        ..VariableOperatorCost::new()
    };
    table
}

/// The operator's name as in the text format, such as `i32.add`.
pub(crate) fn name(operator: &Operator<'_>) -> String {
    let visit = visit_name(operator);
    let name = visit.strip_prefix("visit_").unwrap_or(visit);
    match name.split_once('_') {
        Some((prefix, rest)) if PREFIXES.contains(&prefix) => format!("{prefix}.{rest}"),
        _ => name.to_owned(),
    }
}

const PREFIXES: [&str; 21] = [
    "i32", "i64", "f32", "f64", "v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2",
    "local", "global", "memory", "table", "data", "elem", "ref", "array", "struct", "atomic",
];

macro_rules! define_visit_name {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $type:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        fn visit_name(operator: &Operator<'_>) -> &'static str {
            match operator {
                $(Operator::$op { .. } => stringify!($visit),)*
                _ => "unknown",
            }
        }
    };
}

wasmparser::for_each_operator!(define_visit_name);
