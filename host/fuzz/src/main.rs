//! Writes the inputs that every fuzz target starts from: `tabella-fuzz FOLDER` makes a folder for each.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let [folder] = &std::env::args_os().skip(1).collect::<Vec<_>>()[..] else {
        bail!("expected a folder for the inputs, such as `tabella-fuzz target/fuzz/seeds`");
    };
    for target in tabella_fuzz::TARGETS {
        let folder = PathBuf::from(folder).join(target.name);
        let failed = || format!("cannot write into {}", folder.display());
        fs::create_dir_all(&folder).with_context(failed)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("{number:03}")), seed).with_context(failed)?;
        }
    }
    Ok(())
}
