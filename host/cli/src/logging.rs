//! Log output: for people on a terminal, JSON lines for everything else.

use std::io::IsTerminal;

use tabella_validator::QUIET_ENGINE_LOG;
use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging to standard error. `RUST_LOG` chooses what is logged.
pub(crate) fn start() {
    // The consensus engine tells several lines a block, which would be most of the log.
    let quiet = || EnvFilter::new(format!("info,{QUIET_ENGINE_LOG},hyper=warn,wasmtime=warn"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| quiet());
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Telling on the error output that the error output is closed ends the process.
        .log_internal_errors(false);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
