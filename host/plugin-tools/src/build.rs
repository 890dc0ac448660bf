//! From a crate to a module.
//!
//! The profile, the flags and the target are fixed here, whatever the crate and the environment say,
//! so that the same sources and toolchain give the same bytes. So that it does not matter where they lie
//! either, paths are shortened in messages, and [`Wrapper`] gives crates names that do not depend on them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

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
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(folder)?);
    if let Some(Wrapper(program)) = WRAPPER.get() {
        cargo.env("RUSTC_WRAPPER", program).env(WRAPS, "1");
    }
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

/// A small stack, because every ballot is judged in a fresh instance; and no paths of this machine
/// in panic messages: a crate's folder is called by its name.
fn flags(folder: &Path) -> Result<String, BuildError> {
    let mut flags = vec!["-Clink-arg=-zstack-size=65536".to_owned()];
    // Of several prefixes that fit, the compiler takes the last.
    for (path, name) in crate_folders(folder)? {
        flags.push(format!("--remap-path-prefix={path}={name}"));
    }
    Ok(flags.join("\u{1f}"))
}

/// The folders of all crates that are compiled, with their names and versions.
fn crate_folders(folder: &Path) -> Result<BTreeMap<String, String>, BuildError> {
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
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(BuildError::Metadata)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let named = packages.filter_map(|package| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        let (name, version) = (package["name"].as_str()?, package["version"].as_str()?);
        let folder = manifest.parent()?.to_str()?;
        Some((folder.to_owned(), format!("{name}-{version}")))
    });
    Ok(named.collect())
}

/// Set where this program is cargo's wrapper of the compiler.
const WRAPS: &str = "TABELLA_WRAPS_RUSTC";

static WRAPPER: OnceLock<Wrapper> = OnceLock::new();

/// A program that cargo starts instead of the compiler, and that starts the compiler with one argument
/// changed: cargo makes `metadata`, which goes into the names of functions, from the paths of crates.
#[derive(Debug)]
pub struct Wrapper(PathBuf);

impl Wrapper {
    /// This process builds with this program as the wrapper; its `main` has to start with
    /// [`Wrapper::main`].
    pub fn use_this_program() -> std::io::Result<()> {
        let program = std::env::current_exe()?;
        WRAPPER.get_or_init(|| Self(program));
        Ok(())
    }

    /// Where cargo has started this program as the wrapper, runs the compiler.
    pub fn main() -> Option<ExitCode> {
        std::env::var_os(WRAPS)?;
        let mut arguments = std::env::args_os().skip(1);
        let mut rustc = Command::new(arguments.next()?);
        rustc.args(arguments.map(named_alike));
        Some(match rustc.status() {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            Ok(_) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("cannot start the compiler: {error}");
                ExitCode::FAILURE
            }
        })
    }
}

/// The argument, with the crate's name and version for what cargo made of its path.
fn named_alike(argument: OsString) -> OsString {
    let is_metadata = |text: &str| text.starts_with("metadata=");
    if !argument.to_str().is_some_and(is_metadata) {
        return argument;
    }
    let mut named = OsString::from("metadata=");
    for variable in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_CRATE_NAME"] {
        named.push(std::env::var_os(variable).unwrap_or_default());
        named.push(OsStr::new(" "));
    }
    named
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

/// Installs the target where the folder's toolchain lacks it; answers whether it did.
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
