//! The longest time in which no voter got an answer.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Beats with every acknowledged submission.
pub(super) struct Pulse(Mutex<Beats>);

struct Beats {
    last: Instant,
    longest: Duration,
    count: u64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Beats {
            last: Instant::now(),
            longest: Duration::ZERO,
            count: 0,
        }))
    }

    /// A submission was acknowledged.
    pub(super) fn beat(&self) {
        let mut beats = self.lock();
        beats.longest = beats.longest.max(beats.last.elapsed());
        beats.last = Instant::now();
        beats.count += 1;
    }

    /// How many were acknowledged so far.
    pub(super) fn count(&self) -> u64 {
        self.lock().count
    }

    /// The longest pause since that was last taken, one that still lasts included.
    pub(super) fn longest(&self) -> Duration {
        let beats = self.lock();
        beats.longest.max(beats.last.elapsed())
    }

    /// As `longest`, and begins anew.
    pub(super) fn take_longest(&self) -> Duration {
        let mut beats = self.lock();
        let longest = beats.longest.max(beats.last.elapsed());
        beats.longest = Duration::ZERO;
        longest
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
