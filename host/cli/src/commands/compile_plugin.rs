//! `tabella compile-plugin`: this binary as the compiler of one plugin, started by itself.

use std::io::{stdin, stdout};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};
use tabella_runtime::{
    COMPILE_MEMORY_BYTES_MAX, COMPILE_SECONDS_MAX, Compiler, CompilerProcess, compile_for_parent,
};

/// The hidden subcommand.
const NAME: &str = "compile-plugin";

/// Makes this process compile plugins in processes of their own.
pub(crate) fn use_child_processes() -> Result<()> {
    let process =
        CompilerProcess::this_program([NAME.into()]).context("cannot find this binary")?;
    Compiler::use_in_this_process(process);
    Ok(())
}

/// Compiles what comes in on standard input, within bounds that the system enforces even when the
/// parent is gone.
pub(crate) fn run() -> Result<()> {
    let bound =
        |resource, most| setrlimit(resource, most, most).context("cannot bound this process");
    bound(Resource::RLIMIT_AS, COMPILE_MEMORY_BYTES_MAX)?;
    bound(Resource::RLIMIT_CPU, COMPILE_SECONDS_MAX)?;
    bound(Resource::RLIMIT_CORE, 0)?;
    Ok(compile_for_parent(stdin().lock(), stdout().lock())?)
}
