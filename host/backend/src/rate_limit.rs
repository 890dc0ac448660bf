//! How often one account or address may ask: a token bucket each, bounded in number.
//!
//! A bucket is kept as the moment at which it will be full again (the generic cell rate algorithm),
//! so that one that is full need not be kept at all.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::config::Rate;

/// Buckets that one limit keeps; whoever comes beyond shares one.
const BUCKETS_MAX: usize = 100_000;
/// Pause between two sweeps of full buckets.
const SWEEP: Duration = Duration::from_secs(1);

/// A limit on how often each `K` may ask.
pub(crate) struct RateLimit<K> {
    /// The time in which one token comes back, and how far ahead of it a bucket may be; nothing
    /// where there is no limit.
    refill: Option<(Duration, Duration)>,
    buckets: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    full_at: HashMap<K, Instant>,
    /// The bucket of all who have none of their own.
    others_full_at: Option<Instant>,
    swept: Option<Instant>,
}

impl<K: Hash + Eq> RateLimit<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        let token = Duration::from_secs(60).checked_div(rate.per_minute);
        Self {
            refill: token.map(|token| (token, token.saturating_mul(rate.burst.max(1) - 1))),
            buckets: Mutex::new(Buckets {
                full_at: HashMap::new(),
                others_full_at: None,
                swept: None,
            }),
        }
    }

    /// Takes a token; where there is none, how long until there is.
    pub(crate) fn admit(&self, key: K, now: Instant) -> Result<(), Duration> {
        let Some((token, ahead_max)) = self.refill else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.of(key, now);
        let ahead = full_at.saturating_duration_since(now);
        if ahead > ahead_max {
            return Err(ahead - ahead_max);
        }
        *full_at = now + ahead + token;
        Ok(())
    }
}

impl<K: Hash + Eq> Buckets<K> {
    fn of(&mut self, key: K, now: Instant) -> &mut Instant {
        let crowded = self.full_at.len() >= BUCKETS_MAX;
        if crowded && self.swept.is_none_or(|swept| now - swept >= SWEEP) {
            self.swept = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < BUCKETS_MAX || self.full_at.contains_key(&key) {
            self.full_at.entry(key).or_insert(now)
        } else {
            self.others_full_at.get_or_insert(now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_minute: u32, burst: u32) -> RateLimit<u32> {
        RateLimit::new(Rate { per_minute, burst })
    }

    #[test]
    fn a_burst_passes_and_then_one_for_each_token() {
        let limit = limit(60, 3);
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for _ in 0..3 {
            assert_eq!(limit.admit(1, start), Ok(()));
        }
        assert_eq!(limit.admit(1, start), Err(Duration::from_secs(1)));
        assert_eq!(limit.admit(1, at(400)), Err(Duration::from_millis(600)));
        assert_eq!(limit.admit(2, start), Ok(()), "another has its own");
        assert_eq!(limit.admit(1, at(1_000)), Ok(()));
        assert!(limit.admit(1, at(1_000)).is_err());
        // Waiting longer fills the bucket to its brim and no further.
        let admitted = (0..10).filter(|_| limit.admit(1, at(60_000)).is_ok());
        assert_eq!(admitted.count(), 3);
    }

    #[test]
    fn none_a_minute_is_no_limit() {
        let limit = limit(0, 0);
        let now = Instant::now();
        assert!((0..10_000).all(|_| limit.admit(1, now).is_ok()));
    }

    #[test]
    fn a_crowd_shares_one_bucket_until_others_are_full() {
        let limit = limit(60, 2);
        let start = Instant::now();
        let crowd = u32::try_from(BUCKETS_MAX).unwrap();
        for key in 0..crowd {
            assert_eq!(limit.admit(key, start), Ok(()));
        }
        let late = [crowd, crowd + 1, crowd + 2].map(|key| limit.admit(key, start).is_ok());
        assert_eq!(late, [true, true, false]);
        assert_eq!(limit.admit(0, start), Ok(()), "who has a bucket keeps it");
        let later = start + Duration::from_secs(10);
        assert_eq!(limit.admit(crowd + 2, later), Ok(()));
        let kept = limit.buckets.lock().unwrap().full_at.len();
        assert_eq!(kept, 1, "full buckets are not kept");
    }
}
