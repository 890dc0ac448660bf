//! Packages of the system (Debian and its kin), installed where that is allowed.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Installs a package with apt-get; the error says why it could not.
pub(crate) fn install(package: &str) -> Result<()> {
    if !is_root() {
        bail!("installing the package {package} needs root");
    }
    for arguments in [
        &["update"][..],
        &["install", "--yes", "--no-install-recommends", package],
    ] {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // It would look through every process of the machine for one to start again.
            .env("NEEDRESTART_SUSPEND", "1")
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("cannot install the package {package} with apt-get"))?;
        if !status.success() {
            // The index may be stale and still name the package.
            println!("apt-get {}: {status}", arguments.join(" "));
        }
    }
    Ok(())
}

/// Whether a program is on the PATH, or is this path itself.
pub(crate) fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
