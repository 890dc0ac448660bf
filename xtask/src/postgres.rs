//! The PostgreSQL server that the tests of several backends start.

use std::process::Command;

use crate::{packages, shell::step};

/// Where the packages of Debian and its kin keep the servers.
const SERVERS: &str = "/usr/lib/postgresql";

/// Installs the server where that is allowed, and otherwise says that its tests are skipped.
pub(crate) fn ensure_installed() {
    if is_installed() {
        return;
    }
    step("installing PostgreSQL, which the tests of several backends start");
    if let Err(error) = packages::install("postgresql") {
        return println!("skipped, with the tests that need it: {error:#}; {HINT}");
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
