//! Counts the height of the call stack inside the module, so that it overflows at the same call on
//! every host.
//!
//! A native frame's size depends on the compiler and the processor; the count does not. Each
//! activation of a function that calls others counts [`Frame::slots`]: eight, its locals, its
//! largest operand stack, and an eighth of its operators, those with many values counted for more
//! than one. However registers are allocated, a native
//! frame has at most one eight-byte slot for each local and each operator, so
//! [`PluginLimits::stack_slots`](crate::PluginLimits::stack_slots) slots take at most 64 bytes each. That and
//! one more frame fit [`NATIVE_STACK_BYTES`], which therefore never overflows first.
//!
//! The mutable globals are exported, because a configured instance is copied by its memory and
//! globals.

use wasm_encoder::reencode::{Error, Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, GlobalSection,
    GlobalType, Instruction, Module, RawSection, TypeSection, ValType,
};
use wasmparser::{FuncType, FunctionBody, Operator, Parser, Payload};

use crate::inspect::Frame;

/// Native stack of a plugin.
pub(crate) const NATIVE_STACK_BYTES: usize = 1 << 20;

/// The prefix of every export added here; a plugin has none of that name.
pub(crate) const OWN_PREFIX: &str = "tabella:";

/// The prefix of the exported globals, followed by the number of the global.
pub(crate) const GLOBAL_PREFIX: &str = "tabella:global:";

/// The export of the height counter.
pub(crate) const HEIGHT: &str = "tabella:height";

type Result<T> = std::result::Result<T, Error<std::convert::Infallible>>;

/// Instruments a module that passed inspection.
pub(crate) fn instrument(wasm: &[u8], frames: &[Frame], slots_max: u64) -> Result<Vec<u8>> {
    let mut source = Source::read(wasm)?;
    let height = source.globals;
    let mut module = Module::new();
    let mut bodies = CodeSection::new();
    let mut next_body = 0;
    // Sections come in a fixed order, and all that are added to are required by the ABI but the
    // section of globals, which stands between memories and exports.
    let mut globals_written = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::TypeSection(section) => {
                let mut types = TypeSection::new();
                RoundtripReencoder.parse_type_section(&mut types, section.clone())?;
                source.add_block_types(&mut types)?;
                module.section(&types);
            }
            Payload::GlobalSection(section) => {
                let mut globals = GlobalSection::new();
                RoundtripReencoder.parse_global_section(&mut globals, section.clone())?;
                add_height(&mut globals);
                module.section(&globals);
                globals_written = true;
            }
            Payload::ExportSection(section) => {
                if !globals_written {
                    let mut globals = GlobalSection::new();
                    add_height(&mut globals);
                    module.section(&globals);
                }
                let mut exports = ExportSection::new();
                RoundtripReencoder.parse_export_section(&mut exports, section.clone())?;
                for global in &source.mutable_globals {
                    exports.export(
                        &format!("{GLOBAL_PREFIX}{global}"),
                        ExportKind::Global,
                        *global,
                    );
                }
                exports.export(HEIGHT, ExportKind::Global, height);
                module.section(&exports);
            }
            Payload::CodeSectionStart { .. } => {}
            Payload::CodeSectionEntry(body) => {
                let frame = &frames[next_body];
                if frame.calls {
                    let block_type = source.block_types[next_body];
                    bodies.function(&metered(body, frame, block_type, height, slots_max)?);
                } else {
                    bodies.raw(body.as_bytes());
                }
                next_body += 1;
                if next_body == frames.len() {
                    module.section(&bodies);
                }
            }
            // Names and notes take no part in what runs.
            Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    module.section(&RawSection {
                        id,
                        data: &wasm[range],
                    });
                }
            }
        }
    }
    Ok(module.finish())
}

fn add_height(globals: &mut GlobalSection) {
    let r#type = GlobalType {
        val_type: ValType::I32,
        mutable: true,
        shared: false,
    };
    globals.global(r#type, &ConstExpr::i32_const(0));
}

/// What must be known before the first section is written.
struct Source {
    types: Vec<FuncType>,
    /// By function, the type of a block with its results.
    block_types: Vec<BlockType>,
    functions: Vec<u32>,
    globals: u32,
    mutable_globals: Vec<u32>,
}

impl Source {
    fn read(wasm: &[u8]) -> Result<Self> {
        let mut source = Self {
            types: Vec::new(),
            block_types: Vec::new(),
            functions: Vec::new(),
            globals: 0,
            mutable_globals: Vec::new(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(section) => {
                    for r#type in section.into_iter_err_on_gc_types() {
                        source.types.push(r#type?);
                    }
                }
                Payload::FunctionSection(section) => {
                    for function in section {
                        source.functions.push(function?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        if global?.ty.mutable {
                            source.mutable_globals.push(source.globals);
                        }
                        source.globals += 1;
                    }
                }
                _ => {}
            }
        }
        Ok(source)
    }

    /// A block with several results needs a type of its own.
    fn add_block_types(&mut self, types: &mut TypeSection) -> Result<()> {
        for function in &self.functions {
            let results = self.types[*function as usize].results();
            self.block_types.push(match results {
                [] => BlockType::Empty,
                [result] => BlockType::Result(RoundtripReencoder.val_type(*result)?),
                _ => {
                    let results: Vec<_> = results
                        .iter()
                        .map(|result| RoundtripReencoder.val_type(*result))
                        .collect::<Result<_>>()?;
                    let number = types.len();
                    types.ty().function([], results);
                    BlockType::FunctionType(number)
                }
            });
        }
        Ok(())
    }
}

/// The body in a block of its own, so that every way out of it leads past the end of the block,
/// where the height is taken down again.
fn metered(
    body: &FunctionBody<'_>,
    frame: &Frame,
    block_type: BlockType,
    height: u32,
    slots_max: u64,
) -> Result<Function> {
    let mut locals = Vec::new();
    for group in body.get_locals_reader()? {
        let (count, r#type) = group?;
        locals.push((count, RoundtripReencoder.val_type(r#type)?));
    }
    let mut function = Function::new(locals);
    // The limits on functions keep both far below 2^31.
    let slots = i32::try_from(frame.slots).unwrap_or(i32::MAX / 2);
    let most = i32::try_from(slots_max).unwrap_or(i32::MAX / 2);
    let mut put = |instruction| {
        function.instruction(&instruction);
    };
    put(Instruction::GlobalGet(height));
    put(Instruction::I32Const(slots));
    put(Instruction::I32Add);
    put(Instruction::GlobalSet(height));
    put(Instruction::GlobalGet(height));
    put(Instruction::I32Const(most));
    put(Instruction::I32GtU);
    put(Instruction::If(BlockType::Empty));
    put(Instruction::Unreachable);
    put(Instruction::End);
    put(Instruction::Block(block_type));
    let mut depth = 0;
    for operator in body.get_operators_reader()? {
        let operator = operator?;
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
            Operator::End if depth > 0 => depth -= 1,
            Operator::Return => {
                put(Instruction::Br(depth));
                continue;
            }
            _ => {}
        }
        put(RoundtripReencoder.instruction(operator)?);
    }
    put(Instruction::GlobalGet(height));
    put(Instruction::I32Const(slots));
    put(Instruction::I32Sub);
    put(Instruction::GlobalSet(height));
    put(Instruction::End);
    Ok(function)
}
