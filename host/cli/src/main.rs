//! The `tabella` binary; everything it does is in the library beside it.

use std::process::ExitCode;

/// Validators and backend allocate much and free on other threads: a tenth of their time, less than half
/// of that with this allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tabella_cli::main()
}
