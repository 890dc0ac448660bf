//! Compiles the built-in rules to Wasm and embeds them.
//!
//! The sources are copied into a workspace of their own under `OUT_DIR`, with one module crate for
//! each rule, and built by one cargo invocation. Inside that workspace every path is relative, so
//! the bytes do not depend on where the repository lies; nor do they depend on the flags and the
//! profile of the outer build.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";

/// Name, crate under `plugins/`, and what `export!` takes.
const RULES: &[(&str, &str, &str)] = &include!("rules.rs");

/// `strip` drops debug information but keeps the name section, from which refusals and traps take
/// function names. The stack is small because a fresh instance is made for every ballot.
const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["sdk", "sdk/abi", "plugins/*", "modules/*"]

[workspace.package]
version = "VERSION"
edition = "2024"
rust-version = "1.95"
license = "Apache-2.0"
publish = false

[workspace.lints.rust]

[workspace.dependencies]
tabella-abi = { path = "sdk/abi" }
tabella-sdk = { path = "sdk" }

[profile.release]
opt-level = 3
lto = "fat"
codegen-units = 1
panic = "abort"
overflow-checks = true
debug = false
strip = "debuginfo"
incremental = false
"#;

const FLAGS: &str = "-Clink-arg=-zstack-size=65536";

fn main() {
    let bundle = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let repository = bundle
        .ancestors()
        .nth(2)
        .expect("the bundle is in plugins/bundle");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let workspace = out.join("guest");

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=rules.rs");
    stage(repository, &workspace);
    require_target();
    compile(&workspace);
    embed(&workspace, &out);
}

/// Brings the workspace's sources up to date.
fn stage(repository: &Path, workspace: &Path) {
    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    write(
        &workspace.join("Cargo.toml"),
        &WORKSPACE.replace("VERSION", &version),
    );
    stage_crate(&repository.join("sdk/abi"), &workspace.join("sdk/abi"));
    stage_crate(&repository.join("sdk"), &workspace.join("sdk"));
    let mut crates: Vec<&str> = RULES.iter().map(|(_, krate, _)| *krate).collect();
    crates.sort_unstable();
    crates.dedup();
    for krate in crates {
        let from = repository.join("plugins").join(krate);
        stage_crate(&from, &workspace.join("plugins").join(krate));
    }
    for (name, krate, rule) in RULES {
        let module = workspace.join("modules").join(name);
        let manifest = format!(
            "[package]\nname = \"{name}-module\"\nversion.workspace = true\n\
             edition.workspace = true\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\ntabella-sdk.workspace = true\n\
             tabella-rule-{krate} = {{ path = \"../../plugins/{krate}\" }}\n",
        );
        write(&module.join("Cargo.toml"), &manifest);
        let path = krate.replace('-', "_");
        let source = format!("#![no_std]\ntabella_sdk::export!(tabella_rule_{path}::{rule});\n");
        write(&module.join("src/lib.rs"), &source);
    }
}

/// Copies a crate's manifest, without what only its tests need, and its sources.
fn stage_crate(from: &Path, to: &Path) {
    let path = from.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", path.display());
    let manifest = read(&path);
    let needed = manifest
        .split("[dev-dependencies]")
        .next()
        .unwrap_or(&manifest);
    write(&to.join("Cargo.toml"), needed);
    println!("cargo::rerun-if-changed={}", from.join("src").display());
    stage_folder(&from.join("src"), &to.join("src"));
}

fn stage_folder(from: &Path, to: &Path) {
    let entries = fs::read_dir(from).unwrap_or_else(|e| panic!("cannot read {from:?}: {e}"));
    for entry in entries {
        let entry = entry.unwrap_or_else(|e| panic!("cannot read {from:?}: {e}"));
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            stage_folder(&source, &target);
        } else {
            write(&target, &read(&source));
        }
    }
}

fn require_target() {
    let rustc = env::var("RUSTC").expect("cargo sets it");
    let installed = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    assert!(
        installed,
        "\n\nthe built-in rules are compiled to Wasm, but this toolchain lacks its target; run\n\n    \
         rustup target add {TARGET}\n"
    );
}

fn compile(workspace: &Path) {
    let mut cargo = Command::new(env::var("CARGO").expect("cargo sets it"));
    cargo.args([
        "build",
        "--release",
        "--offline",
        "--target",
        TARGET,
        "--target-dir",
        "target",
    ]);
    for (name, ..) in RULES {
        cargo.args(["--package", &format!("{name}-module")]);
    }
    cargo.current_dir(workspace);
    // What was set for the outer build must not reach the plugins' bytes.
    for (name, _) in env::vars() {
        let outer = [
            "CARGO_PROFILE_",
            "CARGO_BUILD_",
            "CARGO_TARGET_",
            "CARGO_FEATURE_",
            "CARGO_CFG_",
        ];
        let wrapper = [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CLIPPY_ARGS",
        ];
        if outer.iter().any(|prefix| name.starts_with(prefix)) || wrapper.contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS);
    let output = cargo
        .output()
        .unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    assert!(
        output.status.success(),
        "\n\nthe built-in rules do not compile to Wasm:\n\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Writes the list that the library includes.
fn embed(workspace: &Path, out: &Path) {
    let modules = workspace.join("target").join(TARGET).join("release");
    let mut list = String::from("&[\n");
    for (name, ..) in RULES {
        let module = modules.join(format!("{}_module.wasm", name.replace('-', "_")));
        writeln!(
            list,
            "    Builtin {{ name: {name:?}, wasm: include_bytes!({module:?}) }},"
        )
        .expect("a string takes every write");
    }
    list.push_str("]\n");
    write(&out.join("builtins.rs"), &list);
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {path:?}: {e}"))
}

/// Writes only what differs, so that cargo sees what changed and nothing else.
fn write(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return;
    }
    let folder = path.parent().expect("every staged file is in a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
}
