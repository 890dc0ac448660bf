//! The checkers that `cargo xtask ci` runs and Rust does not bring: installed at fixed versions into
//! target/tools, so that a check means the same everywhere.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::shell::{answer, cargo, run, step, workspace_root};

/// Where they are installed, below the root of the workspace.
const DIRECTORY: &str = "target/tools";

/// A program of crates.io.
struct Tool {
    package: &'static str,
    program: &'static str,
    version: &'static str,
}

const TYPOS: Tool = Tool {
    package: "typos-cli",
    program: "typos",
    version: "1.52.0",
};
const CARGO_SHEAR: Tool = Tool {
    package: "cargo-shear",
    program: "cargo-shear",
    version: "1.14.0",
};
const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    program: "cargo-deny",
    version: "0.20.2",
};

/// Checks the spelling of every file; typos.toml has the words that are right all the same.
pub(crate) fn spelling() -> Result<()> {
    let program = TYPOS.path()?;
    step("spelling");
    run(&mut Command::new(program))
}

/// Fails where a crate depends on what it does not use.
pub(crate) fn unused_dependencies() -> Result<()> {
    let program = CARGO_SHEAR.path()?;
    step("unused dependencies");
    run(&mut Command::new(program))
}

/// Checks licences, sources and versions of every dependency against deny.toml, and known faults of
/// them where the database of RustSec is on this machine: nothing is fetched here.
pub(crate) fn dependencies() -> Result<()> {
    let program = CARGO_DENY.path()?;
    step("licences, sources and versions of dependencies");
    let checks = ["bans", "licenses", "sources"];
    run(Command::new(&program)
        .args(["check", "--hide-inclusion-graph"])
        .args(checks))?;
    step("advisories");
    if !has_advisories() {
        println!("skipped: the database is not on this machine; `cargo deny fetch db` fetches it");
        return Ok(());
    }
    run(Command::new(&program).args(["--offline", "check", "advisories"]))
}

/// Whether `cargo deny fetch` has left a database where cargo-deny looks for it.
fn has_advisories() -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let databases = home.map(|home| home.join("advisory-dbs"));
    let mut entries = databases
        .and_then(|path| path.read_dir().ok())
        .into_iter()
        .flatten();
    entries.any(|entry| entry.is_ok_and(|entry| entry.path().join(".git").exists()))
}

impl Tool {
    /// The program at its version: the one on the PATH where it is of that version, else the one in
    /// target/tools, which is installed there first where it is missing.
    fn path(&self) -> Result<PathBuf> {
        let root = workspace_root().join(DIRECTORY);
        let own = root.join("bin").join(self.program);
        for candidate in [PathBuf::from(self.program), own.clone()] {
            if self.is_version(&candidate) {
                return Ok(candidate);
            }
        }
        let Self {
            package, version, ..
        } = self;
        step(&format!("installing {package} {version} into {DIRECTORY}"));
        run(cargo()
            .args(["install", "--locked", "--quiet", "--force", "--root"])
            .arg(&root)
            .arg(format!("{package}@{version}")))
        .with_context(|| {
            format!("cannot install it; `cargo install --locked {package}@{version}` by hand does as well")
        })?;
        Ok(own)
    }

    fn is_version(&self, program: &std::path::Path) -> bool {
        let printed = answer(Command::new(program).arg("--version"));
        printed.is_ok_and(|printed| printed.split_whitespace().last() == Some(self.version))
    }
}
