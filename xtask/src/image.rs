//! The container image: the static binary on an empty file system.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result};

use crate::shell::{run, step, workspace_root};

/// The image's name, and that of an image which is only tested.
pub(crate) const TAG: &str = "tabella:latest";
pub(crate) const TEST_TAG: &str = "tabella:test";

/// The directory that becomes the image, below the root of the workspace.
const DIRECTORY: &str = "target/image";

/// Builds the image from the binary that `cargo xtask dist` made.
pub(crate) fn build(binary: &Path, tag: &str) -> Result<()> {
    step(&format!("building the image {tag}"));
    let directory = workspace_root().join(DIRECTORY);
    // The owner of this directory is the owner of the volumes.
    fs::create_dir_all(directory.join("data"))
        .with_context(|| format!("cannot create {DIRECTORY}"))?;
    for (from, name) in [
        (binary, "tabella"),
        (&workspace_root().join("deploy/Dockerfile"), "Dockerfile"),
    ] {
        fs::copy(from, directory.join(name))
            .with_context(|| format!("cannot copy {} to {DIRECTORY}", from.display()))?;
    }
    run(Command::new("docker")
        .args(["build", "--tag", tag])
        .arg(&directory))
}
