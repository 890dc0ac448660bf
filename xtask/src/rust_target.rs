//! Compilation targets that the toolchain may lack.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::{answer, run};

/// The target of rule plugins.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Installs the target of rule plugins where the toolchain does not have it, and says so.
pub(crate) fn ensure_wasm() -> Result<()> {
    ensure_installed(WASM).context("rule plugins are compiled to this target")
}

/// Installs a target through rustup where the toolchain does not have it, and says so.
pub(crate) fn ensure_installed(target: &str) -> Result<()> {
    if is_installed(target)? {
        return Ok(());
    }
    println!("the target {target} is missing; installing it with rustup");
    run(Command::new("rustup").args(["target", "add", target]))
        .with_context(|| format!("cannot install the target {target}"))?;
    if !is_installed(target)? {
        bail!("rustup added {target}, but rustc does not find it; is this rustc rustup's?");
    }
    Ok(())
}

/// The target of statically linked binaries for this machine.
pub(crate) fn static_target() -> Result<String> {
    let version = answer(Command::new("rustc").arg("-vV"))?;
    static_target_of(&version)
}

fn static_target_of(version: &str) -> Result<String> {
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("expected `rustc -vV` to name its host")?;
    if !host.contains("-linux-") {
        bail!("expected a Linux host, got {host}; static binaries are built on Linux");
    }
    Ok(host.replace("-linux-gnu", "-linux-musl"))
}

fn is_installed(target: &str) -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .context("cannot run rustc")?;
    let directory = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(directory.trim()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_static_target_is_of_the_hosts_architecture() {
        for (host, target) in [
            ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"),
            ("aarch64-unknown-linux-gnu", "aarch64-unknown-linux-musl"),
            (
                "armv7-unknown-linux-gnueabihf",
                "armv7-unknown-linux-musleabihf",
            ),
            (
                "riscv64gc-unknown-linux-gnu",
                "riscv64gc-unknown-linux-musl",
            ),
            ("x86_64-unknown-linux-musl", "x86_64-unknown-linux-musl"),
        ] {
            let version = format!("rustc 1.95.0\nbinary: rustc\nhost: {host}\nrelease: 1.95.0");
            assert_eq!(static_target_of(&version).unwrap(), target);
        }
        let error = static_target_of("host: aarch64-apple-darwin").unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a Linux host, got aarch64-apple-darwin; static binaries are built on Linux"
        );
    }
}
