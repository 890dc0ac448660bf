//! The `tabella` binary; everything it does is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tabella_cli::main()
}
