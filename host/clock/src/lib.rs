//! The wall clock, which the workspace reads here and nowhere else: `clippy.toml` forbids `SystemTime::now` elsewhere.
//!
//! Nothing that validators must agree on depends on it: a crate that consensus executes does not depend on this one.
//!
//! ```
//! let before = tabella_clock::now_ms();
//! assert!(tabella_clock::now_ms() >= before && before / 1_000 <= tabella_clock::now_s());
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

/// Now.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Now, in Unix milliseconds; 0 where the clock stands before 1970.
pub fn now_ms() -> u64 {
    unix_ms(now())
}

/// Now, in Unix seconds.
pub fn now_s() -> u64 {
    now_ms() / 1_000
}

/// A time in Unix milliseconds; 0 for times before.
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_before_1970_are_the_first() {
        assert_eq!(unix_ms(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(unix_ms(UNIX_EPOCH + Duration::from_micros(1_500)), 1);
    }
}
