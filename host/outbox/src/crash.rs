//! Places where a test lets the process die.
//!
//! Nothing outside the process can name one: a program that links this crate decides with
//! [`die_where`] what happens there, as the tests' `crash-points` does. In `tabella` nothing does.

use std::sync::OnceLock;

static DIES_AT: OnceLock<fn(&str) -> bool> = OnceLock::new();

/// Ends this process, as a kill would, at the first point of which `dies_at` says so by its name: nothing
/// is flushed, nothing is answered. Only the first call has an effect.
pub fn die_where(dies_at: fn(&str) -> bool) {
    DIES_AT.get_or_init(|| dies_at);
}

/// Dies here, if a test asked for it.
pub(crate) fn point(name: &str) {
    if DIES_AT.get().is_some_and(|dies_at| dies_at(name)) {
        std::process::abort();
    }
}
