//! Python for a test: an environment of its own, with packages in fixed versions.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

/// Returns the directory of programs of an environment with these packages, a line each, which it makes in the
/// target directory where it is missing.
///
/// Nothing where there is no Python 3 with `venv`: then the test says so and passes, unless
/// `TABELLA_REQUIRE_PYTHON` is set, as `.ci/run` does.
pub(crate) fn programs(name: &str, packages: &str) -> Option<PathBuf> {
    let programs = environment(name, packages);
    if programs.is_none() {
        assert!(
            std::env::var_os("TABELLA_REQUIRE_PYTHON").is_none(),
            "python3 with venv is missing; install it (Debian: python3-venv)"
        );
        println!("skipped: python3 with venv is not here");
    }
    programs
}

fn environment(name: &str, packages: &str) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_BIN_EXE_tabella")).with_file_name(name);
    let programs = directory.join("environment/bin");
    std::fs::create_dir_all(&directory).expect("the target directory is writable");
    // Tests of other processes may be about to install it too.
    let lock = File::create(directory.join("lock")).expect("the target directory is writable");
    lock.lock().expect("a lock");
    let installed = directory.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|versions| versions == packages) {
        return Some(programs);
    }
    let made = Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(directory.join("environment"))
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return None;
    }
    let pip = Command::new(programs.join("pip"))
        .args(["install", "--quiet", "--disable-pip-version-check"])
        .args(packages.lines())
        .output()
        .expect("pip starts");
    assert!(
        pip.status.success(),
        "pip cannot install {packages}: {pip:?}"
    );
    std::fs::write(&installed, packages).expect("writable");
    Some(programs)
}
