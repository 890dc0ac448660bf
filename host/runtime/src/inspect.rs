//! Checks a module before anything is compiled: what it may contain, and how much of it.
//!
//! Compilation time is not bounded by a module's size, so the structure is bounded first. Every
//! violation is collected, so that an author sees them all at once.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use wasmparser::{
    BinaryReaderError, CompositeInnerType, Data, DataKind, Element, ElementItems, ElementKind,
    Export, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody, KnownCustom,
    ModuleArity, Name, Operator, Parser, Payload, TypeRef, ValType, ValidPayload, Validator,
    WasmFeatures,
};

use crate::instrument;
use crate::operators;
use tabella_limits::PluginLimits;

/// What a plugin is made of; floats and everything else are left out.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES);

/// More violations than this are not listed.
const VIOLATIONS_MAX: usize = 100;

const PAGE_BYTES: u64 = 64 << 10;

/// The first bytes of every module.
const MAGIC: &[u8] = b"\0asm";

/// The exports of the ABI: name, parameters, results.
const FUNCTIONS: [(&str, &[ValType], &[ValType]); 10] = [
    (tabella_abi::MARKER, &[], &[]),
    ("buffer", &[ValType::I32], &[ValType::I32]),
    ("describe", &[], &[ValType::I64]),
    ("configure", &[ValType::I32], &[ValType::I32]),
    ("validate", &[ValType::I32], &[ValType::I32]),
    ("fold", &[ValType::I32], &[ValType::I32]),
    ("merge", &[ValType::I32], &[ValType::I32]),
    ("save", &[], &[ValType::I64]),
    ("finish", &[ValType::I32], &[ValType::I64]),
    ("message", &[], &[ValType::I64]),
];

/// One rule of the sandbox that a module breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The function, by its name or number, where it is one function's.
    pub function: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => write!(f, "function {function} {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Every rule of the sandbox that a module breaks.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// In the order found; at most a hundred.
    pub violations: Vec<Violation>,
}

impl Report {
    fn add(&mut self, message: impl Into<String>) {
        self.add_in(None, message);
    }

    fn add_in(&mut self, function: Option<String>, message: impl Into<String>) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation {
                function,
                message: message.into(),
            });
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.violations.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{violation}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// What metering the stack needs to know of one function.
pub(crate) struct Frame {
    /// How many slots one activation counts for.
    pub(crate) slots: u64,
    /// Its operators, as [`PluginLimits::function_operators`] counts them.
    operators: u64,
    /// A function that calls nothing adds one frame at most, for which there is room.
    pub(crate) calls: bool,
}

/// Checks a module; returns the frames of its functions.
pub(crate) fn inspect(wasm: &[u8], limits: &PluginLimits) -> Result<Vec<Frame>, Report> {
    let bytes = wasm.len() as u64;
    if bytes > limits.module_bytes {
        let mut report = Report::default();
        report.add(format!(
            "the module has {bytes} bytes, at most {} allowed",
            limits.module_bytes
        ));
        return Err(report);
    }
    if !wasm.starts_with(MAGIC) {
        let found = match &wasm[..wasm.len().min(MAGIC.len())] {
            [] => "nothing".to_owned(),
            start => hex::encode(start),
        };
        let mut report = Report::default();
        report.add(format!(
            "the bytes are no WebAssembly module: expected them to start with {}, found {found}",
            hex::encode(MAGIC)
        ));
        return Err(report);
    }
    let mut scan = Scan::new(wasm, limits);
    if let Err(error) = scan.module() {
        let error = one_line(&error);
        scan.report.add(format!("the module is malformed: {error}"));
    } else {
        scan.check_exports();
    }
    if !scan.report.violations.is_empty() {
        return Err(scan.report);
    }
    let frames = measure(wasm).map_err(|error| {
        let mut report = Report::default();
        let error = one_line(&error);
        report.add(format!("the module is not valid: {error}"));
        report
    })?;
    scan.check_operators(&frames);
    if !scan.report.violations.is_empty() {
        return Err(scan.report);
    }
    Ok(frames)
}

/// Some of the parser's messages run over several lines; a refusal is one.
fn one_line(error: &BinaryReaderError) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names of functions for people, from the name section; the section may say anything.
fn function_names(wasm: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else {
            continue;
        };
        let KnownCustom::Name(subsections) = section.as_known() else {
            continue;
        };
        for subsection in subsections.into_iter().flatten() {
            let Name::Function(map) = subsection else {
                continue;
            };
            for naming in map.into_iter().flatten() {
                let name = format!("{:#}", rustc_demangle::demangle(naming.name));
                names.insert(naming.index, name.chars().take(120).collect());
            }
        }
    }
    names
}

struct Scan<'a> {
    limits: &'a PluginLimits,
    report: Report,
    wasm: &'a [u8],
    /// Read when the first one is needed.
    names: OnceCell<HashMap<u32, String>>,
    types: Vec<FuncType>,
    /// By function, the number of its type.
    functions: Vec<u32>,
    exports: BTreeMap<String, (ExternalKind, u32)>,
    bodies: u32,
    memories: u32,
}

impl<'a> Scan<'a> {
    fn new(wasm: &'a [u8], limits: &'a PluginLimits) -> Self {
        Self {
            limits,
            wasm,
            report: Report::default(),
            names: OnceCell::new(),
            types: Vec::new(),
            functions: Vec::new(),
            exports: BTreeMap::new(),
            bodies: 0,
            memories: 0,
        }
    }

    fn module(&mut self) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(self.wasm) {
            self.payload(payload?)?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of section")]
    fn payload(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for subtype in group?.into_types() {
                        self.function_type(subtype.composite_type.inner);
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(r#type) | TypeRef::FuncExact(r#type) = import.ty {
                        // Imported functions are numbered before the module's own.
                        self.functions.push(r#type);
                        self.bodies += 1;
                    }
                    let (module, name) = (import.module, import.name);
                    self.report.add(format!(
                        "the module imports `{module}.{name}`; a plugin imports nothing"
                    ));
                }
            }
            Payload::FunctionSection(section) => {
                let (count, most) = (u64::from(section.count()), self.limits.functions);
                if count > most {
                    self.report.add(format!(
                        "the module has {count} functions, at most {most} allowed"
                    ));
                }
                for function in section {
                    self.functions.push(function?);
                }
            }
            Payload::TableSection(section) => {
                for (position, table) in section.into_iter().enumerate() {
                    let (table, most) = (table?.ty, self.limits.table_elements);
                    if position > 0 {
                        self.report.add("the module has more than one table");
                    }
                    if table.initial > most {
                        let initial = table.initial;
                        self.report.add(format!(
                            "the table has {initial} elements, at most {most} allowed"
                        ));
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let (memory, most) = (memory?, self.limits.validate_memory_bytes);
                    self.memories += 1;
                    if memory.shared || memory.memory64 || memory.page_size_log2.is_some() {
                        self.report
                            .add("the memory is shared, 64-bit or of another page size");
                    } else if memory.initial.saturating_mul(PAGE_BYTES) > most {
                        let bytes = memory.initial.saturating_mul(PAGE_BYTES);
                        self.report.add(format!(
                            "the memory starts with {bytes} bytes, at most {most} allowed"
                        ));
                    }
                }
            }
            Payload::GlobalSection(section) => {
                let (count, most) = (u64::from(section.count()), self.limits.globals);
                if count > most {
                    self.report.add(format!(
                        "the module has {count} globals, at most {most} allowed"
                    ));
                }
                for (position, global) in section.into_iter().enumerate() {
                    let r#type = global?.ty.content_type;
                    if !is_integer(r#type) {
                        self.report.add(format!(
                            "global {position} has the type {type}; only i32 and i64 are allowed"
                        ));
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let Export { name, kind, index } = export?;
                    if name.starts_with(instrument::OWN_PREFIX) {
                        self.report.add(format!(
                            "the module exports `{name}`; names that start with `{}` are the host's",
                            instrument::OWN_PREFIX
                        ));
                    }
                    self.exports.insert(name.to_owned(), (kind, index));
                }
            }
            Payload::StartSection { func, .. } => {
                let function = self.name(func);
                self.report.add(format!(
                    "the module has a start function, {function}; nothing may run before it is asked"
                ));
            }
            Payload::ElementSection(section) => {
                for element in section {
                    self.element(element?);
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let Data { kind, .. } = data?;
                    if matches!(kind, DataKind::Passive) {
                        self.report
                            .add("a data segment is passive; only active ones are allowed");
                    }
                }
            }
            Payload::TagSection(_) => self.report.add("the module has exception tags"),
            Payload::CodeSectionEntry(body) => {
                let index = self.bodies;
                self.bodies += 1;
                self.body(index, &body)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn function_type(&mut self, inner: CompositeInnerType) {
        match inner {
            CompositeInnerType::Func(function) => {
                let values = (function.params().len() + function.results().len()) as u64;
                let most = self.limits.signature_values;
                if values > most {
                    let position = self.types.len();
                    self.report.add(format!(
                        "type {position} has {values} parameters and results, at most {most} allowed"
                    ));
                }
                self.types.push(function);
            }
            _ => {
                self.report
                    .add("the module has types for garbage collection");
                // Keeps the numbering.
                self.types.push(FuncType::new([], []));
            }
        }
    }

    fn element(&mut self, element: Element<'_>) {
        if matches!(element.kind, ElementKind::Passive)
            || matches!(element.items, ElementItems::Expressions(..))
        {
            self.report.add("an element segment is passive or has expressions; only active lists of functions are allowed");
        }
    }

    fn name(&self, function: u32) -> String {
        match self
            .names
            .get_or_init(|| function_names(self.wasm))
            .get(&function)
        {
            Some(name) => format!("`{name}`"),
            None => format!("{function}"),
        }
    }

    fn violation(&mut self, function: u32, message: String) {
        let name = self.name(function);
        self.report.add_in(Some(name), message);
    }

    fn body(&mut self, index: u32, body: &FunctionBody<'_>) -> wasmparser::Result<()> {
        let r#type = self
            .functions
            .get(index as usize)
            .and_then(|r#type| self.types.get(*r#type as usize));
        let (params, results) = match r#type {
            Some(r#type) => (r#type.params().to_vec(), r#type.results().to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        let mut locals = params.len() as u64;
        let mut types = params;
        types.extend(results);
        for group in body.get_locals_reader()? {
            let (count, r#type) = group?;
            locals += u64::from(count);
            types.push(r#type);
        }
        if let Some(r#type) = types.into_iter().find(|r#type| !is_integer(*r#type)) {
            self.violation(
                index,
                format!("uses the type {type}; only i32 and i64 are allowed"),
            );
        }
        if locals > self.limits.function_locals {
            let most = self.limits.function_locals;
            self.violation(
                index,
                format!("has {locals} parameters and locals, at most {most} allowed"),
            );
        }
        self.operators(index, body, locals)
    }

    fn operators(
        &mut self,
        index: u32,
        body: &FunctionBody<'_>,
        locals: u64,
    ) -> wasmparser::Result<()> {
        let limits = self.limits;
        let mut refused: BTreeMap<String, u64> = BTreeMap::new();
        let mut open = Vec::new();
        let mut loops = 0u64;
        let (mut depth_most, mut loop_depth, mut loop_depth_most) = (0u64, 0u64, 0u64);
        let mut reader = body.get_operators_reader()?;
        while !reader.eof() {
            let operator = reader.read()?;
            match operator {
                Operator::Block { .. } | Operator::If { .. } => open.push(false),
                Operator::Loop { .. } => {
                    open.push(true);
                    loops += 1;
                    loop_depth += 1;
                }
                Operator::End => loop_depth -= u64::from(open.pop() == Some(true)),
                _ => {}
            }
            depth_most = depth_most.max(open.len() as u64);
            loop_depth_most = loop_depth_most.max(loop_depth);
            if !operators::is_allowed(&operator) {
                *refused.entry(operators::name(&operator)).or_default() += 1;
            }
        }
        for (operator, times) in refused {
            let why = reason(&operator);
            let times = if times == 1 {
                String::new()
            } else {
                format!(" ({times} times)")
            };
            self.violation(index, format!("uses {why}: `{operator}`{times}"));
        }
        let bounds = [
            (depth_most, limits.block_depth, "blocks inside one another"),
            (
                loop_depth_most,
                limits.loop_depth,
                "loops inside one another",
            ),
            (
                loops * locals,
                limits.loops_times_locals,
                "loops times locals",
            ),
        ];
        for (count, most, what) in bounds {
            if count > most {
                self.violation(index, format!("has {count} {what}, at most {most} allowed"));
            }
        }
        Ok(())
    }

    fn check_operators(&mut self, frames: &[Frame]) {
        let most = self.limits.function_operators;
        for (index, frame) in (0..).zip(frames) {
            if frame.operators > most {
                let count = frame.operators;
                self.violation(
                    index,
                    format!("has {count} operators, at most {most} allowed"),
                );
            }
        }
        let count: u64 = frames.iter().map(|frame| frame.operators).sum();
        let most = self.limits.operators;
        if count > most {
            self.report.add(format!(
                "the module has {count} operators, at most {most} allowed"
            ));
        }
    }

    fn check_exports(&mut self) {
        if self.memories != 1 {
            self.report.add(format!(
                "the module has {} memories; a plugin has one",
                self.memories
            ));
        }
        if !matches!(self.exports.get("memory"), Some((ExternalKind::Memory, _))) {
            self.report.add("the module does not export its `memory`");
        }
        for (name, params, results) in FUNCTIONS {
            let wanted = signature(params, results);
            let found = match self.exports.get(name) {
                None => "nothing by that name".to_owned(),
                Some((ExternalKind::Func, index)) => {
                    let r#type = self.functions.get(*index as usize);
                    match r#type.and_then(|r#type| self.types.get(*r#type as usize)) {
                        Some(r#type) => signature(r#type.params(), r#type.results()),
                        None => "a function without a type".to_owned(),
                    }
                }
                Some(_) => "something that is not a function".to_owned(),
            };
            if found != wanted {
                self.report.add(format!(
                    "the export `{name}` must be {wanted}, found {found}"
                ));
            }
        }
    }
}

fn is_integer(r#type: ValType) -> bool {
    matches!(r#type, ValType::I32 | ValType::I64)
}

fn signature(params: &[ValType], results: &[ValType]) -> String {
    let list = |types: &[ValType]| {
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    format!("({}) -> ({})", list(params), list(results))
}

fn reason(operator: &str) -> &'static str {
    let any = |parts: &[&str]| parts.iter().any(|part| operator.contains(part));
    if any(&["x16", "x8", "x4", "x2", "v128"]) {
        "vectors"
    } else if any(&["f32", "f64"]) {
        "floating point"
    } else if operator.starts_with("atomic") || any(&["atomic"]) {
        "threads"
    } else {
        "an operator outside the sandbox"
    }
}

/// For how many operators one counts: what it takes to compile grows with the values that it moves
/// and with the ways that it leads.
fn weight(operator: &Operator<'_>, function: &impl ModuleArity) -> u64 {
    let (takes, gives) = operator.operator_arity(function).unwrap_or((0, 0));
    let weight = 1 + u64::from(takes.max(gives).saturating_sub(2));
    match operator {
        Operator::BrTable { targets } => weight * (u64::from(targets.len()) + 1),
        _ => weight,
    }
}

/// Validates the module in full and counts each function's frame.
fn measure(wasm: &[u8]) -> wasmparser::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload?)? {
            let mut function = function.into_validator(allocations);
            let mut reader = body.get_binary_reader();
            function.read_locals(&mut reader)?;
            let mut operators = 0;
            let mut height = 0;
            let mut calls = false;
            let mut reader = wasmparser::OperatorsReader::new(reader);
            while !reader.eof() {
                let (operator, offset) = reader.read_with_offset()?;
                operators += weight(&operator, &function);
                function.op(offset, &operator)?;
                height = height.max(u64::from(function.operand_stack_height()));
                calls |= matches!(
                    operator,
                    Operator::Call { .. } | Operator::CallIndirect { .. }
                );
            }
            reader.finish()?;
            let locals = u64::from(function.len_locals());
            frames.push(Frame {
                slots: 8 + locals + height + operators / 8,
                operators,
                calls,
            });
            allocations = function.into_allocations();
        }
    }
    Ok(frames)
}
