//! The container image: the binary, linked statically, on an empty file system.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell::{cargo, run, step, workspace_root};

/// Links the binary again, statically, from the libraries that are built already; answers the
/// directory that is to become the image. See docs/decisions.
pub(crate) fn link() -> Result<PathBuf> {
    step("linking the static binary");
    let library = library()?;
    let dependencies = library.parent().context("a library has a directory")?;
    let directory = workspace_root().join("target/image");
    // The owner of this directory is the owner of the volumes.
    fs::create_dir_all(directory.join("data")).context("cannot create target/image")?;
    let binary = directory.join("tabella");
    let dependency = format!("dependency={}", dependencies.display());
    let external = format!("tabella_cli={}", library.display());
    run(Command::new("rustc")
        .args(["host/cli/src/main.rs", "--crate-name", "tabella"])
        .args(["--crate-type", "bin", "--edition", "2024"])
        .args(["-C", "opt-level=3", "-C", "target-feature=+crt-static"])
        .args(["-C", "strip=debuginfo"])
        .args(["-L", &dependency, "--extern", &external])
        .arg("-o")
        .arg(&binary))
    .context("static linking needs the C library as an archive (Debian: libc6-dev)")?;
    fs::copy(
        workspace_root().join("deploy/Dockerfile"),
        directory.join("Dockerfile"),
    )
    .context("cannot copy deploy/Dockerfile")?;
    println!("{}", binary.display());
    Ok(directory)
}

/// Builds the image.
pub(crate) fn build(directory: &Path, tag: &str) -> Result<()> {
    step("building the image");
    run(Command::new("docker")
        .args(["build", "--tag", tag])
        .arg(directory))
}

/// The compiled library behind the binary, as cargo names it.
fn library() -> Result<PathBuf> {
    let output = cargo()
        .args(["build", "--release", "--workspace", "--bins"])
        .args(["--message-format", "json-render-diagnostics"])
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo build failed: {}", output.status);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = messages
        .split('"')
        .find(|word| word.ends_with(".rlib") && word.contains("/libtabella_cli-"));
    let path = path.context("cargo does not name the library tabella_cli")?;
    Ok(PathBuf::from(path))
}
