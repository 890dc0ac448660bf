//! A new crate with a rule that works.
//!
//! It stands outside every workspace and depends on nothing but the SDK, by path; see
//! `docs/decisions/0007-new-rules-name-the-sdk-by-path.md` on why.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Every file of a new crate; `NAME` and `SDK` in them are replaced.
const FILES: [(&str, &str); 8] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    (
        "rust-toolchain.toml",
        include_str!("../template/rust-toolchain.toml.in"),
    ),
    (".gitignore", "/target\n*.wasm\n"),
    ("README.md", include_str!("../template/README.md.in")),
    ("src/lib.rs", include_str!("../template/src/lib.rs.in")),
    (
        "examples/native.rs",
        include_str!("../template/examples/native.rs.in"),
    ),
    ("election.json", include_str!("../template/election.json")),
    ("ballots.jsonl", include_str!("../template/ballots.jsonl")),
];

/// Crates that a rule depends on, or that cargo knows.
const TAKEN: [&str; 8] = [
    "alloc",
    "core",
    "native",
    "proc-macro",
    "std",
    "tabella-abi",
    "tabella-sdk",
    "test",
];

/// The keywords of Rust's reference, strict and reserved ones.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Why there is no new crate.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The name cannot be a crate's.
    #[error(
        "expected a name of at most 64 lowercase letters, digits and hyphens that starts with a letter, \
         found {0:?}"
    )]
    Name(String),
    /// It means something else to cargo or the compiler.
    #[error("the name {0:?} is taken, by Rust or by the SDK; choose another one")]
    Taken(String),
    /// There is something already.
    #[error("{0} exists already; nothing was written")]
    Exists(String),
    /// The SDK is not there.
    #[error("no SDK in {0}; name the folder `sdk` of a checkout of Tabella with --sdk-path")]
    Sdk(String),
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
}

/// The SDK of the checkout that this program was built from.
pub fn own_sdk() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk")
}

/// Writes the crate `name` into a folder of that name; answers where.
pub fn create(parent: &Path, name: &str, sdk: &Path) -> Result<PathBuf, ScaffoldError> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(known);
    if !is_name {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    if TAKEN.contains(&name) || KEYWORDS.contains(&name) {
        return Err(ScaffoldError::Taken(name.to_owned()));
    }
    let no_sdk = || ScaffoldError::Sdk(sdk.display().to_string());
    let sdk_folder = sdk.canonicalize().map_err(|_| no_sdk())?;
    if !sdk_folder.join("abi/Cargo.toml").is_file() {
        return Err(no_sdk());
    }
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ScaffoldError::Exists(folder.display().to_string()));
    }
    let sdk = toml_text(&sdk_folder.to_string_lossy());
    for (file, text) in FILES {
        let text = text
            .replace("@SDK@", &sdk)
            .replace("@CRATE@", &name.replace('-', "_"))
            .replace("@NAME@", name);
        write(&folder.join(file), &text)?;
    }
    Ok(folder)
}

/// A path as it stands between the quotes of a TOML text.
fn toml_text(path: &str) -> String {
    path.replace('\\', "\\\\").replace('"', "\\\"")
}

fn write(path: &Path, text: &str) -> Result<(), ScaffoldError> {
    let error = |error| ScaffoldError::Write {
        path: path.display().to_string(),
        error,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(error)?;
    }
    std::fs::write(path, text).map_err(error)
}
