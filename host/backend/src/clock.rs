//! The clock, and times as API clients read them (RFC 3339, UTC).

pub(crate) use tabella_clock::{now_ms, now_s, unix_ms};

/// Unix milliseconds as RFC 3339 text.
pub(crate) fn rfc3339(unix_ms: u64) -> String {
    let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        let check = |ms, expected: &str| assert_eq!(super::rfc3339(ms), expected);
        check(0, "1970-01-01T00:00:00.000Z");
        check(1_700_000_000_123, "2023-11-14T22:13:20.123Z");
        check(u64::MAX, "9999-12-30T22:00:00.999Z");
    }
}
