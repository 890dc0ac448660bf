//! The compilation target of rule plugins.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::run;

const TARGET: &str = "wasm32-unknown-unknown";

/// Installs the target through rustup where the toolchain does not have it, and says so.
pub(crate) fn ensure_installed() -> Result<()> {
    if is_installed()? {
        return Ok(());
    }
    println!("the {TARGET} target is missing; installing it with rustup");
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("plugins are compiled to {TARGET}; install that target"))?;
    if !is_installed()? {
        bail!("rustup added {TARGET}, but rustc does not find it; is this rustc rustup's?");
    }
    Ok(())
}

fn is_installed() -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .context("cannot run rustc")?;
    let directory = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success() && Path::new(directory.trim()).is_dir())
}
