//! Crates built as their authors would, outside the workspace, and what the tools say of them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tabella_contest::{ContestConfig, ContestOption, TieBreak};
use tabella_plugin_tools::{bench, build, conformance, sample, scaffold};
use tabella_runtime::{Contest, Runtime, RuntimeConfig};

fn config() -> ContestConfig {
    let option = |id: &str| ContestOption {
        id: id.into(),
        title: format!("Option {id}"),
    };
    ContestConfig {
        options: ["a", "b", "c", "d"].map(option).to_vec(),
        params: json!({ "marks_max": 3 }),
    }
}

fn contest(wasm: &[u8]) -> Contest {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    runtime.load(wasm).unwrap().contest(&config()).unwrap()
}

/// The SDK of this checkout.
fn checkout_sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk")
}

/// A new crate; `change` is applied to its source.
fn new_crate(parent: &Path, change: impl Fn(String) -> String) -> PathBuf {
    let folder = scaffold::create(parent, "my-rule", None).unwrap();
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(&source, change(text)).unwrap();
    folder
}

fn broken(report: &conformance::Report) -> Vec<&str> {
    let broken = report.checks.iter().filter(|check| check.broken.is_some());
    broken.map(|check| check.name).collect()
}

#[test]
fn a_new_crate_passes_untouched() {
    let parent = tempfile::tempdir().unwrap();
    let folder = new_crate(parent.path(), |text| text);
    let tests = Command::new("cargo")
        .args(["test", "--quiet"])
        .current_dir(&folder)
        .env_remove("RUSTUP_TOOLCHAIN")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stdout).into_owned();
    assert!(tests.status.success(), "{tests:?}");
    assert!(said.contains("2 passed"), "{said}");
    let built = build::build(&folder).unwrap();
    let report = conformance::examine(&built.wasm, &config(), &[], 7).unwrap();
    assert!(report.passed(), "{report:#?}");
    assert!(report.checks.len() >= 10, "{report:#?}");
    let native = conformance::compare_native(&built.wasm, &folder, &config(), &[], 7).unwrap();
    assert_eq!(native.unwrap().broken, None);
    let again = build::build(&folder).unwrap();
    assert_eq!(again.sha256, built.sha256);
    let exists = scaffold::create(parent.path(), "my-rule", None).unwrap_err();
    assert!(exists.to_string().contains("exists already"), "{exists}");
}

#[test]
fn broken_promises_are_noticed() {
    let parent = tempfile::tempdir().unwrap();
    let forgets = |text: String| text.replace("*votes += more;", "let _ = (votes, more);");
    let folder = new_crate(parent.path(), forgets);
    let built = build::build(&folder).unwrap();
    let report = conformance::examine(&built.wasm, &config(), &[], 7).unwrap();
    assert_eq!(
        broken(&report),
        ["any split and merge gives the same outcome"]
    );
    // The native twin of another source.
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    std::fs::write(
        &source,
        text.replace("votes[option] += weight", "votes[option] += 1"),
    )
    .unwrap();
    let native = conformance::compare_native(&built.wasm, &folder, &config(), &[], 7).unwrap();
    let how = native.unwrap().broken.unwrap();
    assert!(how.contains("finish"), "{how}");
}

/// The example crate, outside the workspace as its author would have it, in a place that stays from
/// run to run.
fn custom_rule() -> PathBuf {
    let from = checkout_sdk().join("../examples/custom-rule");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("custom-rule");
    let sdk = checkout_sdk().canonicalize().unwrap();
    let files = [
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain.toml",
        "election.json",
        "ballots.jsonl",
        "src/lib.rs",
        "examples/native.rs",
    ];
    for file in files {
        let text = std::fs::read_to_string(from.join(file)).unwrap();
        let text = text.replace("../../sdk", sdk.to_str().unwrap());
        let path = to.join(file);
        if std::fs::read_to_string(&path).is_ok_and(|present| present == text) {
            continue;
        }
        // Renamed, because other tests may be reading it.
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let aside = path.with_extension(std::process::id().to_string());
        std::fs::write(&aside, text).unwrap();
        std::fs::rename(aside, path).unwrap();
    }
    to
}

#[test]
fn the_example_crate_passes_as_its_author_would_try_it() {
    let folder = custom_rule();
    let tests = Command::new("cargo")
        .args(["test", "--quiet", "--locked"])
        .current_dir(&folder)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stdout).into_owned();
    assert!(tests.status.success(), "{tests:?}");
    assert!(said.contains("passed"), "{said}");
    let built = build::build(&folder).unwrap();
    let report = conformance::examine(&built.wasm, &config(), &[], 13).unwrap();
    assert!(report.passed(), "{report:#?}");
    let native = conformance::compare_native(&built.wasm, &folder, &config(), &[], 13).unwrap();
    assert_eq!(native.unwrap().broken, None);
}

#[test]
fn the_c_rule_agrees_with_its_rust_twin() {
    agrees_with_its_rust_twin("c-rule");
}

#[test]
fn the_zig_rule_agrees_with_its_rust_twin() {
    agrees_with_its_rust_twin("zig-rule");
}

/// Builds the example with its own script, where its compiler is installed.
fn agrees_with_its_rust_twin(example: &str) {
    let script = checkout_sdk().join("../examples").join(example);
    let folder = tempfile::tempdir().unwrap();
    let wasm = folder.path().join("approval.wasm");
    let compiled = Command::new(script.join("build.sh"))
        .arg(&wasm)
        .output()
        .unwrap();
    if compiled.status.code() == Some(77) {
        eprintln!("{example}: {}", String::from_utf8_lossy(&compiled.stderr));
        return;
    }
    assert!(compiled.status.success(), "{compiled:?}");
    let twin = std::fs::read(wasm).unwrap();
    let report = conformance::examine(&twin, &config(), &[], 3).unwrap();
    assert!(report.passed(), "{report:#?}");
    let rust = build::build(&custom_rule()).unwrap();
    let (twin, rust) = (contest(&twin), contest(&rust.wasm));
    let mut numbers = sample::Numbers::new(11);
    let mut board = Vec::new();
    let ways = [
        TieBreak::Report,
        TieBreak::Seed([9; 32]),
        TieBreak::Order(vec!["d".into()]),
    ];
    for round in 0..300 {
        let ballot = sample::ballot(rust.manifest(), &config(), &mut numbers);
        let bytes = rust.encode_ballot(&ballot).unwrap();
        let code = |contest: &Contest, bytes: &[u8]| match contest.validate(bytes).unwrap() {
            tabella_runtime::Verdict::Accept => 0,
            tabella_runtime::Verdict::Reject { code, .. } => code,
            tabella_runtime::Verdict::Fault(fault) => panic!("{fault}"),
        };
        assert_eq!(code(&twin, &bytes), code(&rust, &bytes), "{ballot}");
        if code(&rust, &bytes) == 0 {
            board.push((1 + round % 3, bytes));
        }
        let way = &ways[round as usize % 3];
        let count = |contest: &Contest| contest.tally_with(board.iter().cloned(), way).unwrap();
        assert_eq!(
            count(&twin).outcome,
            count(&rust).outcome,
            "{ballot} {way:?}"
        );
    }
}

#[test]
fn every_built_in_rule_keeps_its_promises() {
    for rule in tabella_plugins::all() {
        let config = sample::built_in(rule.name);
        let report = conformance::examine(rule.wasm, &config, &[], 5).unwrap();
        assert!(report.passed(), "{}: {report:#?}", rule.name);
    }
}

/// A rule of one kind of ballot, written by hand without the SDK, that elects nobody.
fn by_hand(kind: &str, validate: &str) -> Vec<u8> {
    let manifest = format!(
        r#"{{"abi":1,"name":"by-hand","version":"1","summary":"A trial.","licence":"MIT","ballot":"{kind}"}}"#
    );
    // Neither winners nor ties; four options with no votes, not elected, without seats; nothing else.
    let outcome = [&[0, 0, 4][..], &[0; 4 * 4], &[0; 4]].concat();
    let place = |address: u64, len: usize| address << 32 | len as u64;
    let escaped = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|b| format!("\\{b:02x}"))
            .collect::<String>()
    };
    let text = format!(
        r#"(module
        (memory (export "memory") 4)
        (data (i32.const 1024) "{manifest}")
        (data (i32.const 8192) "{outcome}")
        (func (export "tabella_abi_v1"))
        (func (export "buffer") (param i32) (result i32) i32.const 65536)
        (func (export "describe") (result i64) i64.const {describe})
        (func (export "configure") (param i32) (result i32) i32.const 0)
        (func (export "validate") (param $len i32) (result i32) (local $at i32) {validate})
        (func (export "fold") (param i32) (result i32) i32.const 0)
        (func (export "merge") (param i32) (result i32) i32.const 0)
        (func (export "save") (result i64) i64.const 0)
        (func (export "finish") (param i32) (result i64) i64.const {finish})
        (func (export "message") (result i64) i64.const 0))"#,
        describe = place(1024, manifest.len()),
        finish = place(8192, outcome.len()),
        manifest = escaped(manifest.as_bytes()),
        outcome = escaped(&outcome),
    );
    wat::parse_str(text).unwrap()
}

/// Every byte of a ballot is below `bound`, and above the one before where `ascending`.
fn each_byte(bound: u32, ascending: bool) -> String {
    let order = match ascending {
        false => String::new(),
        true => "(if (i32.and (i32.gt_u (local.get $at) (i32.const 0)) (i32.le_u (i32.load8_u (i32.add (i32.const 65536) (local.get $at))) (i32.load8_u (i32.add (i32.const 65535) (local.get $at))))) (then (return (i32.const 1))))".to_owned(),
    };
    format!(
        "(loop $next (if (i32.lt_u (local.get $at) (local.get $len)) (then
            (if (i32.ge_u (i32.load8_u (i32.add (i32.const 65536) (local.get $at))) (i32.const {bound})) (then (return (i32.const 1))))
            {order}
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next))))
        i32.const 0"
    )
}

#[test]
fn a_rule_that_takes_what_is_no_ballot_is_noticed() {
    const CHECK: &str = "only ballots of the rule's kind are accepted";
    let examined = |kind: &str, validate: &str| {
        let wasm = by_hand(kind, validate);
        conformance::examine(&wasm, &sample::contest(4), &[], 5).unwrap()
    };
    for kind in ["choice", "approval"] {
        let good = examined(kind, &each_byte(4, true));
        assert!(good.passed(), "{good:#?}");
        for (what, validate) in [
            ("anything", "i32.const 0".to_owned()),
            (
                "one byte",
                "(i32.ne (local.get $len) (i32.const 1))".to_owned(),
            ),
            ("options of no contest", each_byte(5, true)),
            ("options twice", each_byte(4, false)),
        ] {
            let report = examined(kind, &validate);
            assert_eq!(broken(&report), [CHECK], "{kind}, {what}: {report:#?}");
        }
    }
    for kind in ["ranking", "scores", "votes"] {
        assert_eq!(broken(&examined(kind, "i32.const 0")), [CHECK], "{kind}");
    }
    // Bytes that only the rule understands are its own to judge.
    let raw = examined("raw", "i32.const 0");
    assert!(raw.passed(), "{raw:#?}");
    let report = examined("choice", &each_byte(5, true));
    let how = report.checks.iter().find_map(|check| check.broken.as_ref());
    let how = how.unwrap();
    assert!(
        how.contains("04") && how.contains("not in the contest"),
        "{how}"
    );
}

#[test]
fn names_that_are_no_crates() {
    let parent = tempfile::tempdir().unwrap();
    for name in ["", "My", "1a", "a_b", "../x"] {
        let error = scaffold::create(parent.path(), name, None).unwrap_err();
        assert!(error.to_string().starts_with("expected a name"), "{error}");
    }
    for name in ["test", "self", "fn", "tabella-sdk"] {
        let error = scaffold::create(parent.path(), name, None).unwrap_err();
        assert!(error.to_string().contains("is taken"), "{error}");
    }
    let error = scaffold::create(parent.path(), "a", Some(parent.path())).unwrap_err();
    assert!(error.to_string().contains("--sdk-path"), "{error}");
    let error = build::build(parent.path()).unwrap_err();
    assert!(error.to_string().contains("Cargo.toml"), "{error}");
}

#[test]
fn figures_against_the_limits() {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let plugin = runtime.load(tabella_plugins::get("plurality").unwrap().wasm);
    let contest = plugin.unwrap().contest(&sample::contest(3)).unwrap();
    let ballots = [json!({"choice": "a"}), json!({"choices": ["a", "b"]})]
        .map(|ballot| contest.encode_ballot(&ballot).unwrap());
    let figures = bench::measure(&contest, &ballots, 1_000, runtime.limits()).unwrap();
    assert_eq!(figures.ballots, 1, "the other is refused");
    assert!(figures.validate_fuel > 0 && figures.validate_fuel < figures.validate_fuel_max);
    assert!(figures.tally_fuel > 0 && figures.batch_fuel < figures.batch_fuel_max);
    let none = bench::measure(&contest, &ballots[1..], 10, runtime.limits()).unwrap_err();
    assert!(none.to_string().contains("none of 1 ballots"), "{none}");
}
