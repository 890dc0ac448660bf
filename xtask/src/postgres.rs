//! The PostgreSQL server that the tests of several backends start.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::shell::step;

/// Where the packages of Debian and its kin keep the servers.
const SERVERS: &str = "/usr/lib/postgresql";

/// Installs the server where that is allowed, and otherwise says that its tests are skipped.
pub(crate) fn ensure_installed() {
    if is_installed() {
        return;
    }
    step("installing PostgreSQL, which the tests of several backends start");
    if !is_root() {
        return println!("skipped, with the tests that need it: this needs root; {HINT}");
    }
    for arguments in [
        &["update"][..],
        &["install", "--yes", "--no-install-recommends", "postgresql"],
    ] {
        let done = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null())
            .status();
        match done {
            Ok(status) if status.success() => {}
            // The index may be stale and still name the package.
            Ok(status) => println!("apt-get {}: {status}", arguments.join(" ")),
            Err(error) => {
                return println!("skipped, with the tests that need it: apt-get: {error}; {HINT}");
            }
        }
    }
    match is_installed() {
        true => println!("installed"),
        false => println!("failed: the tests that need it are skipped; {HINT}"),
    }
}

const HINT: &str = "install the package postgresql to run them";

fn is_installed() -> bool {
    let on_path = || {
        let found = Command::new("initdb").arg("--version").output();
        found.is_ok_and(|output| output.status.success())
    };
    let versions = std::fs::read_dir(SERVERS).into_iter().flatten().flatten();
    let mut servers = versions.map(|version| version.path().join("bin/postgres"));
    servers.any(|server| server.exists()) || on_path()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
