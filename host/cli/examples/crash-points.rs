//! `tabella` whose backend dies where a test says: at the point whose name is a file in the directory
//! `TABELLA_CRASH_DIRECTORY`, which it removes first.

use std::{path::PathBuf, process::ExitCode, sync::OnceLock};

fn main() -> ExitCode {
    tabella_outbox::crash::die_where(is_named);
    tabella_cli::main()
}

fn is_named(point: &str) -> bool {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = DIRECTORY.get_or_init(|| {
        let named = std::env::var_os("TABELLA_CRASH_DIRECTORY");
        named
            .expect("TABELLA_CRASH_DIRECTORY names a directory")
            .into()
    });
    std::fs::remove_file(directory.join(point)).is_ok()
}
