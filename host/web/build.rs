//! Compiles the verifier of receipts to Wasm for the page `/check`, and embeds it.
//!
//! Its sources and those of the crates that it stands on are copied into a workspace of their own under `OUT_DIR`, with
//! this repository's Cargo.lock, and built by one cargo invocation without network. The bytes depend on sources and
//! toolchain alone: paths inside that workspace are relative, where cargo keeps what it fetched is written as
//! `/registry`, and nothing of the outer build's flags and profile reaches them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// What the verifier is built of, by its path in the repository.
const CRATES: [&str; 6] = [
    "sdk/abi",
    "host/limits",
    "host/contest",
    "host/protocol",
    "host/receipt",
    VERIFIER,
];
const VERIFIER: &str = "host/web/verifier";

/// It is loaded by voters: small comes before fast, and one check takes milliseconds.
const PROFILE: &str = r#"
[profile.release]
opt-level = "z"
lto = "fat"
codegen-units = 1
panic = "abort"
overflow-checks = true
debug = false
strip = "symbols"
incremental = false

# Its arithmetic is modular and proven not to overflow.
[profile.release.package.curve25519-dalek]
overflow-checks = false
"#;

fn main() {
    let own = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let repository = own
        .ancestors()
        .nth(2)
        .expect("the crate is in host/web of the repository");
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
    let workspace = out.join("guest");

    println!("cargo::rerun-if-changed=build.rs");
    stage(repository, &workspace);
    require_target();
    compile(&workspace);
    let module = workspace
        .join("target")
        .join(TARGET)
        .join("release/tabella_web_verifier.wasm");
    let copy = out.join("verifier.wasm");
    fs::copy(&module, &copy).unwrap_or_else(|e| panic!("cannot copy {module:?}: {e}"));
}

/// Brings the workspace's sources up to date.
fn stage(repository: &Path, workspace: &Path) {
    let manifest = repository.join("Cargo.toml");
    let lock = repository.join("Cargo.lock");
    println!("cargo::rerun-if-changed={}", manifest.display());
    println!("cargo::rerun-if-changed={}", lock.display());
    let outer = read(&manifest);
    let members: Vec<String> = CRATES.iter().map(|path| format!("{path:?}")).collect();
    let text = format!(
        "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n{}{}[workspace.lints.rust]\n{PROFILE}",
        members.join(", "),
        section(&outer, "[workspace.package]"),
        section(&outer, "[workspace.dependencies]"),
    );
    write(&workspace.join("Cargo.toml"), &text);
    // Cargo strikes from its copy what is not needed there.
    if fs::read_to_string(workspace.join("Cargo.lock.outer")).ok() != Some(read(&lock)) {
        write(&workspace.join("Cargo.lock"), &read(&lock));
        write(&workspace.join("Cargo.lock.outer"), &read(&lock));
    }
    for path in CRATES {
        let kind = match path {
            // Alone: beside a library, cargo would not optimise it as a whole.
            VERIFIER => "[lib]\ncrate-type = [\"cdylib\"]\n\n",
            _ => "",
        };
        stage_crate(&repository.join(path), &workspace.join(path), kind);
    }
}

/// A table of a manifest, up to the next one.
fn section(manifest: &str, name: &str) -> String {
    let start = manifest
        .find(&format!("{name}\n"))
        .unwrap_or_else(|| panic!("the workspace's manifest has no {name}"));
    let rest = &manifest[start..];
    let end = rest.find("\n[").map_or(rest.len(), |end| end + 1);
    rest[..end].to_owned()
}

/// Copies a crate's manifest, without what only its tests need and with a table more, and its sources.
fn stage_crate(from: &Path, to: &Path, more: &str) {
    let path = from.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", path.display());
    let manifest = read(&path);
    let needed = manifest
        .split("[dev-dependencies]")
        .next()
        .unwrap_or(&manifest);
    let staged = needed.replacen("[dependencies]", &format!("{more}[dependencies]"), 1);
    write(&to.join("Cargo.toml"), &staged);
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
        "\n\nthe verifier of receipts is compiled to Wasm, but this toolchain lacks its target; run\n\n    \
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
        "--package",
        "tabella-web-verifier",
    ]);
    cargo.current_dir(workspace);
    // What was set for the outer build must not reach the module's bytes.
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
            "CARGO_RESOLVER_FEATURE_UNIFICATION",
        ];
        if outer.iter().any(|prefix| name.starts_with(prefix)) || wrapper.contains(&name.as_str()) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags().join("\u{1f}"));
    let output = cargo
        .output()
        .unwrap_or_else(|e| panic!("cannot run cargo: {e}"));
    assert!(
        output.status.success(),
        "\n\nthe verifier of receipts does not compile to Wasm:\n\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A stack that is large enough for curves, and no path of this machine in what a panic would say.
fn flags() -> Vec<String> {
    let mut flags = vec!["-Clink-arg=-zstack-size=262144".to_owned()];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let sources = home.map(|home| home.join("registry/src"));
    let sources = sources.iter().flat_map(fs::read_dir).flatten().flatten();
    let mut sources: Vec<PathBuf> = sources.map(|source| source.path()).collect();
    sources.sort_unstable();
    for source in sources {
        flags.push(format!(
            "--remap-path-prefix={}=/registry",
            source.display()
        ));
    }
    flags
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
