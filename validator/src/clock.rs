//! The one place that reads the wall clock. Nothing that validators must agree on depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds; 0 where the clock stands before 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
