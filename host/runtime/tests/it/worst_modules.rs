//! Modules that pass inspection and take a compiler as long as we could make them.

use std::fmt::Write;

/// The default limit of a module.
const MODULE_BYTES_MAX: usize = 256 << 10;

/// Name and bytes of each, every one near the limits that it leans on.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let many = |functions: usize, body: &dyn Fn(usize) -> String| {
        (0..functions).map(body).collect::<Vec<String>>()
    };
    let modules: Vec<(&'static str, Vec<String>)> = vec![
        // 39 loops over 256 locals, each of which changes in each.
        ("loops over locals", many(6, &|_| wide_loops(39, 254, 16))),
        (
            "flat loops over locals",
            many(6, &|_| wide_loops(39, 254, 1)),
        ),
        // The product at its limit by loops.
        ("many loops", many(8, &|_| wide_loops(2_400, 4, 16))),
        ("branches over locals", many(7, &|_| diamonds(1_900, 254))),
        ("branch tables", many(8, &|_| tables(250, 75))),
        ("deep operand stacks", many(9, &|_| deep_stack(6_000))),
        ("wide blocks", many(9, &|_| wide_blocks(32, 600))),
        ("wide loops", many(9, &|_| block_loops(32, 300))),
        ("wide calls", many(9, &|_| calls(60, 320))),
        (
            "indirect calls",
            many(9, &|_| {
                repeat(
                    "(drop (call_indirect (param i32) (result i32) (local.get 0) (local.get 1)))",
                    4_000,
                )
            }),
        ),
        (
            "divisions",
            many(9, &|_| {
                chain("(i64.div_s (local.get 0) (local.get 1))", 3_900)
            }),
        ),
        (
            "sums that rewrite",
            many(9, &|_| {
                chain(
                    "(i64.xor (i64.and (local.get 0) (local.get 1)) (i64.or (local.get 1) (local.get 0)))",
                    2_100,
                )
            }),
        ),
        ("loads and stores", many(9, &|_| memory_accesses(3_200))),
        (
            "bulk operators",
            many(9, &|_| {
                repeat(
                    "(memory.copy (local.get 0) (local.get 1) (local.get 0)) (drop (memory.grow (local.get 0)))",
                    2_200,
                )
            }),
        ),
        (
            "globals",
            many(9, &|_| {
                repeat(
                    "(global.set $g (i64.mul (global.get $g) (global.get $g)))",
                    4_800,
                )
            }),
        ),
        (
            "small functions",
            many(1_900, &|_| {
                "(func (param i32 i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (local.get 1)))".into()
            }),
        ),
    ];
    modules
        .into_iter()
        .map(|(name, functions)| (name, largest(&functions)))
        .collect()
}

/// The module of as many of these functions as its bytes may hold.
fn largest(functions: &[String]) -> Vec<u8> {
    let counts = (1..=functions.len()).rev();
    let mut modules = counts.map(|count| module(&functions[..count].concat()));
    let fits = |wasm: &Vec<u8>| wasm.len() <= MODULE_BYTES_MAX;
    modules.find(fits).expect("one function fits")
}

fn module(functions: &str) -> Vec<u8> {
    let manifest = r#"{"abi":1,"name":"trial","version":"1","summary":"A trial.","licence":"MIT","ballot":"raw"}"#;
    let text = format!(
        r#"(module
        (memory (export "memory") 1)
        (table 16 funcref)
        (global $g (mut i64) (i64.const 1))
        (data (i32.const 64) "{}")
        (func (export "tabella_abi_v1"))
        (func (export "buffer") (param i32) (result i32) i32.const 4096)
        (func (export "describe") (result i64) i64.const {})
        (func (export "configure") (param i32) (result i32) i32.const 0)
        (func (export "validate") (param i32) (result i32) i32.const 0)
        (func (export "fold") (param i32) (result i32) i32.const 0)
        (func (export "merge") (param i32) (result i32) i32.const 0)
        (func (export "save") (result i64) i64.const 0)
        (func (export "finish") (param i32) (result i64) i64.const 0)
        (func (export "message") (result i64) i64.const 0)
        {functions})"#,
        manifest.replace('"', "\\\""),
        64i64 << 32 | manifest.len() as i64,
    );
    wat::parse_str(text).unwrap()
}

fn repeat(part: &str, times: usize) -> String {
    format!("(func (param i32 i32) {})", part.repeat(times))
}

/// Each step uses what the one before it made.
fn chain(step: &str, times: usize) -> String {
    let step = format!("(local.set 0 {step})");
    format!(
        "(func (param i64 i64) (result i64) {} (local.get 0))",
        step.repeat(times)
    )
}

/// Loops in which every local depends on others, `depth` of them inside one another.
fn wide_loops(loops: usize, locals: usize, depth: usize) -> String {
    let mut body = String::new();
    let mut made = 0;
    let mut budget = 19_000usize;
    while made < loops {
        let nest = depth.min(loops - made);
        for level in 0..nest {
            body.push_str("(loop ");
            let changed = locals.min(budget / (loops - made - level) / 4);
            budget -= changed * 4;
            for local in 0..changed {
                let (a, b) = ((local * 7 + made) % locals, (local * 13 + level) % locals);
                write!(
                    body,
                    "(local.set {local} (i64.add (local.get {a}) (local.get {b})))"
                )
                .unwrap();
            }
        }
        for level in (0..nest).rev() {
            let local = (made + level) % locals;
            write!(body, "(br_if 0 (i64.eqz (local.get {local}))))").unwrap();
        }
        budget = budget.saturating_sub(nest * 5);
        made += nest;
    }
    let types = "i64 ".repeat(locals);
    format!("(func (local {types}) {body})")
}

/// Choices after each of which another local differs.
fn diamonds(count: usize, locals: usize) -> String {
    let mut body = String::new();
    for place in 0..count {
        let (a, b) = (place % locals, (place * 31 + 7) % locals);
        write!(
            body,
            "(if (i64.eqz (local.get {a})) (then (local.set {b} (local.get {a}))) (else (local.set {a} (local.get {b}))))"
        )
        .unwrap();
    }
    format!("(func (local {}) {body})", "i64 ".repeat(locals))
}

/// Branch tables that lead everywhere.
fn tables(blocks: usize, count: usize) -> String {
    let targets: String = (0..blocks).map(|target| format!("{target} ")).collect();
    let table = format!("(block (br_table 0 {targets} (local.get 0)))");
    let (open, close) = ("(block ".repeat(blocks), ")".repeat(blocks));
    format!("(func (param i32) {open}{}{close})", table.repeat(count))
}

fn deep_stack(height: usize) -> String {
    let loads: String = (0..height)
        .map(|place| format!("(i64.load offset={} (local.get 0))", place * 8))
        .collect();
    format!(
        "(func (param i32) (result i64) {loads} {})",
        "i64.xor ".repeat(height - 1)
    )
}

/// Blocks that take and give many values.
fn wide_blocks(values: usize, count: usize) -> String {
    let types = "i64 ".repeat(values);
    let consts: String = (0..values)
        .map(|value| format!("(i64.const {value})"))
        .collect();
    let block = format!(
        "(block (param {types}) (result {types}) (br_if 0 (local.get 0)) i64.add (i64.const 3))"
    );
    let count = count / 4;
    format!(
        "(func (param i32) {consts} {} {})",
        block.repeat(count),
        "drop ".repeat(values)
    )
}

fn block_loops(values: usize, count: usize) -> String {
    let types = "i64 ".repeat(values);
    let consts: String = (0..values)
        .map(|value| format!("(i64.const {value})"))
        .collect();
    let round = format!(
        "(loop (param {types}) (result {types}) i64.add (i64.const 3) (br_if 0 (local.get 0)))"
    );
    let count = count / 2;
    format!(
        "(func (param i32) {consts} {} {})",
        round.repeat(count),
        "drop ".repeat(values)
    )
}

/// Calls of the function itself, with as many arguments as a signature may have.
fn calls(params: usize, count: usize) -> String {
    let types = "i64 ".repeat(params);
    let count = count * 20_000 / 38_400;
    let arguments: String = (0..params)
        .map(|param| format!("(local.get {})", (param * 7 + 1) % params))
        .collect();
    // The first function after the ten of the ABI.
    let call = format!("(drop (call 10 {arguments}))");
    format!(
        "(func (param {types}) (result i64) {} (local.get 0))",
        call.repeat(count)
    )
}

fn memory_accesses(count: usize) -> String {
    let accesses: String = (0..count)
        .map(|place| format!("(i64.store offset={place} (i32.add (local.get 0) (local.get 1)) (i64.load offset={} (local.get 1)))", place * 3))
        .collect();
    format!("(func (param i32 i32) {accesses})")
}
