//! Casts votes and measures how long each takes, in one of two ways:
//!
//! - in a closed loop each connection sends the next vote when the last is answered: how many votes a second
//!   the network confirms for so many voters at once;
//! - in an open loop votes are due at a rate, whatever becomes of those before, and a vote's time counts from
//!   when it was due: what a voter waits who comes at that moment (nothing is left out because the network was
//!   slow to answer somebody else).
//!
//! Connections are open before the clock starts, and no answer is kept.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use futures::future::try_join_all;
use hdrhistogram::Histogram;
use serde::Deserialize;

use super::wire::{Connection, Target};

/// How long one vote is repeated before the measurement counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first and the longest pause before a vote is repeated.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);
/// The longest time that is told from longer ones, in microseconds.
const LATENCY_US_MAX: u64 = 120_000_000;

/// When votes are sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// Each when a connection is free.
    Closed,
    /// So many a second.
    Open(f64),
}

/// The votes of one measurement.
pub(super) struct Plan<'a> {
    pub(super) target: &'a Target,
    pub(super) connections: usize,
    pub(super) votes: u64,
    pub(super) pace: Pace,
    /// The body of the vote with this number.
    pub(super) body: &'a (dyn Fn(u64) -> String + Sync),
    /// Is given the number of votes answered, after each.
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
}

/// What came of it.
pub(super) struct Driven {
    /// From the sending, or from when it was due, to the answer, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// From the clock's start to the last answer.
    pub(super) elapsed: Duration,
    /// Numbers of votes that were acknowledged before they were confirmed.
    pub(super) unconfirmed: Vec<u64>,
    pub(super) repetitions: u64,
}

/// Casts the votes.
pub(super) async fn drive(plan: &Plan<'_>) -> Result<Driven> {
    let opening = (0..plan.connections).map(|_| plan.target.connect());
    let connections = try_join_all(opening).await?;
    let next = AtomicU64::new(0);
    let driven = Mutex::new(Driven {
        latency: histogram(),
        elapsed: Duration::ZERO,
        unconfirmed: Vec::new(),
        repetitions: 0,
    });
    let clock = Instant::now();
    let workers = connections.into_iter().map(|connection| Worker {
        plan,
        connection,
        next: &next,
        driven: &driven,
        clock,
    });
    try_join_all(workers.map(Worker::work)).await?;
    let mut driven = driven.into_inner().unwrap_or_else(PoisonError::into_inner);
    driven.elapsed = clock.elapsed();
    let answered = driven.latency.len();
    ensure!(
        answered == plan.votes,
        "{answered} of {} votes were answered",
        plan.votes
    );
    Ok(driven)
}

/// Three digits of every value, from a microsecond on.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("fixed bounds are valid")
}

struct Worker<'a> {
    plan: &'a Plan<'a>,
    connection: Connection,
    next: &'a AtomicU64,
    driven: &'a Mutex<Driven>,
    clock: Instant,
}

impl Worker<'_> {
    async fn work(mut self) -> Result<()> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.votes {
                return Ok(());
            }
            let body = (self.plan.body)(number);
            let request = self.plan.target.post("/api/votes/submit", &body);
            let from = match self.plan.pace {
                Pace::Closed => Instant::now(),
                Pace::Open(rate) => {
                    let due = self.clock + Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    due
                }
            };
            let (is_confirmed, repetitions) = self.cast(&request).await?;
            let micros = u64::try_from(from.elapsed().as_micros()).unwrap_or(u64::MAX);
            let mut driven = self.driven.lock().unwrap_or_else(PoisonError::into_inner);
            driven.latency.saturating_record(micros.max(1));
            driven.repetitions += repetitions;
            if !is_confirmed {
                driven.unconfirmed.push(number);
            }
            (self.plan.progress)(driven.latency.len());
        }
    }

    /// Sends one vote until it is acknowledged. Returns whether it was confirmed, and how often it was repeated.
    async fn cast(&mut self, request: &[u8]) -> Result<(bool, u64)> {
        let (started, mut pause, mut repetitions) = (Instant::now(), PAUSE_FIRST, 0);
        loop {
            let reason = match self.connection.exchange(request).await {
                Ok((200..=299, body)) => {
                    let answer: Answer<'_> = serde_json::from_slice(body)?;
                    return Ok((answer.status == "confirmed", repetitions));
                }
                Ok((status @ (429 | 502 | 503 | 504), _)) => format!("status {status}"),
                Ok((status, body)) => {
                    bail!(
                        "a vote was refused: {status} {}",
                        String::from_utf8_lossy(body)
                    )
                }
                Err(error) => {
                    // Where nobody listens, the next sending fails, too, until patience ends.
                    if let Ok(connection) = self.plan.target.connect().await {
                        self.connection = connection;
                    }
                    error.to_string()
                }
            };
            ensure!(
                started.elapsed() < PATIENCE,
                "a vote was not answered in {PATIENCE:?}: {reason}"
            );
            repetitions += 1;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: &'a str,
}
