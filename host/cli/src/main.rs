//! The `tabella` binary; everything it does is in the library beside it.

use std::process::ExitCode;

/// Validators and backend allocate on one thread and free on another, which took the system's allocator
/// a tenth of their time and more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tabella_cli::main()
}
