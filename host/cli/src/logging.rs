//! Log output: for people on a terminal, JSON lines for everything else.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// What is logged where `RUST_LOG` says nothing. The consensus engine tells several lines a block at
/// `info`, which would be most of the log and a good part of a validator's work.
const FILTER_DEFAULT: &str = "info,arc_malachitebft=warn,libp2p=warn,hyper=warn,wasmtime=warn";

/// Starts logging to standard error. `RUST_LOG` chooses what is logged.
pub(crate) fn start() {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).init();
    }
}
