//! The product that is tried here.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The `tabella` binary, which is built beside this one.
pub(crate) fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find this binary")?;
    let product = own.with_file_name("tabella");
    ensure!(
        product.is_file(),
        "expected the tabella binary at {}: build both with `cargo build --release --workspace --bins`",
        product.display()
    );
    Ok(product)
}
