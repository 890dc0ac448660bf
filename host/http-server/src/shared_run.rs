//! Work that costs much and that anybody may ask for: one run at a time, whose result all share who
//! ask meanwhile.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

/// When a result is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// A result may be as old as the pause between two runs.
    Recent,
    /// A run must have begun after the call; it waits until the pause is over.
    Now,
}

/// One piece of work, of which at most one run goes on and begins `pause` after the one before.
pub struct SharedRun<T> {
    pause: Duration,
    freshness: Freshness,
    last: Arc<Mutex<Option<(Instant, T)>>>,
}

/// A run ended without a result; what it says is for the log.
#[derive(Debug)]
pub struct RunFailed(pub String);

impl<T: Clone + Send + 'static> SharedRun<T> {
    /// Work that has not been done yet.
    pub fn new(pause: Duration, freshness: Freshness) -> Self {
        Self {
            pause,
            freshness,
            last: Arc::default(),
        }
    }

    /// The result of the last run, where that will do, or of a new one. A run goes on to its end
    /// whether or not somebody still waits for it, so that leaving early starts no second one.
    pub async fn get(&self, run: impl Future<Output = T> + Send + 'static) -> Result<T, RunFailed> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        let mut begin = asked;
        if let Some((began, result)) = &*last {
            let will_do = match self.freshness {
                Freshness::Recent => began.elapsed() < self.pause,
                Freshness::Now => *began >= asked,
            };
            if will_do {
                return Ok(result.clone());
            }
            begin = *began + self.pause;
        }
        let running = tokio::spawn(async move {
            tokio::time::sleep_until(begin).await;
            let began = Instant::now();
            let result = run.await;
            *last = Some((began, result.clone()));
            result
        });
        running.await.map_err(|error| RunFailed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures::future::join_all;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    struct Work {
        shared: SharedRun<usize>,
        runs: Arc<AtomicUsize>,
        at_once: Arc<AtomicUsize>,
    }

    impl Work {
        fn new(freshness: Freshness) -> Self {
            Self {
                shared: SharedRun::new(PAUSE, freshness),
                runs: Arc::default(),
                at_once: Arc::default(),
            }
        }

        async fn get(&self) -> usize {
            let (runs, at_once) = (self.runs.clone(), self.at_once.clone());
            let run = async move {
                assert_eq!(at_once.fetch_add(1, SeqCst), 0, "one run at a time");
                tokio::time::sleep(Duration::from_secs(1)).await;
                at_once.fetch_sub(1, SeqCst);
                runs.fetch_add(1, SeqCst) + 1
            };
            self.shared.get(run).await.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_recent_result_is_shared_until_the_pause_is_over() {
        let work = Work::new(Freshness::Recent);
        let answers = join_all((0..50).map(|_| work.get())).await;
        assert!(answers.iter().all(|answer| *answer == 1));
        tokio::time::sleep(PAUSE).await;
        assert_eq!(work.get().await, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_of_now_is_shared_by_who_asked_before_it_began() {
        let work = Work::new(Freshness::Now);
        assert_eq!(work.get().await, 1);
        let started = Instant::now();
        let answers = join_all((0..50).map(|_| work.get())).await;
        assert!(answers.iter().all(|answer| *answer == 2), "{answers:?}");
        assert_eq!(
            started.elapsed(),
            PAUSE,
            "a second after the pause of ten, begun one ago"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_early_starts_no_second_run() {
        let work = Work::new(Freshness::Recent);
        for _ in 0..20 {
            let left = tokio::time::timeout(Duration::from_millis(10), work.get()).await;
            assert!(left.is_err());
        }
        assert_eq!(work.get().await, 1);
    }
}
