//! A new crate with a rule that works.
//!
//! It stands outside every workspace and depends on nothing but the SDK, which is written into it; see
//! `docs/decisions/0007-new-rules-carry-the-sdk.md` on why.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::sdk;

/// The folder of a new crate in which its SDK stands.
const SDK_FOLDER: &str = "sdk";

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

/// Writes the crate `name` into a folder of that name, with this program's SDK in it, or naming the one in
/// the folder `sdk`. Returns the crate's folder.
pub fn create(parent: &Path, name: &str, sdk: Option<&Path>) -> Result<PathBuf, ScaffoldError> {
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
    let sdk_path = match sdk {
        Some(sdk) => named(sdk)?,
        None => SDK_FOLDER.to_owned(),
    };
    let folder = parent.join(name);
    if folder.exists() {
        return Err(ScaffoldError::Exists(folder.display().to_string()));
    }
    if sdk.is_none() {
        for (file, text) in sdk::files() {
            write(&folder.join(SDK_FOLDER).join(file), &text)?;
        }
    }
    for (file, text) in FILES {
        let text = text
            .replace("@SDK@", &sdk_path)
            .replace("@CRATE@", &name.replace('-', "_"))
            .replace("@NAME@", name);
        write(&folder.join(file), &text)?;
    }
    Ok(folder)
}

/// The path of an SDK that stands elsewhere, for a manifest.
fn named(sdk: &Path) -> Result<String, ScaffoldError> {
    let no_sdk = || ScaffoldError::Sdk(sdk.display().to_string());
    let folder = sdk.canonicalize().map_err(|_| no_sdk())?;
    if !folder.join("abi/Cargo.toml").is_file() {
        return Err(no_sdk());
    }
    Ok(toml_text(&folder.to_string_lossy()))
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
