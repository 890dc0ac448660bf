//! The binary that is given away: linked statically, stripped, with its debug information in a file
//! beside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{
    packages, rust_target,
    shell::{cargo, run, step, workspace_root},
};

/// Where the two files are written, below the root of the workspace.
const DIRECTORY: &str = "target/dist";

/// The binary, and what a debugger and a backtrace look for beside it.
const BINARY: &str = "tabella";
const DEBUG_FILE: &str = "tabella.debug";

/// More than this is a defect: the build has put something into the binary that does not belong there.
const BINARY_BYTES_MAX: u64 = 64_000_000;

/// Builds the binary and its debug file; returns the path of the binary. See
/// `docs/decisions/0063-the-released-binary-is-static-and-stripped.md`.
pub(crate) fn build() -> Result<PathBuf> {
    rust_target::ensure_wasm()?;
    let target = rust_target::static_target()?;
    rust_target::ensure_installed(&target)?;
    let compiler = c_compiler(&target)?;
    step(&format!("building the static binary ({target})"));
    // Its dependencies are compiled again for this target, once.
    let mut build = cargo();
    build.args(["build", "--release", "--target", &target]);
    build.args(["--package", "tabella", "--bin", BINARY]);
    if let Some((variable, program)) = compiler {
        build.env(variable, program);
    }
    run(&mut build)?;
    let built = workspace_root().join(format!("target/{target}/release/{BINARY}"));
    let directory = workspace_root().join(DIRECTORY);
    fs::create_dir_all(&directory).with_context(|| format!("cannot create {DIRECTORY}"))?;
    split(&built, &directory)?;
    let binary = directory.join(BINARY);
    report(&directory)?;
    Ok(binary)
}

/// The C compiler for code such as the allocator's: the variable that names it to build scripts, and its
/// program. Installs it where that is allowed.
fn c_compiler(target: &str) -> Result<Option<(String, &'static str)>> {
    const PROGRAM: &str = "musl-gcc";
    const PACKAGE: &str = "musl-tools";
    let variable = format!("CC_{}", target.replace('-', "_"));
    // Where the system's own C library is musl, the ordinary compiler is right.
    if cfg!(target_env = "musl") || std::env::var_os(&variable).is_some() {
        return Ok(None);
    }
    if !packages::has_program(PROGRAM) {
        step(&format!(
            "installing {PACKAGE}, which compiles C for static binaries"
        ));
        packages::install(PACKAGE)
            .with_context(|| format!("{PROGRAM} is missing; install the package {PACKAGE}"))?;
    }
    if !packages::has_program(PROGRAM) {
        bail!("{PROGRAM} is missing; install the package {PACKAGE}, or set {variable}");
    }
    Ok(Some((variable, PROGRAM)))
}

/// Writes the stripped binary and its debug file, which it names.
fn split(built: &Path, directory: &Path) -> Result<()> {
    let objcopy = || {
        let mut command = Command::new("objcopy");
        command.current_dir(directory);
        command
    };
    run(objcopy()
        .args(["--only-keep-debug", "--compress-debug-sections"])
        .arg(built)
        .arg(DEBUG_FILE))
    .context("the debug information is split off by objcopy, of the package binutils")?;
    run(objcopy()
        .arg("--strip-all")
        .arg(format!("--add-gnu-debuglink={DEBUG_FILE}"))
        .arg(built)
        .arg(BINARY))
}

/// Says how large the files are, and fails where the binary is too large.
fn report(directory: &Path) -> Result<()> {
    for name in [BINARY, DEBUG_FILE] {
        let length = fs::metadata(directory.join(name))?.len();
        let megabytes = length as f64 / 1e6;
        println!("{DIRECTORY}/{name}: {megabytes:.1} MB");
        if name == BINARY && length > BINARY_BYTES_MAX {
            bail!("expected at most {BINARY_BYTES_MAX} bytes of {name}, got {length}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_binary_runs_and_names_its_debug_file() {
        let directory = std::env::temp_dir().join(format!("xtask-split-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let whole = std::env::current_exe().unwrap();
        split(&whole, &directory).unwrap();
        let (binary, debug_file) = (directory.join(BINARY), directory.join(DEBUG_FILE));

        let listed = Command::new(&binary).arg("--list").output().unwrap();
        assert!(listed.status.success(), "the stripped binary does not run");
        let bytes = fs::read(&binary).unwrap();
        let names_it = |name: &str| {
            bytes
                .windows(name.len())
                .any(|part| part == name.as_bytes())
        };
        assert!(names_it(".gnu_debuglink"));
        assert!(bytes.len() < fs::read(&whole).unwrap().len());
        // Where this is built without debug information, the names of functions remain.
        assert!(fs::metadata(&debug_file).unwrap().len() > 0);
        fs::remove_dir_all(&directory).unwrap();
    }
}
