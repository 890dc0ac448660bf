//! Modules that mean harm, or are merely wrong: refused or stopped, with a message that helps.

use expect_test::{Expect, expect};
use serde_json::json;
use tabella_abi::codec::Wire;
use tabella_abi::number::Number;
use tabella_abi::outcome::{OptionResult, Outcome};
use tabella_runtime::{
    Contest, LoadError, Plugin, PluginLimits, Runtime, RuntimeConfig, TallyError, Verdict,
};

use crate::{config, runtime};

const MANIFEST: &str = r#"{"abi":1,"name":"trial","version":"1","summary":"A trial.",
    "licence":"MIT","ballot":"raw"}"#;

/// A plugin that accepts everything and elects nobody, of which a test replaces parts.
pub(crate) struct Parts {
    pub(crate) manifest: Vec<u8>,
    pub(crate) outcome: Vec<u8>,
    pub(crate) memory: &'static str,
    pub(crate) buffer: String,
    pub(crate) describe: String,
    pub(crate) configure: String,
    pub(crate) validate: String,
    pub(crate) fold: String,
    pub(crate) merge: String,
    pub(crate) save: String,
    pub(crate) finish: String,
    pub(crate) message: String,
    /// Before everything else.
    pub(crate) imports: String,
    /// After everything else.
    pub(crate) more: String,
}

impl Default for Parts {
    fn default() -> Self {
        let option = OptionResult {
            votes: Number::ZERO,
            elected: false,
            seats: 0,
        };
        let options = vec![option.clone(), option];
        let outcome = Outcome {
            options,
            ..Outcome::default()
        }
        .to_wire();
        Self {
            describe: format!("i64.const {}", place(1_024, MANIFEST.len())),
            finish: format!("i64.const {}", place(8_192, outcome.len())),
            manifest: MANIFEST.into(),
            outcome,
            memory: "2",
            buffer: "i32.const 65536".into(),
            configure: "i32.const 0".into(),
            validate: "i32.const 0".into(),
            fold: "i32.const 0".into(),
            merge: "i32.const 0".into(),
            save: "i64.const 0".into(),
            message: "i64.const 0".into(),
            imports: String::new(),
            more: String::new(),
        }
    }
}

/// Address and length as the ABI packs them.
fn place(address: u64, len: usize) -> i64 {
    (address << 32 | len as u64) as i64
}

impl Parts {
    pub(crate) fn validating(validate: &str) -> Self {
        Self {
            validate: validate.into(),
            ..Self::default()
        }
    }

    fn with(more: &str) -> Self {
        Self {
            more: more.into(),
            ..Self::default()
        }
    }

    fn describing(manifest: &[u8]) -> Self {
        let describe = format!("i64.const {}", place(1_024, manifest.len()));
        Self {
            manifest: manifest.to_vec(),
            describe,
            ..Self::default()
        }
    }

    pub(crate) fn wasm(&self) -> Vec<u8> {
        let escape = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|b| format!("\\{b:02x}"))
                .collect::<String>()
        };
        let Self {
            memory,
            buffer,
            describe,
            configure,
            validate,
            ..
        } = self;
        let Self {
            fold,
            merge,
            save,
            finish,
            message,
            imports,
            more,
            ..
        } = self;
        let text = format!(
            r#"(module
            {imports}
            (memory (export "memory") {memory})
            (data (i32.const 1024) "{manifest}")
            (data (i32.const 8192) "{outcome}")
            (func (export "tabella_abi_v1"))
            (func (export "buffer") (param i32) (result i32) {buffer})
            (func (export "describe") (result i64) {describe})
            (func (export "configure") (param i32) (result i32) {configure})
            (func (export "validate") (param i32) (result i32) {validate})
            (func (export "fold") (param i32) (result i32) {fold})
            (func (export "merge") (param i32) (result i32) {merge})
            (func (export "save") (result i64) {save})
            (func (export "finish") (param i32) (result i64) {finish})
            (func (export "message") (result i64) {message})
            {more})"#,
            manifest = escape(&self.manifest),
            outcome = escape(&self.outcome),
        );
        wat::parse_str(text).unwrap()
    }

    fn load(&self) -> Plugin {
        runtime()
            .load(&self.wasm())
            .map_err(|error| error.to_string())
            .unwrap()
    }

    pub(crate) fn contest(&self) -> Contest {
        self.load()
            .contest(&config(&["a", "b"], json!({})))
            .unwrap()
    }
}

fn check_refused(parts: Parts, expected: Expect) {
    check_bytes_refused(&parts.wasm(), expected);
}

fn check_bytes_refused(wasm: &[u8], expected: Expect) {
    let error = runtime().load(wasm).map(|_| ()).unwrap_err();
    expected.assert_eq(&error.to_string());
}

/// For messages that end with a place in the module.
fn check_start_of_refusal(wasm: &[u8], expected: &str) {
    let error = runtime().load(wasm).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

/// The verdict on one ballot, twice: a failure is the same on every host.
fn check_verdict(parts: Parts, expected: Expect) {
    let contest = parts.contest();
    let first = contest.validate_metered(b"ballot").unwrap();
    assert_eq!(contest.validate_metered(b"ballot").unwrap(), first);
    let text = match first.0 {
        Verdict::Accept => "accepted".into(),
        Verdict::Reject { code, message } => format!("refused with {code}: {message}"),
        Verdict::Fault(fault) => fault.to_string(),
    };
    expected.assert_eq(&text);
}

fn check_tally(parts: Parts, expected: Expect) {
    let limits = PluginLimits {
        batch_ballots: 1,
        chunk_batches: 1,
        ..PluginLimits::default()
    };
    let runtime = Runtime::new(RuntimeConfig {
        limits,
        ..RuntimeConfig::default()
    })
    .unwrap();
    let contest = runtime
        .load(&parts.wasm())
        .unwrap()
        .contest(&config(&["a", "b"], json!({})));
    let ballots = [(1, b"x"), (1, b"y")].into_iter();
    let text = match contest.unwrap().tally(ballots, [0; 32]) {
        Ok(tally) => format!("counted {}", tally.ballots),
        Err(error @ TallyError::Fault { .. }) => error.to_string(),
        Err(other) => panic!("not the plugin's failure: {other}"),
    };
    expected.assert_eq(&text);
}

#[test]
fn the_harmless_plugin_runs() {
    check_verdict(Parts::default(), expect!["accepted"]);
    check_tally(Parts::default(), expect!["counted 2"]);
}

#[test]
fn floats_are_refused_by_function_and_operator() {
    check_refused(
        Parts::with(
            "(func $average (param i32) (result i32) local.get 0 f64.convert_i32_s
             f64.const 2 f64.div f64.const 1 f64.div i32.trunc_f64_s)
             (func $rounded (param f32))",
        ),
        expect![
            "the module is refused: function `average` uses floating point: `f64.const` (2 times); function `average` uses floating point: `f64.convert_i32_s`; function `average` uses floating point: `f64.div` (2 times); function `average` uses floating point: `i32.trunc_f64_s`; function `rounded` uses the type f32; only i32 and i64 are allowed"
        ],
    );
}

#[test]
fn floats_in_globals_are_refused() {
    check_refused(
        Parts::with("(global f64 (f64.const 1))"),
        expect!["the module is refused: global 0 has the type f64; only i32 and i64 are allowed"],
    );
}

#[test]
fn vectors_and_other_proposals_are_refused() {
    check_refused(
        Parts::with(
            "(table 1 funcref)
             (func $v (drop (i8x16.splat (i32.const 1))))
             (func $t (drop (table.size 0)))
             (func $r (return_call $v))
             (func $b (result i32) (i32.trunc_sat_f64_s (f64.const 1)))",
        ),
        expect![
            "the module is refused: function `v` uses vectors: `i8x16.splat`; function `t` uses an operator outside the sandbox: `table.size`; function `r` uses an operator outside the sandbox: `return_call`; function `b` uses floating point: `f64.const`; function `b` uses floating point: `i32.trunc_sat_f64_s`"
        ],
    );
}

#[test]
fn imports_are_refused() {
    check_refused(
        Parts {
            imports: r#"(import "env" "time" (func (result i64)))"#.into(),
            ..Parts::default()
        },
        expect!["the module is refused: the module imports `env.time`; a plugin imports nothing"],
    );
}

#[test]
fn a_start_function_is_refused() {
    check_refused(
        Parts::with("(func $early) (start $early)"),
        expect![
            "the module is refused: the module has a start function, `early`; nothing may run before it is asked"
        ],
    );
}

#[test]
fn too_many_locals_are_refused() {
    let locals = "i32 ".repeat(257);
    check_refused(
        Parts::with(&format!("(func $wide (local {locals}))")),
        expect![
            "the module is refused: function `wide` has 257 parameters and locals, at most 256 allowed"
        ],
    );
}

#[test]
fn deep_nesting_is_refused() {
    let blocks = format!("{}{}", "(block ".repeat(257), ")".repeat(257));
    let loops = format!("{}{}", "(loop ".repeat(17), ")".repeat(17));
    let more = format!("(func $deep {blocks}) (func $round {loops})");
    check_refused(
        Parts::with(&more),
        expect![
            "the module is refused: function `deep` has 257 blocks inside one another, at most 256 allowed; function `round` has 17 loops inside one another, at most 16 allowed"
        ],
    );
}

#[test]
fn many_loops_over_many_locals_are_refused() {
    let (locals, loops) = ("i32 ".repeat(200), "(loop)".repeat(51));
    check_refused(
        Parts::with(&format!("(func $slow (local {locals}) {loops})")),
        expect![
            "the module is refused: function `slow` has 10200 loops times locals, at most 10000 allowed"
        ],
    );
}

#[test]
fn huge_functions_and_modules_are_refused() {
    check_refused(
        Parts::with(&format!("(func $long {})", "nop ".repeat(20_000))),
        expect![
            "the module is refused: function `long` has 20001 operators, at most 20000 allowed"
        ],
    );
    check_refused(
        Parts::with(&"(func)".repeat(2_001)),
        expect!["the module is refused: the module has 2011 functions, at most 2000 allowed"],
    );
    let more = format!("(data (i32.const 0) \"{}\")", "x".repeat(256 << 10));
    check_refused(
        Parts::with(&more),
        expect!["the module is refused: the module has 262503 bytes, at most 262144 allowed"],
    );
}

#[test]
fn operators_count_for_the_values_that_they_move() {
    let targets = "0 ".repeat(20_000);
    check_refused(
        Parts::with(&format!(
            "(func $forks (param i32) (block (br_table {targets} (local.get 0))))"
        )),
        expect![
            "the module is refused: function `forks` has 20004 operators, at most 20000 allowed"
        ],
    );
    let values = "i64 ".repeat(32);
    let consts = "(i64.const 1)".repeat(32);
    let blocks = format!("(block (param {values}) (result {values}))").repeat(400);
    let drops = "drop ".repeat(32);
    check_refused(
        Parts::with(&format!("(func $carries {consts} {blocks} {drops})")),
        expect![
            "the module is refused: function `carries` has 24865 operators, at most 20000 allowed"
        ],
    );
    let more = format!("(func {})", "nop ".repeat(19_000)).repeat(11);
    check_refused(
        Parts::with(&more),
        expect!["the module is refused: the module has 209030 operators, at most 200000 allowed"],
    );
    let params = "i32 ".repeat(65);
    check_refused(
        Parts::with(&format!("(func (param {params}))")),
        expect!["the module is refused: type 4 has 65 parameters and results, at most 64 allowed"],
    );
}

#[test]
fn the_hosts_own_names_are_refused() {
    check_refused(
        Parts::with(r#"(global (export "tabella:global:7") i32 (i32.const 0))"#),
        expect![
            "the module is refused: the module exports `tabella:global:7`; names that start with `tabella:` are the host's"
        ],
    );
}

#[test]
fn large_memories_and_tables_are_refused() {
    check_refused(
        Parts {
            memory: "65",
            ..Parts::default()
        },
        expect![
            "the module is refused: the memory starts with 4259840 bytes, at most 4194304 allowed"
        ],
    );
    check_refused(
        Parts::with("(table 5000 funcref)"),
        expect!["the module is refused: the table has 5000 elements, at most 4096 allowed"],
    );
    let globals = "(global (mut i32) (i32.const 0))".repeat(65);
    check_refused(
        Parts::with(&globals),
        expect!["the module is refused: the module has 65 globals, at most 64 allowed"],
    );
}

#[test]
fn segments_that_do_not_fit_are_the_modules_fault() {
    for segment in [
        "(table 1 funcref) (func $f) (elem (i32.const 4000) $f)",
        r#"(data (i32.const 131071) "beyond")"#,
    ] {
        let loaded = runtime().load(&Parts::with(segment).wasm());
        assert!(matches!(loaded, Err(LoadError::Fault(_))), "{segment}");
    }
}

#[test]
fn what_is_beyond_the_sandbox_is_refused() {
    let memory = |memory: &'static str| Parts {
        memory,
        ..Parts::default()
    };
    for memory_ in ["1 2 shared", "1 2 (pagesize 1)"] {
        check_refused(
            memory(memory_),
            expect!["the module is refused: the memory is shared, 64-bit or of another page size"],
        );
    }
    check_refused(
        Parts::with("(memory 1)"),
        expect!["the module is refused: the module has 2 memories; a plugin has one"],
    );
    check_refused(
        Parts::with("(tag $failed (param i32)) (func (throw $failed (i32.const 1)))"),
        expect![
            "the module is refused: the module has exception tags; function 10 uses an operator outside the sandbox: `throw`"
        ],
    );
    check_refused(
        Parts::with("(type (struct (field i32)))"),
        expect!["the module is refused: the module has types for garbage collection"],
    );
    check_start_of_refusal(
        &Parts::with("(global i32 (i32.add (i32.const 1) (i32.const 1)))").wasm(),
        "the module is refused: the module is not valid: constant expression required",
    );
    check_refused(
        Parts::with("(func (drop (i32.atomic.load (i32.const 0))))"),
        expect!["the module is refused: function 10 uses threads: `i32.atomic_load`"],
    );
}

#[test]
fn hidden_state_is_refused() {
    check_refused(
        Parts::with(
            r#"(data $d "x") (table 1 funcref) (func $f) (elem $e func $f)
            (func $drops (data.drop $d) (table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 0)))"#,
        ),
        expect![
            "the module is refused: an element segment is passive or has expressions; only active lists of functions are allowed; function `drops` uses an operator outside the sandbox: `data.drop`; function `drops` uses an operator outside the sandbox: `table.init`; a data segment is passive; only active ones are allowed"
        ],
    );
}

#[test]
fn missing_and_mistyped_exports_are_refused() {
    let wasm = wat::parse_str(
        r#"(module (memory 1) (func (export "validate") (param i64) (result i32) i32.const 0)
        (global (export "fold") i32 (i32.const 0)))"#,
    );
    check_bytes_refused(
        &wasm.unwrap(),
        expect![
            "the module is refused: the module does not export its `memory`; the export `tabella_abi_v1` must be () -> (), found nothing by that name; the export `buffer` must be (i32) -> (i32), found nothing by that name; the export `describe` must be () -> (i64), found nothing by that name; the export `configure` must be (i32) -> (i32), found nothing by that name; the export `validate` must be (i32) -> (i32), found (i64) -> (i32); the export `fold` must be (i32) -> (i32), found something that is not a function; the export `merge` must be (i32) -> (i32), found nothing by that name; the export `save` must be () -> (i64), found nothing by that name; the export `finish` must be (i32) -> (i64), found nothing by that name; the export `message` must be () -> (i64), found nothing by that name"
        ],
    );
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    check_bytes_refused(
        b"",
        expect![
            "the module is refused: the bytes are no WebAssembly module: expected them to start with 0061736d, found nothing"
        ],
    );
    check_bytes_refused(
        b"PK\x03\x04 an archive",
        expect![
            "the module is refused: the bytes are no WebAssembly module: expected them to start with 0061736d, found 504b0304"
        ],
    );
    // The parser's own message, without its padding.
    check_start_of_refusal(
        b"\0asm\x02\0\0\0",
        "the module is refused: the module is malformed: unknown binary version: 0x2 ",
    );
    check_bytes_refused(
        b"\0asm\x01\0\0\0\x01\xff",
        expect![
            "the module is refused: the module is malformed: unexpected end-of-file (at offset 0xa)"
        ],
    );
    let mut wasm = Parts::default().wasm();
    wasm.truncate(wasm.len() - 1);
    check_bytes_refused(
        &wasm,
        expect![
            "the module is refused: the module is malformed: unexpected end-of-file (at offset 0xe2)"
        ],
    );
    // Well-formed, but not well-typed.
    check_refused(
        Parts::with("(func $mixed (result i32) i64.const 1)"),
        expect![
            "the module is refused: the module is not valid: type mismatch: expected i32, found i64 (at offset 0xe9)"
        ],
    );
}

#[test]
fn no_prefix_of_a_plugin_loads() {
    let wasm = tabella_plugins::get("plurality").unwrap().wasm;
    let runtime = runtime();
    for len in (0..wasm.len()).step_by(97) {
        // Cutting off only custom sections leaves a plugin; anything else is refused.
        if let Err(error) = runtime.load(&wasm[..len]) {
            assert!(
                matches!(error, tabella_runtime::LoadError::Refused(_)),
                "{len}: {error}"
            );
        }
    }
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    check_verdict(
        Parts::validating("(loop $again (br $again)) i32.const 0"),
        expect![
            "the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
        ],
    );
}

#[test]
fn recursion_runs_out_of_stack() {
    let more = "(func $down (param i32) (result i32)
        (i32.add (call $down (local.get 0)) (i32.const 1)))";
    let validate = "(call $down (i32.const 1))".into();
    check_verdict(
        Parts {
            validate,
            more: more.into(),
            ..Parts::default()
        },
        expect!["the plugin ran out of stack: its calls nest deeper than 12288 stack slots"],
    );
}

#[test]
fn returns_take_the_stack_down_again() {
    // Leaves by `return`, by a branch to the function and by its end, with several results, more
    // often than the stack has slots.
    let more = "
        (func $nothing)
        (func $pair (param i32) (result i32 i64)
            (call $nothing)
            (block (block
                (br_if 1 (i32.rem_u (local.get 0) (i32.const 3)))
                (return (i32.const 1) (i64.const 2))))
            (br_if 0 (i32.const 1) (i64.const 2) (i32.rem_u (local.get 0) (i32.const 2)))
            (drop) (drop)
            (i32.const 1) (i64.const 2))
        (func $sum (param i32) (result i32)
            (call $pair (local.get 0))
            (i32.wrap_i64)
            (i32.add))";
    let validate = "(local i32 i32)
        (loop $again
            (local.set 2 (i32.add (local.get 2) (call $sum (local.get 1))))
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get 1) (i32.const 5000))))
        (i32.ne (local.get 2) (i32.const 15000))";
    let parts = Parts {
        validate: validate.into(),
        more: more.into(),
        ..Parts::default()
    };
    check_verdict(parts, expect!["accepted"]);
}

#[test]
fn traps_keep_the_message() {
    let message = format!("i64.const {}", place(2_048, 9));
    let more = r#"(data (i32.const 2048) "it is odd")"#.into();
    check_verdict(
        Parts {
            validate: "unreachable".into(),
            message,
            more,
            ..Parts::default()
        },
        expect!["the plugin trapped: it is odd"],
    );
    check_verdict(
        Parts::validating("unreachable"),
        expect!["the plugin trapped: it executed `unreachable` and left no message"],
    );
    check_verdict(
        Parts::validating("(i32.div_u (i32.const 1) (i32.const 0))"),
        expect!["the plugin trapped: integer divide by zero"],
    );
    check_verdict(
        Parts::validating("(i32.load (i32.const -1))"),
        expect!["the plugin trapped: out of bounds memory access"],
    );
}

#[test]
fn memory_beyond_the_limit_is_not_given() {
    let grow = "(loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    // It learns that there is no more, and may go on.
    check_verdict(
        Parts::validating(&format!("{grow} (i32.ne (memory.size) (i32.const 64))")),
        expect!["accepted"],
    );
    check_verdict(
        Parts::validating(&format!("{grow} unreachable")),
        expect!["the plugin ran out of memory: it executed `unreachable` and left no message"],
    );
    check_verdict(
        Parts::validating("(i32.eq (memory.grow (i32.const 65536)) (i32.const -1)) (i32.eqz)"),
        expect![
            "the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
        ],
    );
}

#[test]
fn outputs_outside_memory_are_refused() {
    let refusing = |message: i64| Parts {
        validate: "i32.const 7".into(),
        message: format!("i64.const {message}"),
        ..Parts::default()
    };
    check_verdict(
        refusing(place(131_072, 1)),
        expect![
            "the plugin gave a bad answer: its message of 1 bytes at 131072 is not inside its memory of 131072 bytes"
        ],
    );
    check_verdict(
        refusing(place(0xffff_ffff, 200)),
        expect![
            "the plugin gave a bad answer: its message of 200 bytes at 4294967295 is not inside its memory of 131072 bytes"
        ],
    );
    check_verdict(
        refusing(place(0, 0xffff_ffff)),
        expect!["the plugin gave a bad answer: its message has the length -1, which is negative"],
    );
    check_verdict(
        refusing(place(0, 257)),
        expect!["the plugin gave a bad answer: its message has 257 bytes, at most 256 allowed"],
    );
    check_verdict(refusing(place(0, 0)), expect!["refused with 7: "]);
}

#[test]
fn a_message_is_utf8() {
    let message = format!("i64.const {}", place(2_048, 4));
    let more = r#"(data (i32.const 2048) "no\ff\ff")"#.into();
    let validate = "i32.const 2".into();
    check_verdict(
        Parts {
            validate,
            message,
            more,
            ..Parts::default()
        },
        expect!["the plugin gave a bad answer: its message is not UTF-8 from byte 2 on"],
    );
}

#[test]
fn a_buffer_outside_memory_is_refused() {
    let parts = Parts::default();
    let contest = parts.contest();
    assert_eq!(contest.validate(b"ballot").unwrap(), Verdict::Accept);
    // Right for the configuration, wrong for the ballot.
    let buffer = "(if (result i32) (i32.gt_u (local.get 0) (i32.const 6))
        (then (i32.const 65536)) (else (i32.const 131070)))";
    check_verdict(
        Parts {
            buffer: buffer.into(),
            ..Parts::default()
        },
        expect![
            "the plugin gave a bad answer: its buffer of 6 bytes at 131070 is not inside its memory of 131072 bytes"
        ],
    );
}

#[test]
fn lying_manifests_are_refused() {
    check_refused(
        Parts::describing(b"\xff\xfe"),
        expect![
            "the manifest is refused: it is not as specified: expected value at line 1 column 1"
        ],
    );
    check_refused(
        Parts::describing(b"{}"),
        expect![
            "the manifest is refused: it is not as specified: missing field `abi` at line 1 column 2"
        ],
    );
    let with = |from: &str, to: &str| {
        assert!(MANIFEST.contains(from));
        Parts::describing(MANIFEST.replace(from, to).as_bytes())
    };
    check_refused(
        with("\"abi\":1", "\"abi\":2"),
        expect!["the manifest is refused: `abi` is 2, but the module exports version 1"],
    );
    check_refused(
        with("trial", "Trial Rule"),
        expect![[
            r#"the manifest is refused: the name "Trial Rule" is not 1 to 64 lowercase letters, digits and hyphens"#
        ]],
    );
    check_refused(
        with("raw", "telepathy"),
        expect![[
            r#"the manifest is refused: the ballot kind "telepathy" is not one of choice, approval, ranking, scores, grades, votes, raw"#
        ]],
    );
    check_refused(
        with("\"raw\"", "\"raw\",\"colour\":\"red\""),
        expect![
            "the manifest is refused: it is not as specified: unknown field `colour`, expected one of `abi`, `name`, `version`, `summary`, `licence`, `definition`, `ballot`, `options_min`, `merges`, `tallies`, `params` at line 2 column 43"
        ],
    );
    let param = |param: &str| with("\"raw\"", &format!("\"raw\",\"params\":[{param}]"));
    check_refused(
        param(r#"{"name":"seats","kind":"integer","min":1,"max":9,"default":10}"#),
        expect![[
            r#"the manifest is refused: parameter "seats" has a default that it would refuse: expected an integer from 1 to 9, found 10"#
        ]],
    );
    check_refused(
        param(r#"{"name":"mode","kind":"choice"}"#),
        expect![[
            r#"the manifest is refused: parameter "mode" is a choice but lists nothing in `one_of`"#
        ]],
    );
    check_refused(
        param(r#"{"name":"a","kind":"flag"},{"name":"a","kind":"flag"}"#),
        expect![[r#"the manifest is refused: parameter "a" is listed twice"#]],
    );
    check_refused(
        Parts {
            describe: format!("i64.const {}", place(0, 17 << 10)),
            ..Parts::default()
        },
        expect![
            "while describing itself, the plugin gave a bad answer: its manifest has 17408 bytes, at most 16384 allowed"
        ],
    );
    check_refused(
        Parts {
            describe: "(loop $again (br $again)) i64.const 0".into(),
            ..Parts::default()
        },
        expect![
            "while describing itself, the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
        ],
    );
}

#[test]
fn a_plugin_may_refuse_its_configuration_or_fail_on_it() {
    let check = |parts: Parts, expected: Expect| {
        let error = parts
            .load()
            .contest(&config(&["a", "b"], json!({})))
            .map(|_| ())
            .unwrap_err();
        expected.assert_eq(&error.to_string());
    };
    let message = format!("i64.const {}", place(2_048, 7));
    let more = r#"(data (i32.const 2048) "no seat")"#.to_owned();
    let refusing = Parts {
        configure: "i32.const 1".into(),
        message,
        more,
        ..Parts::default()
    };
    check(
        refusing,
        expect!["the rule refuses the configuration: no seat"],
    );
    check(
        Parts {
            configure: "(loop $again (br $again)) i32.const 0".into(),
            ..Parts::default()
        },
        expect![
            "the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
        ],
    );
}

#[test]
fn a_tally_names_the_step_that_failed() {
    check_tally(
        Parts {
            fold: "i32.const 1".into(),
            ..Parts::default()
        },
        expect!["while folding ballots 0 to 0, the plugin gave a bad answer: it answered 1: "],
    );
    check_tally(
        Parts {
            fold: "(loop $again (br $again)) i32.const 0".into(),
            ..Parts::default()
        },
        expect![
            "while folding ballots 0 to 0, the plugin ran out of fuel: it used all the fuel of the call; bound its loops, or do less"
        ],
    );
    check_tally(
        Parts {
            merge: "i32.const 3".into(),
            ..Parts::default()
        },
        expect!["while merging tallies, the plugin gave a bad answer: it answered 3: "],
    );
    check_tally(
        Parts {
            finish: "unreachable".into(),
            ..Parts::default()
        },
        expect![
            "while finishing the tally, the plugin trapped: it executed `unreachable` and left no message"
        ],
    );
    check_tally(
        Parts {
            finish: "i64.const 0".into(),
            ..Parts::default()
        },
        expect![
            "while finishing the tally, the plugin gave a bad answer: the outcome's bytes are not canonical"
        ],
    );
    check_tally(
        Parts {
            finish: format!("i64.const {}", place(0, 2 << 20)),
            ..Parts::default()
        },
        expect![
            "while finishing the tally, the plugin gave a bad answer: its outcome has 2097152 bytes, at most 1048576 allowed"
        ],
    );
    let outcome = Outcome {
        winners: vec![5],
        ..Outcome::default()
    }
    .to_wire();
    let finish = format!("i64.const {}", place(8_192, outcome.len()));
    check_tally(
        Parts {
            outcome,
            finish,
            ..Parts::default()
        },
        expect![
            "while finishing the tally, the plugin gave a bad answer: the outcome lists 0 options, the contest has 2"
        ],
    );
}
