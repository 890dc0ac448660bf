//! From a crate to a module.
//!
//! The profile, the flags and the target are fixed here, whatever the crate and the environment say,
//! so that the same sources and toolchain give the same bytes. So that it does not matter where they lie
//! either, paths are shortened in messages, and `rustc.sh` gives crates names that do not depend on them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

const TARGET: &str = "wasm32-unknown-unknown";

/// As the built-in rules are compiled.
const PROFILE: [(&str, &str); 8] = [
    ("OPT_LEVEL", "3"),
    ("LTO", "fat"),
    ("CODEGEN_UNITS", "1"),
    ("PANIC", "abort"),
    ("OVERFLOW_CHECKS", "true"),
    ("DEBUG", "false"),
    // Function names stay: refusals and traps are told with them.
    ("STRIP", "debuginfo"),
    ("INCREMENTAL", "false"),
];

/// Variables of an outer build or of a user's habits that would change the bytes.
const FOREIGN_PREFIXES: [&str; 4] = [
    "CARGO_PROFILE_",
    "CARGO_BUILD_",
    "CARGO_TARGET_",
    "CARGO_ENCODED_",
];
const FOREIGN: [&str; 4] = [
    "RUSTFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CLIPPY_ARGS",
];

/// Why there is no module.
#[derive(Debug, Error)]
pub enum BuildError {
    /// There is no crate.
    #[error("expected a crate with a Cargo.toml, found none in {0}")]
    NoCrate(String),
    /// A program does not start.
    #[error("cannot start {program}: {error}; install Rust with rustup")]
    Start {
        /// Which.
        program: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The Wasm target is missing and rustup does not add it.
    #[error(
        "plugins are compiled to {TARGET}, which `rustup target add {TARGET}` did not install: {0}"
    )]
    Target(String),
    /// The compiler refuses; its messages were shown.
    #[error("the crate does not compile to Wasm; the compiler's messages are above")]
    Compile,
    /// What cargo says of the crates cannot be read, so that their paths would stay in the module.
    #[error("cannot read the answer of `cargo metadata`: {0}; is it the toolchain's own cargo?")]
    Metadata(serde_json::Error),
    /// The crate makes no module.
    #[error(
        "the crate makes no module; expected crate-type = [\"cdylib\", \"rlib\"] under [lib] in {0}"
    )]
    NoModule(String),
    /// The module cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The module.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The compiler's wrapper cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The wrapper.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// A module.
#[derive(Clone, Debug)]
pub struct Built {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub wasm: Vec<u8>,
    /// Their SHA-256, by which a chain names it.
    pub sha256: [u8; 32],
    /// Whether the Wasm target was missing and was installed.
    pub installed_target: bool,
}

/// Builds the crate in a folder.
pub fn build(folder: &Path) -> Result<Built, BuildError> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(BuildError::NoCrate(folder.display().to_string()));
    }
    let installed_target = ensure_target(folder)?;
    let mut cargo = cargo(folder);
    cargo.args([
        "build",
        "--release",
        "--lib",
        "--target",
        TARGET,
        "--message-format=json-render-diagnostics",
    ]);
    for (key, value) in PROFILE {
        cargo.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    let crates = Crates::of(folder)?;
    cargo.env("CARGO_ENCODED_RUSTFLAGS", crates.flags());
    cargo.env("RUSTC_WRAPPER", wrapper(&crates.target_directory)?);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| start("cargo", error))?;
    if !output.status.success() {
        return Err(BuildError::Compile);
    }
    let path = module_of(&output.stdout, &manifest)
        .ok_or_else(|| BuildError::NoModule(manifest.display().to_string()))?;
    let wasm = std::fs::read(&path).map_err(|error| BuildError::Read {
        path: path.display().to_string(),
        error,
    })?;
    Ok(Built {
        sha256: Sha256::digest(&wasm).into(),
        path,
        wasm,
        installed_target,
    })
}

/// Cargo in that folder, with the toolchain that the folder asks for.
pub(crate) fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    clean(&mut cargo);
    cargo
}

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let foreign = FOREIGN_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix));
        // A toolchain that an outer cargo chose is not the one that the crate pins.
        let outer = ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC"].contains(&text);
        if foreign || outer || FOREIGN.contains(&text) {
            command.env_remove(&name);
        }
    }
}

/// What cargo says of the crates that are compiled.
struct Crates {
    /// Their folders, with their names and versions.
    folders: BTreeMap<String, String>,
    target_directory: PathBuf,
}

impl Crates {
    fn of(folder: &Path) -> Result<Self, BuildError> {
        let mut cargo = cargo(folder);
        cargo.args([
            "metadata",
            "--format-version=1",
            "--filter-platform",
            TARGET,
        ]);
        let output = cargo.stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| start("cargo", error))?;
        if !output.status.success() {
            return Err(BuildError::Compile);
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).map_err(BuildError::Metadata)?;
        let named = metadata.packages.into_iter().filter_map(|package| {
            let folder = package.manifest_path.parent()?.to_str()?.to_owned();
            Some((folder, format!("{}-{}", package.name, package.version)))
        });
        Ok(Self {
            folders: named.collect(),
            target_directory: metadata.target_directory,
        })
    }

    /// A small stack, because every ballot is judged in a fresh instance; and no paths of this machine
    /// in panic messages: a crate's folder is called by its name.
    fn flags(&self) -> String {
        let mut flags = vec!["-Clink-arg=-zstack-size=65536".to_owned()];
        // Of several prefixes that fit, the compiler takes the last.
        for (path, name) in &self.folders {
            flags.push(format!("--remap-path-prefix={path}={name}"));
        }
        flags.join("\u{1f}")
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// Puts the compiler's wrapper into cargo's target directory, where its path stays the same from one build to
/// the next: cargo compiles everything again where it changes.
fn wrapper(target_directory: &Path) -> Result<PathBuf, BuildError> {
    const SCRIPT: &str = include_str!("rustc.sh");
    let path = target_directory.join("tabella-rustc.sh");
    if std::fs::read(&path).is_ok_and(|found| found == SCRIPT.as_bytes()) {
        return Ok(path);
    }
    let write = || {
        std::fs::create_dir_all(target_directory)?;
        // Whole or not at all: another build may start it at this moment.
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempfile_in(target_directory)?;
        file.write_all(SCRIPT.as_bytes())?;
        file.into_temp_path().persist(&path)?;
        Ok(())
    };
    write().map_err(|error: std::io::Error| BuildError::Write {
        path: path.display().to_string(),
        error,
    })?;
    Ok(path)
}

/// The module among cargo's messages, one JSON object a line.
fn module_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let manifest = manifest.canonicalize().ok()?;
    let messages = messages.split(|byte| *byte == b'\n');
    messages
        .filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"].as_str().map(Path::new) == Some(&*manifest)
        })
        .filter_map(|message| {
            let names = message["filenames"].as_array()?;
            let names = names.iter().filter_map(|name| name.as_str());
            names
                .map(PathBuf::from)
                .find(|name| name.extension().is_some_and(|e| e == "wasm"))
        })
        .next_back()
}

/// Installs the target where the folder's toolchain lacks it; returns whether it did.
fn ensure_target(folder: &Path) -> Result<bool, BuildError> {
    if has_target(folder)? {
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(folder).args(["target", "add", TARGET]);
    clean(&mut rustup);
    let added = rustup.output().map_err(|error| start("rustup", error))?;
    if !added.status.success() || !has_target(folder)? {
        let said = String::from_utf8_lossy(&added.stderr).trim().to_owned();
        return Err(BuildError::Target(said));
    }
    Ok(true)
}

fn has_target(folder: &Path) -> Result<bool, BuildError> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(folder)
        .args(["--print", "target-libdir", "--target", TARGET]);
    clean(&mut rustc);
    let output = rustc.output().map_err(|error| start("rustc", error))?;
    let directory = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(directory.trim()).is_dir())
}

fn start(program: &str, error: std::io::Error) -> BuildError {
    BuildError::Start {
        program: program.to_owned(),
        error,
    }
}
