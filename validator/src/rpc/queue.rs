//! Costly work goes off the async threads, a few pieces at a time; a bounded number waits.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much of one kind of work goes on and waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Pieces under way at once.
    pub(crate) running_max: usize,
    /// Pieces that wait for their turn.
    pub(crate) waiting_max: usize,
    /// Of those, how many of one address; this machine's own are not bounded by it.
    pub(crate) waiting_per_address_max: usize,
    /// How long one waits.
    pub(crate) wait_max: Duration,
}

/// Where work of one kind queues up.
pub(crate) struct Queue {
    bounds: Bounds,
    running: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    in_all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// There are too many already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The turn of one piece of work.
#[derive(Debug)]
pub(crate) struct Turn(
    #[allow(dead_code, reason = "held, and freed when dropped")] OwnedSemaphorePermit,
);

impl Queue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            running: Arc::new(Semaphore::new(bounds.running_max)),
            waiting: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Waits for a turn of work that `address` asks for.
    pub(crate) async fn turn(&self, address: IpAddr) -> Result<Turn, Busy> {
        let running = Arc::clone(&self.running);
        if let Ok(permit) = Arc::clone(&running).try_acquire_owned() {
            return Ok(Turn(permit));
        }
        let place = self.wait(address).inspect_err(|_| self.refuse())?;
        let permit = tokio::time::timeout(self.bounds.wait_max, running.acquire_owned()).await;
        drop(place);
        match permit {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => {
                self.refuse();
                Err(Busy)
            }
        }
    }

    /// Pieces of work that were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn wait(&self, address: IpAddr) -> Result<Place<'_>, Busy> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = waiting.of_address.get(&address).copied().unwrap_or(0);
        let has_its_share =
            of_address >= self.bounds.waiting_per_address_max && !address.is_loopback();
        if waiting.in_all >= self.bounds.waiting_max || has_its_share {
            return Err(Busy);
        }
        waiting.in_all += 1;
        *waiting.of_address.entry(address).or_default() += 1;
        Ok(Place {
            queue: self,
            address,
        })
    }
}

/// A place among those that wait.
struct Place<'a> {
    queue: &'a Queue,
    address: IpAddr,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waiting = self.queue.waiting.lock();
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        waiting.in_all -= 1;
        if let Some(count) = waiting.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                waiting.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::{FutureExt, future::join_all};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        running_max: 2,
        waiting_max: 6,
        waiting_per_address_max: 3,
        wait_max: Duration::from_secs(5),
    };

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_of_the_queue_and_the_queue_its_end() {
        let queue = Queue::new(BOUNDS);
        let first = queue.turn(address(1)).await.unwrap();
        let _second = queue.turn(address(1)).await.unwrap();
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(queue.turn(address(1)))).collect();
        for turn in &mut waiting {
            assert!(turn.now_or_never().is_none());
        }
        assert_eq!(queue.turn(address(1)).await.unwrap_err(), Busy);
        let mut others: Vec<_> = (2..5).map(|n| Box::pin(queue.turn(address(n)))).collect();
        for turn in &mut others {
            assert!(turn.now_or_never().is_none());
        }
        let local = Ipv4Addr::LOCALHOST.into();
        assert_eq!(queue.turn(local).await.unwrap_err(), Busy, "the end of it");
        drop(first);
        let turn = waiting.remove(0).await;
        assert!(turn.is_ok());
        assert_eq!(queue.refused(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_bound_and_who_leaves_frees_a_place() {
        let queue = Queue::new(BOUNDS);
        let _turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        assert!(queue.turn(address(1)).await.is_err());
        for _ in 0..10 {
            let leaving = tokio::time::timeout(Duration::from_millis(1), queue.turn(address(1)));
            assert!(leaving.await.is_err(), "it waits, and is given up");
        }
        assert_eq!(queue.waiting.lock().unwrap().in_all, 0);
        assert!(queue.waiting.lock().unwrap().of_address.is_empty());
    }
}
