//! How often one account or address may ask: a token bucket each, bounded in number.
//!
//! The arithmetic is `governor`'s (the generic cell rate algorithm), which keeps a bucket as the moment
//! at which it will be full again. Its own tables of buckets have no bound, so that the table is ours:
//! whoever comes when it is full shares one bucket with all others who do.

use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};

use crate::config::Rate;

/// Buckets that a limit keeps where nothing else is said; whoever comes beyond shares one.
const BUCKETS_MAX: usize = 100_000;
/// Pause between two sweeps of full buckets.
const SWEEP: Duration = Duration::from_secs(1);

/// The library's limiter over the buckets here.
type Limiter<K, C> = RateLimiter<K, Buckets<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limit on how often each `K` may ask.
pub(crate) struct RateLimit<K: Hash + Eq + Clone, C: Clock = MonotonicClock> {
    /// Nothing where there is no limit.
    limiter: Option<Limiter<K, C>>,
    burst: u32,
    buckets_max: usize,
    swept: Mutex<Option<Instant>>,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with(rate, BUCKETS_MAX, MonotonicClock)
    }

    /// A limit for so many at the same time.
    pub(crate) fn for_many(rate: Rate, buckets_max: usize) -> Self {
        Self::with(rate, buckets_max, MonotonicClock)
    }
}

impl<K: Hash + Eq + Clone, C: Clock> RateLimit<K, C> {
    fn with(rate: Rate, buckets_max: usize, clock: C) -> Self {
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        let token = Duration::from_secs(60).checked_div(rate.per_minute);
        let quota = token.and_then(Quota::with_period);
        Self {
            limiter: quota.map(|quota| {
                RateLimiter::new(quota.allow_burst(burst), Buckets::new(buckets_max), clock)
            }),
            burst: burst.get(),
            buckets_max,
            swept: Mutex::new(None),
        }
    }

    /// Takes a token; where there is none, how long until there is.
    pub(crate) fn admit(&self, key: &K) -> Result<(), Duration> {
        self.admit_cost(key, NonZeroU32::MIN)
    }

    /// Takes so many tokens, or all that a bucket holds where it holds fewer.
    pub(crate) fn admit_cost(&self, key: &K, cost: NonZeroU32) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        self.sweep(limiter);
        let cost = cost.min(NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN));
        match limiter.check_key_n(key, cost) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(until.wait_time_from(limiter.clock().now())),
            // A cost is never above the burst.
            Err(_) => Err(SWEEP),
        }
    }

    /// Forgets the buckets that are full, when there are too many.
    fn sweep(&self, limiter: &RateLimiter<K, Buckets<K>, C, NoOpMiddleware<C::Instant>>) {
        if limiter.len() < self.buckets_max {
            return;
        }
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            *swept = Some(Instant::now());
            limiter.retain_recent();
        }
    }
}

/// Buckets by key, and the one of all who have none of their own.
struct Buckets<K> {
    max: usize,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    of_key: HashMap<K, Nanos>,
    of_others: Option<Nanos>,
}

impl<K> Buckets<K> {
    fn new(max: usize) -> Self {
        Self {
            max,
            table: Mutex::new(Table {
                of_key: HashMap::new(),
                of_others: None,
            }),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table<K>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Buckets<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = self.table();
        if let Some(bucket) = table.of_key.get_mut(key) {
            let (outcome, replaced) = measure(Some(*bucket))?;
            *bucket = replaced;
            return Ok(outcome);
        }
        if table.of_key.len() < self.max {
            let (outcome, bucket) = measure(None)?;
            table.of_key.insert(key.clone(), bucket);
            return Ok(outcome);
        }
        let (outcome, bucket) = measure(table.of_others)?;
        table.of_others = Some(bucket);
        Ok(outcome)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Buckets<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.table().of_key.retain(|_, bucket| *bucket > drop_below);
    }

    fn len(&self) -> usize {
        self.table().of_key.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limit(
        per_minute: u32,
        burst: u32,
    ) -> (RateLimit<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::with(Rate { per_minute, burst }, BUCKETS_MAX, clock.clone());
        (limit, clock)
    }

    fn near(wait: Result<(), Duration>, expected_ms: u64) {
        let wait = wait.expect_err("there is no token");
        let expected = Duration::from_millis(expected_ms);
        assert!(
            wait.abs_diff(expected) < Duration::from_millis(1),
            "{wait:?}"
        );
    }

    #[test]
    fn a_burst_passes_and_then_one_for_each_token() {
        let (limit, clock) = limit(60, 3);
        for _ in 0..3 {
            assert_eq!(limit.admit(&1), Ok(()));
        }
        near(limit.admit(&1), 1_000);
        clock.advance(Duration::from_millis(400));
        near(limit.admit(&1), 600);
        assert_eq!(limit.admit(&2), Ok(()), "another has its own");
        clock.advance(Duration::from_millis(600));
        assert_eq!(limit.admit(&1), Ok(()));
        assert!(limit.admit(&1).is_err());
        // Waiting longer fills the bucket to its brim and no further.
        clock.advance(Duration::from_secs(59));
        let admitted = (0..10).filter(|_| limit.admit(&1).is_ok());
        assert_eq!(admitted.count(), 3);
    }

    #[test]
    fn what_costs_more_takes_more_and_at_most_a_whole_bucket() {
        let (limit, clock) = limit(60, 10);
        let cost = |cost| NonZeroU32::new(cost).unwrap();
        assert_eq!(limit.admit_cost(&1, cost(8)), Ok(()));
        near(limit.admit_cost(&1, cost(8)), 6_000);
        assert_eq!(limit.admit_cost(&1, cost(2)), Ok(()));
        clock.advance(Duration::from_secs(10));
        assert_eq!(limit.admit_cost(&1, cost(1_000)), Ok(()));
        assert!(limit.admit(&1).is_err());
    }

    #[test]
    fn none_a_minute_is_no_limit() {
        let (limit, _) = limit(0, 0);
        assert!((0..10_000).all(|_| limit.admit(&1).is_ok()));
    }

    #[test]
    fn a_crowd_shares_one_bucket_until_others_are_full() {
        let (limit, clock) = limit(60, 2);
        let crowd = u32::try_from(BUCKETS_MAX).unwrap();
        for key in 0..crowd {
            assert_eq!(limit.admit(&key), Ok(()));
        }
        let late = [crowd, crowd + 1, crowd + 2].map(|key| limit.admit(&key).is_ok());
        assert_eq!(late, [true, true, false]);
        assert_eq!(limit.admit(&0), Ok(()), "who has a bucket keeps it");
        clock.advance(Duration::from_secs(10));
        *limit.swept.lock().unwrap() = None;
        assert_eq!(limit.admit(&(crowd + 2)), Ok(()));
        let kept = limit.limiter.as_ref().map_or(0, |limiter| limiter.len());
        assert_eq!(kept, 1, "full buckets are not kept");
    }
}
