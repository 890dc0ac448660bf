//! The module as a page has it: it imports nothing, and computes what docs/vectors/seal-v1.json says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";
/// Bytes of the module, at most.
const MODULE_BYTES_MAX: usize = 300_000;
/// The numbers of WebAssembly's sections of imports and exports.
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Builds the module, with the profile of modules that are shipped.
fn module() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seal-web");
    let profile = |setting: &str| format!("profile.release.{setting}");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args([
            "build",
            "--release",
            "--package",
            "tabella-seal-web",
            "--lib",
        ])
        .args(["--target", TARGET, "--offline", "--target-dir"])
        .arg(&target)
        .args(["--config", &profile("lto=\"fat\"")])
        .args(["--config", &profile("codegen-units=1")])
        .args(["--config", &profile("panic=\"abort\"")])
        .args(["--config", &profile("strip=true")])
        // Flags of the outer build, such as those of coverage, are not for this target.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        // Nor is what the rest of the workspace asks of a dependency.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION");
    let output = cargo.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    target.join(TARGET).join("release/tabella_seal_web.wasm")
}

/// An unsigned LEB128 number from the front.
fn number(rest: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first().expect("a byte");
        *rest = after;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// The sections of a module: number and content.
fn sections(module: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").expect("a module");
    let mut sections = Vec::new();
    while let Some((section, after)) = rest.split_first() {
        rest = after;
        let (content, after) = {
            let bytes = number(&mut rest);
            rest.split_at(bytes)
        };
        rest = after;
        sections.push((*section, content));
    }
    sections
}

/// The names of exported functions and memories.
fn exports(mut content: &[u8]) -> Vec<String> {
    let rest = &mut content;
    let count = number(rest);
    let export = |_| {
        let length = number(rest);
        let (name, after) = rest.split_at(length);
        *rest = &after[1..];
        number(rest);
        String::from_utf8(name.to_vec()).expect("UTF-8")
    };
    (0..count).map(export).collect()
}

#[test]
fn the_module_imports_nothing_and_computes_the_vectors() {
    let path = module();
    let module = fs::read(&path).expect("a module");
    assert!(module.len() < MODULE_BYTES_MAX, "{} bytes", module.len());
    let sections = sections(&module);
    assert!(
        sections.iter().all(|(section, _)| *section != IMPORTS),
        "it imports"
    );
    let (_, exported) = sections
        .iter()
        .find(|(section, _)| *section == EXPORTS)
        .expect("exports");
    let mut names = exports(exported);
    names.retain(|name| !name.starts_with("__"));
    names.sort();
    assert_eq!(
        names,
        [
            "answer",
            "buffer",
            "check",
            "configure",
            "memory",
            "open",
            "seal"
        ]
    );

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors.mjs");
    let vectors = root().join("docs/vectors/seal-v1.json");
    let node = Command::new("node")
        .args([&script, &path, &vectors])
        .output();
    let Ok(output) = node else {
        println!("skipped: node is not here");
        return;
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "4 contests sealed, checked and opened\n");
}

/// The calls as this machine's code, where a fault stops a test and not a page.
#[test]
fn calls_out_of_order_and_with_too_few_bytes_are_refused() {
    use tabella_seal_web::{
        NOT_A_KEY, NOT_CONFIGURED, TOO_SHORT, buffer, check, configure, open, seal,
    };
    assert_eq!(seal(), NOT_CONFIGURED);
    assert_eq!(open(), NOT_CONFIGURED);
    assert_eq!(check(), NOT_CONFIGURED);
    assert_eq!(configure(), TOO_SHORT);
    assert!(!buffer(31).is_null());
    assert_eq!(configure(), TOO_SHORT);
    assert!(!buffer(64).is_null());
    assert_eq!(configure(), NOT_A_KEY, "the identity");
    assert!(buffer(u32::MAX).is_null());
    assert_eq!(configure(), TOO_SHORT);
}
