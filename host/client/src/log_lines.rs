//! How many lines one validator may write into our log by what it says.

use std::time::{Duration, Instant};

use crate::HealthStatus;

/// Lines of one kind about one validator in a [`PERIOD`]: one that lies may change its status with each
/// check, and fail each call.
const LINES_MAX: u32 = 60;
const PERIOD: Duration = Duration::from_secs(3_600);

/// Lines of one kind about one validator.
#[derive(Debug)]
pub(crate) struct LogLines {
    since: Instant,
    lines: u32,
    left_out: u32,
}

/// The lines about changes of one validator's status.
#[derive(Debug)]
pub(crate) struct StatusLines {
    status: Option<HealthStatus>,
    lines: LogLines,
}

/// What to do about a status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is as it was.
    No,
    /// It changed, and too many changes were logged.
    Unlogged,
    /// It is to be logged, and that so many changes before it were not.
    Logged { left_out: u32 },
}

impl LogLines {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            lines: 0,
            left_out: 0,
        }
    }

    /// Takes a line, if one is left; returns how many before it were left out.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u32> {
        if now.duration_since(self.since) >= PERIOD {
            self.since = now;
            self.lines = 0;
        }
        if self.lines == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl StatusLines {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            status: None,
            lines: LogLines::new(now),
        }
    }

    /// Takes the status of now.
    pub(crate) fn take(&mut self, status: HealthStatus, now: Instant) -> News {
        if self.status.replace(status) == Some(status) {
            return News::No;
        }
        match self.lines.take(now) {
            Some(left_out) => News::Logged { left_out },
            None => News::Unlogged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_whose_status_alternates_fills_no_log() {
        let start = Instant::now();
        let mut lines = StatusLines::new(start);
        let both = [HealthStatus::Degraded, HealthStatus::Healthy];
        let day = (0..24 * 3_600).map(|s| start + Duration::from_secs(s));
        let mut logged = 0;
        let mut left_out = 0;
        for (now, status) in day.zip(both.into_iter().cycle()) {
            match lines.take(status, now) {
                News::Logged { left_out: before } => {
                    logged += 1;
                    left_out += before;
                }
                News::Unlogged => {}
                News::No => panic!("each is a change"),
            }
            assert_eq!(lines.take(status, now), News::No);
        }
        assert_eq!(logged, 24 * LINES_MAX);
        assert_eq!(left_out, 23 * (3_600 - LINES_MAX));
    }
}
